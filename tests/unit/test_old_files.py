"""Files of the first version are read; those of a version that is not known are refused clearly.

`tests/fixtures/first_version` holds them with the keys that they had then.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from cardioseg.errors import ConfigError, DatasetError, FormatError, PlanError
from cardioseg.prepare.plan import NetworkPlan, Plan
from cardioseg.training.checkpoint import CHECKPOINT, best_weights
from cardioseg.training.config import TrainConfig
from cardioseg.workflows.phantoms import write_phantoms
from cardioseg.workflows.provenance import read_run, write_run, write_run_beside
from cardioseg.workflows.reproduce import reproduce

FIRST = Path(__file__).resolve().parents[1] / "fixtures" / "first_version"
PLAN = (FIRST / "plan.json").read_text(encoding="utf-8")


def test_a_plan_of_the_first_version_is_read() -> None:
    plan = Plan.from_json(PLAN)
    assert plan.network == NetworkPlan(widths=(24, 48, 96, 192, 384), classes=4)
    later = (plan.whole_slices, plan.smallest_window, plan.temperature)
    assert later == (False, None, 1.0), "keys that came later"
    assert Plan.from_json(plan.to_json()).digest == plan.digest


def test_a_plan_without_a_version_is_one_of_the_first() -> None:
    record = json.loads(PLAN)
    del record["format_version"]
    assert Plan.from_json(json.dumps(record)) == Plan.from_json(PLAN)


@pytest.mark.parametrize(
    ("version", "words"),
    [
        (2, "format version 2; this program reads 1: install a newer cardioseg"),
        (0, "format version 0; this program reads 1: make the file again"),
        ("one", "format version 'one'; this program reads 1"),
        (None, "format version None; this program reads 1"),
    ],
)
def test_a_plan_of_another_version_is_refused_before_its_keys_are(version, words) -> None:
    later = {**json.loads(PLAN), "format_version": version, "a_later_key": 3}
    with pytest.raises(PlanError, match=r"model/plan\.json: ") as refused:
        Plan.from_json(json.dumps(later), "model/plan.json")
    assert words in str(refused.value)
    assert "a_later_key" not in str(refused.value)


def test_an_unknown_key_of_a_known_version_is_refused() -> None:
    with pytest.raises(PlanError, match="a_later_key"):
        Plan.from_json(json.dumps({**json.loads(PLAN), "a_later_key": 3}))
    for text in ("[1]", "{", '"plan"'):
        with pytest.raises(PlanError, match="not a valid plan"):
            Plan.from_json(text)


def test_a_configuration_of_the_first_version_is_read() -> None:
    config = TrainConfig.model_validate_json((FIRST / "config.json").read_bytes())
    assert (config.slice_step, config.precision) == (1, "float32"), "keys that came later"
    assert config.learning_rate == 0.005


def test_a_run_of_the_first_version_is_read_and_its_data_checked(tmp_path: Path) -> None:
    assert read_run(FIRST / "run.json")["command"] == "train"
    run = tmp_path / "run"
    shutil.copytree(FIRST, run)
    (run / "split.json").write_text('{"training": ["patient001"], "validation": []}')
    save_file({"best.a": torch.zeros(1)}, run / CHECKPOINT)
    with pytest.raises(DatasetError, match="does not say where the data lies"):
        reproduce(run, tmp_path / "again")
    write_phantoms(tmp_path / "hearts", 1, seed=0)
    with pytest.raises(DatasetError, match="other images than the run was trained on"):
        reproduce(run, tmp_path / "again", f"acdc:{tmp_path / 'hearts'}")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"format_version": 2, "command": "train"}', "install a newer cardioseg"),
        ('{"command": "train"}', "make the file again"),
        ("[]", "needs format_version and command"),
        ("{", "cannot be read as a run.json"),
    ],
)
def test_a_run_json_that_is_not_known_is_refused(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(FormatError, match=words):
        read_run(tmp_path / "run.json")


def test_a_checkpoint_of_the_first_version_is_read(tmp_path: Path) -> None:
    save_file({"best.a": torch.ones(2)}, tmp_path / CHECKPOINT, {"progress": "{}", "config": "{}"})
    assert best_weights(tmp_path)["a"].tolist() == [1, 1]


@pytest.mark.parametrize(
    ("version", "words"), [("2", "install a newer cardioseg"), ("x", "make the file again")]
)
def test_a_checkpoint_of_another_version_is_refused(tmp_path: Path, version, words) -> None:
    save_file({"best.a": torch.ones(2)}, tmp_path / CHECKPOINT, {"format_version": version})
    with pytest.raises(ConfigError, match=words):
        best_weights(tmp_path)


def test_a_record_of_another_command_is_never_overwritten(tmp_path: Path) -> None:
    first = write_run(tmp_path, "predict", {"scheme": "acdc"}, started=0.0)
    second = write_run(tmp_path, "report", {}, started=0.0)
    again = write_run(tmp_path, "predict", {"scheme": "mmwhs"}, started=0.0)
    beside = write_run_beside(tmp_path / "sax.onnx", "export", {}, started=0.0)
    assert first == again == tmp_path / "run.json"
    assert second.name == "run-report.json"
    assert beside.name == "sax.onnx.run.json"
    assert read_run(first)["scheme"] == "mmwhs"
    assert [read_run(path)["command"] for path in (first, second, beside)] == [
        "predict", "report", "export",
    ]  # fmt: skip
