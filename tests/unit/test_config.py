"""Configurations: presets, and errors that name the file and the key."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from cardioseg.errors import ConfigError, PlanError
from cardioseg.nets.loss import Loss
from cardioseg.prepare.plan import NetworkPlan, Plan, plane_named, single_plane_named
from cardioseg.training.config import PRESETS, TrainConfig, read_config, recorded_in

MINIMAL = """
batch_size = 4
[plan]
spacing_mm = 2.0
size = [32, 32]
scheme = "acdc"
[plan.network]
widths = [4, 8]
classes = 4
"""


def write(folder, text):
    path = folder / "mine.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("name", PRESETS)
def test_presets_parse_and_survive_json(name):
    config = read_config(name)
    assert TrainConfig.model_validate_json(config.model_dump_json()) == config


def test_preset_paper_is_the_methods():
    config = read_config("paper")
    assert config.plan.size == (256, 256)
    assert config.plan.spacing_mm == 1.5
    assert config.plan.network.widths == (32, 64, 128, 256, 512, 1024)
    assert config.optimiser == "adam"
    a = config.augmentation
    assert (a.rotation_deg, a.shift, a.zoom) == (10, 0.05, 0.15)
    assert not any((a.flips, a.quarter_turns, a.gamma, a.contrast, a.noise, a.blur))


def test_a_file_is_read(tmp_path):
    config = read_config(write(tmp_path, MINIMAL))
    assert config.batch_size == 4
    assert config.plan.network.widths == (4, 8)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("batch_size = 4", "batch_sise = 4"), "batch_sise"),
        (("widths", "width"), "plan.network.width"),
        (("spacing_mm = 2.0", "spacing_mm = 0"), "plan.spacing_mm"),
        (("batch_size = 4", "patch = [32, 31]"), r"patch \(32, 31\) must be multiples of 2"),
        (("size = [32, 32]", "size = [32, 31]"), r"size \(32, 31\) must be multiples of 2"),
        (("size = [32, 32]", "size = [2, 2]"), "slices of 2 x 2 are too small for this network"),
        (("batch_size = 4", "patch = [2, 2]"), "slices of 2 x 2 are too small for this network"),
        (("size = [32, 32]", "size = [32, 32]\nsmallest_window = [16, 16]"), "follows from patch"),
        (("classes = 4", "classes = 4\ninput_channels = 3"), "input_channels must be 1"),
        (("classes = 4", "classes = 3"), "scheme acdc has 4 classes, the network 3"),
        (('scheme = "acdc"', 'scheme = "acdx"'), "unknown label scheme 'acdx'"),
        (("batch_size = 4", "weight_decay = 0.1"), "weight_decay needs optimiser = 'adamw'"),
        (("batch_size = 4", "seed = -1"), "seed"),
        (("batch_size = 4", "batch_size = "), "not valid TOML"),
    ],
)
def test_a_wrong_file_is_refused_with_its_name_and_the_key(tmp_path, change, told):
    path = write(tmp_path, MINIMAL.replace(*change))
    with pytest.raises(ConfigError, match=told) as caught:
        read_config(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_a_file_that_is_not_text_is_refused_with_its_name(tmp_path):
    path = tmp_path / "binary.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match=r"binary\.toml: not valid TOML"):
        read_config(path)


def test_an_unknown_preset_lists_the_presets():
    listed = r"quick: no such preset \(paper, fast, sax, tiny, whole-heart\)"
    with pytest.raises(ConfigError, match=listed):
        read_config("quick")


def test_a_plan_survives_json_and_says_what_is_wrong():
    plan = read_config("fast").plan
    assert Plan.from_json(plan.to_json()) == plan
    with pytest.raises(PlanError, match=r"here\.json: not a valid plan: plane"):
        Plan.from_json(plan.to_json().replace("native", "oblique"), "here.json")
    with pytest.raises(PlanError, match="format version 2; this program reads 1"):
        Plan.from_json(plan.to_json().replace('"format_version": 1', '"format_version": 2'))
    with pytest.raises(PlanError, match="not a valid plan"):
        Plan.from_json(b"\x00")


def test_an_unknown_plane_lists_the_planes():
    assert plane_named("coronal") == "coronal"
    with pytest.raises(PlanError, match="native, axial, sagittal, coronal"):
        plane_named("oblique")


def test_orthogonal_is_not_one_plane():
    assert single_plane_named("axial") == "axial"
    with pytest.raises(PlanError, match="not one plane: 'orthogonal'; choose one of native, axial"):
        single_plane_named("orthogonal")


def test_configurations_cannot_be_changed():
    with pytest.raises(ValidationError):
        read_config("tiny").epochs = 3


@pytest.mark.parametrize(("levels", "stride"), [(1, 1), (2, 2), (6, 32)])
def test_the_stride_doubles_with_each_level(levels, stride):
    assert NetworkPlan(widths=(2,) * levels).stride == stride


def test_a_network_needs_a_level():
    with pytest.raises(ValidationError, match="1 to 10 levels"):
        NetworkPlan(widths=())


def test_the_loss_is_the_methods_unless_the_file_says_otherwise(tmp_path):
    assert all(read_config(name).loss == Loss() for name in PRESETS)
    path = write(tmp_path, MINIMAL + '[loss]\nregion = "tversky"\nboundary = 0.01\n')
    assert read_config(path).loss == Loss(region="tversky", boundary=0.01)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("class_weights = [1, 2]", "class_weights has 2 weights, the network 4 classes"),
        ('region = "dise"', "loss.region"),
        ("tversky = 0.3", "loss.tversky"),
    ],
)
def test_a_wrong_loss_is_refused_with_its_key(tmp_path, text, told):
    with pytest.raises(ConfigError, match=told):
        read_config(write(tmp_path, f"{MINIMAL}[loss]\n{text}\n"))


def test_what_a_run_recorded_is_read_from_either_file_and_nothing_from_a_damaged_one(tmp_path):
    config = read_config("tiny")
    own, folds = tmp_path / "config.json", tmp_path / "folds.json"
    own.write_text(config.model_dump_json())
    folds.write_text(json.dumps({"config": config.model_dump(mode="json")}))
    assert recorded_in(own) == recorded_in(folds) == config
    own.write_text("{")
    assert recorded_in(own) is None
    assert recorded_in(tmp_path / "absent.json") is None


def test_a_run_s_own_configuration_is_one_to_train_with(tmp_path):
    path = tmp_path / "config.json"
    path.write_text(read_config("fast").model_dump_json(indent=2))
    assert read_config(path) == read_config("fast")
    path.write_text("{")
    with pytest.raises(ConfigError, match=r"config\.json: .*JSON"):
        read_config(path)
