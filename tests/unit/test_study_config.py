"""Studies: the shipped ones are what they claim, and a wrong TOML is refused by its key."""

from __future__ import annotations

from collections import defaultdict
from importlib import resources

import numpy as np
import pytest
from tests.unit.test_training import TRAINING, VALIDATION

from cardioseg.data.splits import read_split
from cardioseg.datasets import read_dataset
from cardioseg.errors import ConfigError
from cardioseg.nets.unet import UNet, count_parameters
from cardioseg.training import fit as fit_module
from cardioseg.training.config import PRESETS, read_config
from cardioseg.workflows.study.config import SHIPPED, read_study

MINIMAL = """
name = "mine"
scheme = "acdc"
base = "tiny"
seeds = [0]
[config]
epochs = 1
[data]
training = ["a"]
validation = ["b"]
test = ["c"]
[arms.one]
[arms.two]
config.plan.network.convolution = "conventional"
"""


def write(folder, text):
    path = folder / "mine.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_studies_train_without_early_stopping_and_name_their_scope(name):
    study, configs = read_study(name)
    assert study.name == name
    assert study.scope
    assert len(study.seeds) == 3
    assert {config.patience for config in configs.values()} == {0}
    assert {(c.plan.scheme, c.plan.network.classes) for c in configs.values()} == {
        ("myocardium_blood", 3)
    }


@pytest.mark.parametrize("name", [*SHIPPED, *PRESETS])
def test_none_that_is_shipped_merges_the_ventricles_of_a_stack_and_keeps_one_piece(name):
    configs = read_study(name)[1].values() if name in SHIPPED else [read_config(name)]
    for plan in (config.plan for config in configs):
        merged = plan.plane == "native" and plan.scheme == "myocardium_blood"
        assert not (merged and plan.largest_component)


def test_every_shipped_toml_is_listed():
    home = resources.files("cardioseg.workflows.study")
    found = {path.name for path in home.iterdir() if path.name.endswith(".toml")}
    assert found == {f"{name}.toml" for name in SHIPPED}


def test_the_main_study_differs_in_the_convolution_alone_and_has_the_methods_networks():
    _, configs = read_study("slides-acdc")
    one, two = (configs[arm].model_dump() for arm in ("unet_1", "unet_2"))
    assert one["plan"]["network"].pop("convolution") == "conventional"
    assert two["plan"]["network"].pop("convolution") == "separable"
    assert one == two
    assert (one["plan"]["size"], one["plan"]["spacing_mm"]) == ((256, 256), 1.5)
    parameters = [count_parameters(UNet(configs[arm].plan.network)) for arm in configs]
    assert parameters == [31_125_987, 6_030_156]


def test_both_arms_see_the_same_batches(tmp_path, monkeypatch):
    """Same slices, in the same order, turned in the same way: whatever the network."""
    seen = defaultdict(list)
    batches = fit_module.batches

    def spied(config, *rest):
        for step in batches(config, *rest):
            kind = config.plan.network.convolution
            seen[kind] += [
                (each.images.numpy().copy(), each.labels.numpy().copy()) for each in step
            ]
            yield step

    monkeypatch.setattr(fit_module, "batches", spied)
    _, configs = read_study("slides-acdc")
    for arm, config in configs.items():
        network = config.plan.network.model_copy(update={"widths": (4, 8)})
        plan = config.plan.model_copy(update={"network": network, "size": (32, 32)})
        small = config.model_copy(update={"plan": plan, "epochs": 2})
        (tmp_path / arm).mkdir()
        fit_module.fit(small, TRAINING, VALIDATION, tmp_path / arm)
    assert len(seen["conventional"]) == 4
    for one, two in zip(seen["conventional"], seen["separable"], strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))
    first, second = seen["separable"][0], seen["separable"][2]
    assert not np.array_equal(first[0], second[0]), "another epoch is another draw"


def test_the_subjects_of_the_acdc_studies_are_drawn_by_their_rule(acdc_root):
    cases = read_dataset(f"acdc:{acdc_root}").cases
    official = read_split(acdc_root / "splits.json")
    usable = set(official.training) - {"patient076"}  # the images of patient074 once more
    groups = defaultdict(set)
    for case in cases:
        if case.subject in usable:
            groups[case.group].add(case.subject)
    expected = set()
    for members in groups.values():
        expected |= set(sorted(members)[:: len(members) // 4][:4])
    for name in ("slides-acdc", "slides-acdc-128"):
        data = read_study(name)[0].data
        assert set(data.training) == expected
        assert set(data.validation) == set(official.validation)
        assert set(data.test) == usable - expected
        assert len(data.test) == 49
    study = read_study("split-inflation")[0]
    for arm in study.arms:
        assert set(study.data_of(arm).among) == expected | set(official.validation)
        assert set(study.data_of(arm).unseen) == usable - expected


def test_a_file_is_read_and_its_overrides_reach_the_arm(tmp_path):
    study, configs = read_study(write(tmp_path, MINIMAL))
    assert study.pairs == (("two", "one"),)
    assert [c.plan.network.convolution for c in configs.values()] == ["separable", "conventional"]
    assert {c.epochs for c in configs.values()} == {1}
    assert study.title_of("two") == "two"


def test_a_base_is_looked_for_beside_the_study(tmp_path):
    text = resources.files("cardioseg.training").joinpath("tiny.toml").read_text()
    (tmp_path / "base.toml").write_text(text.replace("batch_size = 16", "batch_size = 7"))
    _, configs = read_study(write(tmp_path, MINIMAL.replace('"tiny"', '"base.toml"')))
    assert configs["one"].batch_size == 7


def test_a_split_file_is_looked_for_beside_the_study_and_recorded_as_it_was_named(tmp_path):
    text = MINIMAL.replace('training = ["a"]\nvalidation = ["b"]\ntest = ["c"]', 'split = "s.json"')
    study, _ = read_study(write(tmp_path, text))
    assert study.data_of("one").split == str(tmp_path / "s.json")
    assert study.model_dump()["data"]["split"] == "s.json"
    study, _ = read_study(write(tmp_path, text.replace('"s.json"', '"subjects:1/1/1"')))
    assert study.data_of("one").split == "subjects:1/1/1"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (('name = "mine"', 'nome = "mine"'), "nome"),
        (("epochs = 1", "epoch = 1"), "arm one: epoch:"),
        (("epochs = 1", "patience = 3"), "arm one: stops early .* config.patience = 0"),
        (('training = ["a"]', 'trainig = ["a"]'), "data.trainig"),
        (('test = ["c"]', ""), "name the subjects of training, validation and test, or a split"),
        (('test = ["c"]', 'test = ["c"]\nsplit = "subjects:1/1/1"'), "either a split or"),
        (("seeds = [0]", "seeds = [0, 0]"), "a seed is named twice"),
        (("seeds = [0]", "seeds = []"), "seeds"),
        (("[arms.two]", '[arms."../two"]'), r"'../two': a name has"),
        (("[config]", 'contrasts = [["two", "six"]]\n[config]'), "does not name two arms"),
        (('scheme = "acdc"', 'scheme = "acdx"'), "unknown label scheme"),
        (("seeds = [0]", "seeds = [0"), "not valid TOML"),
    ],
)
def test_a_wrong_study_is_refused_with_its_name_and_the_key(tmp_path, change, told):
    path = write(tmp_path, MINIMAL.replace(*change))
    with pytest.raises(ConfigError, match=told):
        read_study(path)


def test_an_unknown_study_lists_those_that_are_shipped():
    with pytest.raises(ConfigError, match="slides-acdc, slides-acdc-128"):
        read_study("slides-acdx")
