"""A prediction of many that stopped: what was finished is skipped, what was not is done."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.dicom_series import noise, oblique, write_series
from tests.in_process import run
from tests.small_cohort import scan

from cardioseg.errors import ConfigError, DatasetError, OutputExistsError
from cardioseg.workflows.choice import Choice
from cardioseg.workflows.inputs import Input, gather_images, specified
from cardioseg.workflows.outcome import Outcome
from cardioseg.workflows.outputs import kinds_named
from cardioseg.workflows.places import stamp_of
from cardioseg.workflows.predict import prediction
from cardioseg.workflows.segment import Wanted
from cardioseg.workflows.work import Start, Task, one_by_one, run_task


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


def test_kinds_of_another_model_are_not_put_beside_what_is_there(inputs, tmp_path: Path) -> None:
    output = tmp_path / "out"
    worked(task_for(output, "json"), inputs[:2], output, Start())
    other = prediction(Choice("active-contour").opened(), output, Wanted(kinds_named("nifti")))
    words = r"case0\.json: was made by another model"
    with pytest.raises(OutputExistsError, match=words):
        worked(other, inputs, output, Start())
    assert not list(output.glob("case*.nii.gz"))
    worked(other, inputs[2:], output, Start())  # its run.json takes the place of the other's
    with pytest.raises(OutputExistsError, match=words):
        worked(other, inputs[:1], output, Start())
    for path in output.glob("case1*"):
        path.unlink()
    worked(other, inputs[1:2], output, Start())


def test_kinds_that_were_added_stay_where_a_run_goes_on(inputs, tmp_path: Path) -> None:
    output = tmp_path / "out"
    worked(task_for(output), inputs, output, Start())
    worked(task_for(output, "json"), inputs[:1], output, Start())
    worked(task_for(output, "json"), inputs, output, Start(resume=True))
    assert len(list(output.glob("case*.nii.gz"))) == len(list(output.glob("case*.json"))) == 3


def test_files_that_no_run_made_are_not_overwritten(inputs, tmp_path: Path) -> None:
    output = tmp_path / "out"
    output.mkdir()
    (output / "case1.nii.gz").write_bytes(b"a person's own")
    with pytest.raises(OutputExistsError, match="case1"):
        worked(task_for(output), inputs, output, Start(resume=True))
    assert (output / "case1.nii.gz").read_bytes() == b"a person's own"


def names_in(output: Path) -> list[str]:
    return [each["name"] for each in json.loads((output / "run.json").read_text())["files"]]


def test_another_input_of_the_same_name_is_not_taken_for_done(tmp_path: Path) -> None:
    output = tmp_path / "out"
    one, other = (tmp_path / folder / "case.nii.gz" for folder in ("A", "B"))
    scan(one, seed=1)
    scan(other, slices=4, seed=2)
    os.utime(other, (1, 1))
    worked(task_for(output), gather_images([one]), output, Start())
    done = worked(task_for(output), gather_images([other]), output, Start(resume=True))[0]
    assert not done.skipped
    same = tmp_path / "C" / "case.nii.gz"
    same.parent.mkdir()
    same.write_bytes(other.read_bytes())
    again = worked(task_for(output), gather_images([same]), output, Start(resume=True))[0]
    assert again.skipped, "the same bytes elsewhere are the same input"
    assert again.input_sha256 == done.input_sha256


def test_another_series_of_a_folder_is_not_taken_for_done(tmp_path: Path) -> None:
    folder, output = tmp_path / "study", tmp_path / "out"
    for number, seed in ((3, 0), (7, 1)):
        frames = noise(oblique()) if not seed else noise(oblique())[:, ::-1]
        write_series(tmp_path / str(number), np.ascontiguousarray(frames), oblique(), number=number)
    folder.mkdir()
    for number in (3, 7):
        for path in (tmp_path / str(number)).iterdir():
            path.rename(folder / f"{number}-{path.name}")
    outcomes = [
        worked(task_for(output), specified(gather_images([folder]), series=series), output,
               Start(resume=True))[0]
        for series in ("3", "7", "7")
    ]  # fmt: skip
    assert [each.skipped for each in outcomes] == [False, False, True]
    assert outcomes[0].input_sha256 != outcomes[1].input_sha256 == outcomes[2].input_sha256
    changed = next(folder.glob("7-*"))
    changed.write_bytes(changed.read_bytes() + b"\0\0")
    last = specified(gather_images([folder]), series="7")
    assert stamp_of(last[0]) != stamp_of(replace(last[0], series="3"))
    assert not worked(task_for(output), last, output, Start(resume=True))[0].skipped


def test_an_untouched_input_is_not_read_again(inputs, tmp_path: Path, monkeypatch) -> None:
    output = tmp_path / "out"
    worked(task_for(output), inputs, output, Start())
    monkeypatch.setattr(
        "cardioseg.workflows.places.file_digest", lambda path: pytest.fail(f"{path} was read")
    )
    assert all(
        each.skipped for each in worked(task_for(output), inputs, output, Start(resume=True))
    )


def test_a_header_whose_data_is_in_another_file_counts_with_it(tmp_path: Path) -> None:
    header = Input("case", tmp_path / "case.mhd")
    header.path.write_text("ElementDataFile = case.raw")
    (tmp_path / "case.raw").write_bytes(b"1")
    before = stamp_of(header)
    (tmp_path / "case.raw").write_bytes(b"22")
    assert stamp_of(header) != before
    assert stamp_of(Input("case", tmp_path / "gone.nii.gz")) == ""


def test_urls_that_end_alike_are_not_taken_for_each_other(inputs, tmp_path: Path) -> None:
    output = tmp_path / "out"
    task = task_for(output)
    worked(task, inputs[:1], output, Start())
    record = json.loads((output / "run.json").read_text())
    address = "https://example.org/A/case0.nii.gz?sig="
    record["files"][0]["stamp"] = stamp_of(replace(inputs[0], url=f"{address}1"))
    (output / "run.json").write_text(json.dumps(record))
    same = replace(inputs[0], url=f"{address}2")
    assert worked(task, (same,), output, Start(resume=True))[0].skipped
    other = replace(inputs[0], url=address.replace("A", "B"))
    assert not worked(task, (other,), output, Start(resume=True))[0].skipped


def test_a_file_that_no_run_made_is_kept_beside_those_of_an_earlier_run(
    inputs, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    gone = replace(inputs[1], path=tmp_path / "in" / "gone.nii.gz")
    worked(task_for(output), (inputs[0], gone), output, Start())
    for name in ("case1.nii.gz", "case2.nii.gz"):
        own = output / name
        own.write_bytes(b"a person's own")
        with pytest.raises(OutputExistsError, match=rf"{name}: .* no run .* made it"):
            worked(task_for(output), inputs, output, Start(resume=True))
        assert own.read_bytes() == b"a person's own"
        own.unlink()
    assert not any(
        each.error for each in worked(task_for(output), inputs, output, Start(resume=True))
    )


def test_after_ctrl_c_what_was_begun_is_done_again(inputs, tmp_path: Path) -> None:
    output = tmp_path / "out"

    def stopped(task: Task, todo, told):
        for number, outcome in enumerate(one_by_one(task, todo, told)):
            if number == 1:  # written, but not yet told
                raise KeyboardInterrupt
            yield outcome

    with pytest.raises(KeyboardInterrupt):
        run_task(task_for(output), inputs, output, Start(), stopped)
    assert names_in(output) == ["case0"]
    outcomes = worked(task_for(output), inputs, output, Start(resume=True))
    assert [each.skipped for each in outcomes] == [True, False, False]
    assert not list(output.glob("*.jsonl"))


def test_the_record_keeps_inputs_of_earlier_runs(inputs, tmp_path: Path) -> None:
    output = tmp_path / "out"
    for each in inputs:
        worked(task_for(output), (each,), output, Start(resume=True))
    assert sorted(names_in(output)) == ["case0", "case1", "case2"]
    again = worked(task_for(output), inputs, output, Start(resume=True))
    assert all(each.skipped for each in again)


def test_every_file_of_a_kind_must_be_there(inputs, tmp_path: Path) -> None:
    output = tmp_path / "out"
    worked(task_for(output), inputs, output, Start())
    record = json.loads((output / "run.json").read_text())
    assert record["files"][0]["written"] == ["case0.nii.gz"]
    record["files"][0]["written"] = ["case0.nii.gz", "case0-phase02.seg.nrrd"]
    del record["files"][1]["written"], record["files"][1]["stamp"]  # as versions before told it
    (output / "run.json").write_text(json.dumps(record))
    outcomes = worked(task_for(output), inputs, output, Start(resume=True))
    assert [each.skipped for each in outcomes] == [False, True, True]


def test_inputs_whose_outputs_would_have_one_name_are_refused(tmp_path: Path) -> None:
    output = tmp_path / "out"
    for names, kind in ((("p", "p-es"), "mesh"), (("p", "p-phase03"), "nrrd")):
        inputs = tuple(Input(name, scan(tmp_path / kind / f"{name}.nii.gz")) for name in names)
        with pytest.raises(DatasetError, match=rf"may write {names[1]}.*run them into different"):
            worked(task_for(output, kind), inputs, output, Start())
        assert not output.exists()
    inputs = tuple(Input(name, scan(tmp_path / f"{name}.nii.gz")) for name in ("p", "p-2", "p-es"))
    assert not any(each.error for each in worked(task_for(output), inputs, output, Start()))


def failing(task: Task, name: str) -> Task:
    """A task that cannot make anything of one input."""

    def make(each: Input, opened, told):
        if each.name == name:
            raise MemoryError
        return task.make(each, opened, told)

    return replace(task, make=make)


def test_of_a_failed_input_nothing_of_an_earlier_run_stays(inputs, tmp_path: Path) -> None:
    output = tmp_path / "out"
    worked(task_for(output, "nifti,json"), inputs, output, Start())
    task = failing(task_for(output, "nifti,json"), "case1")
    outcomes = worked(task, inputs, output, Start(force=True))
    assert [bool(each.error) for each in outcomes] == [False, True, False]
    assert not list(output.glob("case1*"))
    record = json.loads((output / "run.json").read_text())["files"][1]
    assert record == {"name": "case1", "seconds": record["seconds"], "failed": True}
    assert not worked(task_for(output, "nifti,json"), inputs, output, Start(resume=True))[1].error


def test_kinds_that_are_not_wanted_now_do_not_stay_beside_the_new_ones(
    inputs, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    worked(task_for(output, "nifti,nrrd"), inputs, output, Start())
    own = output / "case0.html"
    own.write_bytes(b"a person's own")
    worked(task_for(output), inputs[:1], output, Start(force=True))
    assert sorted(path.name for path in output.glob("case0*")) == ["case0.html", "case0.nii.gz"]
    others = ["case1.json", "case1.nii.gz", "case1.seg.nrrd"]
    former = json.loads((output / "run.json").read_text())["former"]
    assert {each["name"]: each["written"] for each in former}["case1"] == others
    # Their record went with the run.json that told of them, and they are known all the same.
    worked(task_for(output), inputs[1:], output, Start(force=True))
    assert len(list(output.glob("case*.nii.gz"))) == 3
    assert not [*output.glob("case*.json"), *output.glob("case*.nrrd")]
    (former,) = json.loads((output / "run.json").read_text())["former"]
    assert (former["name"], former["written"]) == ("case0", ["case0.nii.gz"])
    assert own.read_bytes() == b"a person's own"


def test_kinds_are_added_to_those_that_are_there(inputs, tmp_path: Path) -> None:
    output = tmp_path / "out"
    worked(task_for(output), inputs, output, Start())
    worked(task_for(output, "json"), inputs, output, Start())
    assert len(list(output.glob("case*.nii.gz"))) == len(list(output.glob("case*.json"))) == 3


def test_an_input_and_what_may_be_of_another_one_are_never_removed(tmp_path: Path) -> None:
    output = tmp_path / "out"
    longer = Input("p-phase03", scan(tmp_path / "in" / "p-phase03.nii.gz"))
    worked(task_for(output, "nrrd"), (longer,), output, Start())
    shorter = Input("p", scan(tmp_path / "in" / "p.nii.gz"))
    worked(task_for(output), (shorter,), output, Start(force=True))
    again = Input("p", output / "p.nii.gz")
    worked(task_for(output, "json"), (again,), output, Start(force=True))
    assert (output / "p.nii.gz").is_file(), "it is the input now"
    broken = failing(task_for(output, "nrrd"), "p")
    assert worked(broken, (again,), output, Start(force=True))[0].error
    assert {path.name for path in output.glob("p*")} == {
        "p-phase03.json",
        "p-phase03.seg.nrrd",
        "p.nii.gz",
    }


def test_files_of_a_run_that_was_killed_are_its_input_s(inputs, tmp_path: Path) -> None:
    output = tmp_path / "out"
    worked(task_for(output, "nifti,json"), inputs[:1], output, Start())
    record = json.loads((output / "run.json").read_text())
    (output / "run.json").unlink()
    lines = (record, {"name": "../case0", "begun": True}, {"name": "case0", "begun": True})
    journal = output / "run-predict.jsonl"
    journal.write_text("".join(json.dumps(each) + "\n" for each in lines))
    worked(task_for(output), inputs, output, Start(force=True))
    assert not (output / "case0.json").exists()


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


def test_a_share_without_an_input_says_so_and_leaves_its_record(
    inputs, tmp_path: Path, capsys
) -> None:
    output = tmp_path / "out"
    share = ("predict", tmp_path / "in", "--model", "otsu", "--output", output, "--shard", "4/4")
    assert run(*share) == 0
    assert "no input in this share" in capsys.readouterr().err
    record = json.loads((output / "run-predict-4-of-4.json").read_text())
    assert record["files"] == []
    assert not list(output.glob("*.jsonl"))
    assert run(*share, "--resume") == 0


def test_inputs_of_two_shares_whose_outputs_would_have_one_name_are_refused(
    tmp_path: Path, capsys
) -> None:
    for name in ("p", "p-phase03"):
        scan(tmp_path / "in" / f"{name}.nii.gz")
    common = ("predict", tmp_path / "in", "--model", "otsu", "--write", "nrrd", "--output")
    assert run(*common, tmp_path / "out", "--shard", "1/2") == 1
    assert "run them into different folders" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_options_that_contradict_each_other_are_refused(inputs, tmp_path: Path, capsys) -> None:
    common = ("predict", tmp_path / "in", "--model", "otsu", "--output", tmp_path / "out")
    assert run(*common, "--force", "--resume") == 2
    assert run(*common, "--workers", 2) == 2
    assert "go with --ray" in capsys.readouterr().err
    assert run(*common, "--part", "test") == 2
    assert run("scores", *common[1:3], "sax", *common[4:], "--part", "validation") == 2
    assert capsys.readouterr().err.count("--part goes with --split: add it") == 2
    assert run(*common, "--shard", "9/3") == 1
    assert not (tmp_path / "out").exists()
