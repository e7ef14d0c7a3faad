"""A model folder: written, verified when opened, known by its id."""

from __future__ import annotations

import hashlib
import pickle
import shutil
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import onnx
import pytest
from tests.in_process import run
from tests.networks import SMALL, exported_network

from cardioseg import model as model_module
from cardioseg.cli.console import tell_which
from cardioseg.core.geometry import Geometry
from cardioseg.core.volume import Volume
from cardioseg.errors import ModelError, PlanError
from cardioseg.io.nifti import write_volume
from cardioseg.model import (
    CARD,
    NETWORK,
    PLAN,
    SUMS,
    installed_models,
    open_engine,
    open_model,
    write_model,
)
from cardioseg.prepare.plan import Plan

WEIGHTS = "weights.safetensors"
"""Former model folders hold the weights a second time, in this file."""

THE_PLAN = Plan(spacing_mm=1.5, size=(16, 16), network=SMALL, scheme="acdc")
FILES = {NETWORK: b"a network", WEIGHTS: b"weights", CARD: "# Ein Modell für Tests".encode()}


@pytest.fixture
def folder(tmp_path):
    write_model(tmp_path / "mine", THE_PLAN, FILES)
    return tmp_path / "mine"


def resign(folder, *names):
    """Write checksums anew, of some files only if named."""
    names = names or [path.name for path in folder.iterdir() if path.name != SUMS]
    lines = [f"{hashlib.sha256((folder / n).read_bytes()).hexdigest()}  {n}\n" for n in names]
    (folder / SUMS).write_text("".join(lines))


def test_what_was_written_is_opened(folder):
    model = open_model(folder)
    assert model.plan == THE_PLAN
    assert model.name == "mine"
    assert model.card == "# Ein Modell für Tests"
    assert (folder / NETWORK).read_bytes() == b"a network"
    assert model == write_model(folder, THE_PLAN, FILES)


def test_the_id_is_that_of_plan_and_network_wherever_the_folder_lies(folder, tmp_path):
    identity = open_model(folder).id
    moved = shutil.copytree(folder, tmp_path / "other")
    assert open_model(moved).id == identity
    assert write_model(moved, THE_PLAN, {**FILES, CARD: b"another card"}).id == identity
    assert write_model(moved, THE_PLAN, {**FILES, NETWORK: b"other"}).id != identity
    other_plan = THE_PLAN.model_copy(update={"spacing_mm": 1.6})
    assert write_model(moved, other_plan, FILES).id != identity


def test_a_model_needs_no_card(tmp_path):
    model = write_model(tmp_path / "m", THE_PLAN, {NETWORK: b"a network"})
    assert model.card == ""


def test_whoever_knows_more_of_a_model_writes_it_on_its_card(folder):
    identity = open_model(folder).id
    (folder / CARD).write_text("# A model\n\nIt fails at the apex.\n")
    assert open_model(folder).id == identity
    assert open_model(folder).card.endswith("apex.\n")
    resign(folder, PLAN, NETWORK, CARD)  # as former programs did
    (folder / CARD).write_text("# Again")
    assert open_model(folder).card == "# Again"


@pytest.mark.parametrize("name", [PLAN, NETWORK, WEIGHTS])
def test_a_changed_byte_is_refused(folder, name):
    data = bytearray((folder / name).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / name).write_bytes(data)
    with pytest.raises(ModelError, match="changed since the model was written") as caught:
        open_model(folder)
    assert str(folder / name) in str(caught.value)


@pytest.mark.parametrize("name", [PLAN, NETWORK, SUMS])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(ModelError, match=f"not a model folder: {name} is missing"):
        open_model(folder)


def test_a_listed_file_that_is_missing_is_named(folder):
    (folder / WEIGHTS).unlink()
    with pytest.raises(ModelError, match=rf"lists '{WEIGHTS}', which is not there"):
        open_model(folder)


@pytest.mark.parametrize("unlisted", [PLAN, NETWORK])
def test_a_file_without_a_checksum_is_refused(folder, unlisted):
    resign(folder, *({PLAN, NETWORK} - {unlisted}))
    with pytest.raises(ModelError, match=f"does not list {unlisted}"):
        open_model(folder)


@pytest.mark.parametrize("name", ["../outside", "/etc/hostname", "sub/../../outside", "..", ""])
def test_checksums_may_not_lead_out_of_the_folder(folder, name):
    outside = folder.parent / "outside"
    outside.write_bytes(b"secret")
    digest = hashlib.sha256(b"secret").hexdigest()
    with (folder / SUMS).open("a") as sums:
        sums.write(f"{digest}  {name}\n")
    with pytest.raises(ModelError, match="which is not there"):
        open_model(folder)


def test_checksums_that_are_not_text_are_refused(folder):
    (folder / SUMS).write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(ModelError, match="SHA256SUMS"):
        open_model(folder)


@pytest.mark.parametrize("name", ["network.pt", "model.PKL", "old.ckpt"])
def test_a_pickle_is_refused(folder, name):
    (folder / name).write_bytes(b"\x80\x04.")
    with pytest.raises(ModelError, match=f"{name}, a format that can run code"):
        open_model(folder)


@pytest.mark.parametrize("name", ["weights.bin", "notes.txt", "deeper/any", "weights.npz"])
@pytest.mark.parametrize("data", [pickle.dumps([1, 2]), pickle.dumps("a", 2), b"PK\x03\x04zip"])
def test_a_pickle_is_refused_whatever_its_name(folder, name, data):
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(data)
    with pytest.raises(ModelError, match=f"{name}, a format that can run code"):
        open_model(folder)


@pytest.mark.parametrize("size", [128 + 2 * 256, 128 + 5 * 256])
def test_a_header_of_safetensors_is_not_taken_for_a_pickle(folder, size):
    (folder / "weights.safetensors").write_bytes(size.to_bytes(8, "little") + b"{")
    resign(folder)
    assert open_model(folder).folder == folder


def test_weights_in_another_file_are_refused(folder, tmp_path):
    network = onnx.load_model_from_string(exported_network())
    onnx.save(
        network, tmp_path / "outside.onnx", save_as_external_data=True, size_threshold=0,
        location="weights.data",
    )  # fmt: skip
    files = {NETWORK: (tmp_path / "outside.onnx").read_bytes()}
    with pytest.raises(ModelError, match=r"takes its weights from another file"):
        write_model(tmp_path / "other", open_model(folder).plan, files)


def test_a_plan_that_is_not_valid_is_refused_by_its_path(folder):
    (folder / PLAN).write_text('{"plane": "axial"}')
    resign(folder)
    with pytest.raises(PlanError, match=r"plan\.json: not a valid plan"):
        open_model(folder)


def installed(monkeypatch, **folders):
    """Pretend that distributions offer these folders."""
    points = []
    for name, folder in folders.items():
        monkeypatch.setattr(model_module, f"_TEST_{name}", str(folder), raising=False)
        value = f"cardioseg.model:_TEST_{name}"
        points.append(EntryPoint(name, value, model_module.ENTRY_POINTS))
    monkeypatch.setattr(model_module, "entry_points", lambda group: points)


def test_an_installed_model_opens_by_its_name(folder, tmp_path, monkeypatch):
    installed(monkeypatch, zoo=tmp_path, sax=folder)
    monkeypatch.chdir(tmp_path)
    assert installed_models() == {"sax": folder, "zoo": tmp_path}
    model = open_model("sax")
    assert (model.name, model.folder) == ("sax", folder)
    with pytest.raises(ModelError, match=r"lax: no such model folder or installed model.*sax, zoo"):
        open_model("lax")


def test_an_installed_name_goes_before_a_folder_of_that_name(folder, tmp_path, monkeypatch):
    own = Plan(spacing_mm=2.0, size=(16, 16), network=SMALL, scheme="acdc")
    write_model(tmp_path / "here" / "sax", own, FILES)
    (tmp_path / "here" / "lax").mkdir()
    installed(monkeypatch, sax=folder, lax=folder)
    monkeypatch.chdir(tmp_path / "here")
    assert open_model("sax").plan == open_model("lax").plan == THE_PLAN
    for source in ("./sax", "sax/", Path("sax"), str(tmp_path / "here" / "sax")):
        model = open_model(source)
        assert (model.name, model.plan) == ("sax", own)
    with pytest.raises(ModelError, match=r"lax: not a model folder: plan\.json is missing"):
        open_model("./lax")


def test_which_of_two_models_of_one_name_is_taken_is_told(tmp_path, monkeypatch, capsys):
    installed(monkeypatch, sax=tmp_path)
    monkeypatch.chdir(tmp_path)
    write_model(tmp_path / "sax", THE_PLAN, FILES)
    for name in ("sax", "./sax"):
        tell_which(name)
    note = "note: sax is the installed model; the folder here is ./sax"
    assert capsys.readouterr().err.splitlines() == [note]


def test_a_baseline_whose_name_hides_a_model_folder_is_told(tmp_path, monkeypatch, capsys):
    installed(monkeypatch)
    monkeypatch.chdir(tmp_path)
    write_model(tmp_path / "otsu", THE_PLAN, FILES)
    for name in ("otsu", "./otsu"):
        tell_which(name, baselines=True)
    tell_which("otsu")
    note = "note: otsu is the classical baseline; the folder here is ./otsu"
    assert capsys.readouterr().err.splitlines() == [note]
    (tmp_path / "otsu" / "baseline.json").touch()
    tell_which("otsu", baselines=True)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ("predict", "scan.nii", "--model", "sax", "--output", "out"),
        ("scores", "scan.nii", "--model", "sax", "--output", "out"),
        ("export", "sax", "--output", "sax.onnx"),
        ("quantise", "sax", "--data", "acdc:.", "--split", "no.json", "--output", "out"),
        ("models", "sax"),
        ("listen", "--port", "0", "--ae-title", "US", "--model", "sax", "--output", "out"),
        ("serve", "--model", "sax"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_every_command_that_opens_a_model_by_name_tells_which(
    tmp_path, monkeypatch, capsys, arguments
):
    installed(monkeypatch, sax=tmp_path / "empty")
    monkeypatch.chdir(tmp_path)
    grid = Geometry((4, 4, 2), np.eye(4))
    write_volume(Volume(np.ones(grid.shape, np.float32), grid), tmp_path / "scan.nii")
    write_model(tmp_path / "sax", THE_PLAN, FILES)
    assert run(*arguments) == 1
    assert "note: sax is the installed model; the folder here is ./sax" in capsys.readouterr().err


def test_with_nothing_installed_the_message_says_what_to_install(monkeypatch, tmp_path):
    installed(monkeypatch)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match=r"pip install .*models"):
        open_model("sax")


def test_an_unknown_engine_lists_the_engines(folder):
    with pytest.raises(ModelError, match="choose one of auto, onnx, openvino, torch"):
        open_engine(open_model(folder), "tensorflow")


def test_a_model_written_over_a_former_one_keeps_none_of_its_files(folder, tmp_path):
    (folder / "notes.txt").write_text("mine")
    (tmp_path / "outside").write_text("precious")
    with (folder / SUMS).open("a") as sums:
        sums.write(f"{'0' * 64}  ../outside\n")
    write_model(folder, THE_PLAN, {NETWORK: b"a network"})
    assert {path.name for path in folder.iterdir()} == {PLAN, NETWORK, SUMS, "notes.txt"}
    assert (tmp_path / "outside").read_text() == "precious"


def test_the_rows_of_the_cards_first_table_are_read(tmp_path):
    card = """# Model card

| | |
|---|---|
| Licence of the weights | CC BY-NC-SA 4.0 |
| Data | a | b |

| structure | Dice |
|---|---|
| myocardium | 0.9 |
"""
    model = write_model(tmp_path / "m", THE_PLAN, {NETWORK: b"n", CARD: card.encode()})
    assert model.card_rows == {"Licence of the weights": "CC BY-NC-SA 4.0", "Data": "a | b"}
    assert write_model(tmp_path / "m", THE_PLAN, {NETWORK: b"n"}).card_rows == {}
    assert model.size_bytes == sum(p.stat().st_size for p in (tmp_path / "m").iterdir())


@pytest.mark.parametrize(
    ("preferred", "installed", "taken"),
    [
        (("onnx",), ("onnxruntime", "openvino"), "onnx"),
        (("openvino", "onnx"), ("onnxruntime", "openvino"), "openvino"),
        (("openvino", "onnx"), ("onnxruntime",), "onnx"),
    ],
)
def test_auto_is_the_first_that_is_preferred_and_installed(
    preferred, installed, taken, tmp_path, monkeypatch
):
    if taken == "openvino":
        pytest.importorskip("openvino")
    model = write_model(tmp_path / "m", THE_PLAN, {NETWORK: exported_network()})
    monkeypatch.setattr("cardioseg.model.AUTO", preferred)
    monkeypatch.setattr("cardioseg.model.find_spec", lambda name: name in installed)
    assert open_engine(model).name == taken


def test_auto_without_more_is_onnx_runtime(tmp_path):
    model = write_model(tmp_path / "m", THE_PLAN, {NETWORK: exported_network()})
    assert open_engine(model).name == open_engine(model, "onnx").name == "onnx"
