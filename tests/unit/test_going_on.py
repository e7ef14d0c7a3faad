"""A prediction of many that stopped: what was finished is skipped, what was not is done."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from tests.in_process import run
from tests.small_cohort import scan

from cardioseg.errors import ConfigError, OutputExistsError
from cardioseg.workflows.choice import Choice
from cardioseg.workflows.inputs import Input, gather_images
from cardioseg.workflows.outputs import kinds_named
from cardioseg.workflows.predict import prediction
from cardioseg.workflows.segment import Wanted
from cardioseg.workflows.work import Outcome, Start, Task, one_by_one, run_task


class Killed(BaseException):
    """Stands for signal 9: nothing more is written."""


@pytest.fixture
def inputs(tmp_path: Path) -> tuple[Input, ...]:
    for number in range(3):
        scan(tmp_path / "in" / f"case{number}.nii.gz", seed=number)
    return gather_images([tmp_path / "in"])


def task_for(output: Path, write: str = "nifti") -> Task:
    return prediction(Choice("otsu").opened(), output, Wanted(kinds_named(write)))


def worked(task: Task, inputs: tuple[Input, ...], output: Path, start: Start) -> list[Outcome]:
    return list(run_task(task, inputs, output, start))


def test_after_a_kill_only_the_rest_is_done(inputs, tmp_path: Path, monkeypatch) -> None:
    output = tmp_path / "out"
    task = task_for(output)

    def killed(task: Task, todo, told):
        for number, outcome in enumerate(one_by_one(task, todo, told)):
            if number == 1:  # written, but not yet told
                raise Killed
            yield outcome

    with monkeypatch.context() as patch:
        patch.setattr("cardioseg.workflows.work.write_run", lambda *_: None)
        patch.setattr("cardioseg.workflows.journal.Journal.end", lambda _: None)
        with pytest.raises(Killed):
            run_task(task, inputs, output, Start(), killed)
    journal = output / "run-predict.jsonl"
    with journal.open("ab") as stream:
        stream.write(b'{"name": "case2", "seco')  # cut off
    kept = (output / "case0.nii.gz").stat().st_ino
    with pytest.raises(OutputExistsError, match="add --force"):
        worked(task, inputs, output, Start())
    outcomes = worked(task, inputs, output, Start(resume=True))
    assert [each.skipped for each in outcomes] == [True, False, False]
    assert (output / "case0.nii.gz").stat().st_ino == kept
    assert not journal.exists()
    files = json.loads((output / "run.json").read_text())["files"]
    assert [each["name"] for each in files] == ["case0", "case1", "case2"]
    assert all(len(each["input_sha256"]) == 64 and each["verdict"] for each in files)
    assert all(each.skipped for each in worked(task, inputs, output, Start(resume=True)))


def test_what_changed_or_is_gone_is_done_again(inputs, tmp_path: Path) -> None:
    output = tmp_path / "out"
    task = task_for(output, "nifti,json")
    worked(task, inputs, output, Start())
    (output / "case0.json").unlink()
    later = (output / "case1.json").stat().st_mtime + 5
    scan(inputs[1].path, seed=7)
    os.utime(inputs[1].path, (later, later))
    outcomes = worked(task, inputs, output, Start(resume=True))
    assert [each.skipped for each in outcomes] == [False, False, True]
    failing = replace(inputs[2], name="case3", path=tmp_path / "in" / "gone.nii.gz")
    failed = worked(task, (*inputs, failing), output, Start(resume=True))[3]
    assert failed.error
    again = worked(task, (*inputs, failing), output, Start(resume=True))[3]
    assert again.error, "what failed is tried again"


def test_another_model_or_kind_is_not_mixed_in(inputs, tmp_path: Path) -> None:
    output = tmp_path / "out"
    worked(task_for(output), inputs, output, Start())
    with pytest.raises(ConfigError, match=r"another write; .*--force"):
        worked(task_for(output, "nifti,json"), inputs, output, Start(resume=True))
    other = prediction(Choice("active-contour").opened(), output, Wanted())
    with pytest.raises(ConfigError, match="another model, model_id"):
        worked(other, inputs, output, Start(resume=True))


def test_files_that_no_run_made_are_not_overwritten(inputs, tmp_path: Path) -> None:
    output = tmp_path / "out"
    output.mkdir()
    (output / "case1.nii.gz").write_bytes(b"a person's own")
    with pytest.raises(OutputExistsError, match="case1"):
        worked(task_for(output), inputs, output, Start(resume=True))
    assert (output / "case1.nii.gz").read_bytes() == b"a person's own"


def test_shares_make_together_what_one_run_makes(inputs, tmp_path: Path, capsys) -> None:
    scans, one, many = tmp_path / "in", tmp_path / "one", tmp_path / "many"
    common = ("predict", scans, "--model", "otsu", "--write", "nifti,json", "--output")
    assert run(*common, one) == 0
    for number in (1, 2, 3, 4):
        assert run(*common, many, "--shard", f"{number}/4", "--resume") == 0
    names = {path.name for path in many.iterdir()}
    assert {f"run-predict-{number}-of-4.json" for number in (1, 2, 3)} <= names
    capsys.readouterr()
    assert run(*common, many, "--resume", "--json") == 0
    assert [each["skipped"] for each in json.loads(capsys.readouterr().out)] == [True] * 3
    for path in one.glob("case*"):
        assert path.read_bytes() == (many / path.name).read_bytes()


def test_options_that_contradict_each_other_are_refused(inputs, tmp_path: Path, capsys) -> None:
    common = ("predict", tmp_path / "in", "--model", "otsu", "--output", tmp_path / "out")
    assert run(*common, "--force", "--resume") == 2
    assert run(*common, "--workers", 2) == 2
    assert "go with --ray" in capsys.readouterr().err
    assert run(*common, "--shard", "9/3") == 1
    assert not (tmp_path / "out").exists()
