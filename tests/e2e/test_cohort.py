"""A cohort on a local Ray of two workers: one process's bytes, whatever happens to a worker."""

from __future__ import annotations

import ipaddress
import json
import os
import sys
import zipfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import psutil
import pytest
from tests.in_process import run
from tests.small_cohort import KILLS_ALWAYS, KILLS_ONCE, Deadly, scan, small_model

from cardioseg.core.quality import Quality, Reason, Verdict
from cardioseg.scale.cluster import Pool, connected
from cardioseg.scale.cohort import TRIES, Answer, on_ray
from cardioseg.workflows.choice import Choice
from cardioseg.workflows.inputs import gather_images
from cardioseg.workflows.outcome import Outcome
from cardioseg.workflows.predict import predict_files, prediction
from cardioseg.workflows.segment import Wanted
from cardioseg.workflows.work import Start, run_task

pytestmark = [
    # Not importorskip: where Ray listens is settled when it is imported.
    pytest.mark.skipif(find_spec("ray") is None, reason="the extra 'scale' is not installed"),
    pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX"),
    # Ray's own: files and sockets that it leaves to the garbage collector.
    pytest.mark.filterwarnings("ignore"),
]


@pytest.fixture(scope="module")
def two_workers() -> Iterator[None]:
    """One Ray for all tests here: it starts slowly. Its workers find `tests` from the root."""
    with pytest.MonkeyPatch.context() as patch:
        root = str(Path(__file__).parents[2])
        patch.setenv("PYTHONPATH", os.pathsep.join([root, os.environ.get("PYTHONPATH", "")]))
        with connected(Pool(2)):
            yield


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_model(tmp_path_factory.mktemp("models") / "random")


def contents(folder: Path) -> dict[str, bytes]:
    """Every file but the record of the run, which holds durations."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "run.json"}


def record(folder: Path) -> dict[str, object]:
    """The record of the run, without durations."""
    told = json.loads((folder / "run.json").read_text())
    del told["duration_s"]
    for each in told["files"]:
        del each["seconds"]
    return dict(told)


def test_files_urls_and_a_damaged_one_give_what_one_process_gives(
    two_workers: None, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scans = tmp_path / "scans"
    for number in range(5):
        scan(scans / f"case{number}.nii.gz", seed=number)
    (scans / "case2.nii.gz").write_bytes(b"no image")
    packed = tmp_path / "more.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.write(scan(tmp_path / "case9.nii.gz", seed=9), "case9.nii.gz")
    told = {}
    for kind, options in (("one", ()), ("ray", ("--ray", "--workers", 2))):
        code = run(
            "predict", scans, f"zip://*.nii.gz::file://{packed}", "--model", model, "--json",
            "--write", "nifti,json", "--output", tmp_path / kind, *options,
        )  # fmt: skip
        assert code == 3, "some files failed"
        printed = capsys.readouterr()
        assert "1 of 6 files failed" in printed.err
        answers = [{**each, "seconds": 0} for each in json.loads(printed.out)]
        errors = [line for line in printed.err.splitlines() if line.startswith("error:")]
        told[kind] = (answers, errors)
    assert told["ray"] == told["one"]
    assert "case2.nii.gz" in told["ray"][1][0]
    assert len(contents(tmp_path / "one")) == 2 * 5
    assert contents(tmp_path / "ray") == contents(tmp_path / "one")
    assert record(tmp_path / "ray") == record(tmp_path / "one")

    before = {path: path.stat().st_ino for path in (tmp_path / "ray").glob("case*")}
    scan(scans / "case2.nii.gz", seed=2)
    (tmp_path / "ray" / "case4.json").unlink()
    inputs = ("predict", scans, f"zip://*.nii.gz::file://{packed}", "--model", model)
    kinds = ("--write", "nifti,json", "--output", tmp_path / "ray")
    assert run(*inputs, *kinds, "--ray", "--workers", 2, "--resume") == 0
    again = {
        path for path, inode in before.items() if not path.exists() or path.stat().st_ino != inode
    }
    assert {path.name.partition(".")[0] for path in again} == {"case4"}
    assert "4 of 6 were done by an earlier run" in capsys.readouterr().err
    assert len(record(tmp_path / "ray")["files"]) == 6


def test_an_answer_comes_back_as_it_was_sent() -> None:
    judged = Quality(Verdict.REVIEW, {"LV cavity": 0.9}, (Reason(Verdict.REVIEW, "holes", "look"),))
    outcome = Outcome("a", 1.0, 2, "beef", quality=judged, notes=("short cine of 2 frames",))
    answer = Answer(outcome, (("ReadWarning", "no unit"),))
    assert Answer.from_json(answer.to_json()) == answer


def test_a_killed_worker_loses_nothing_and_what_always_kills_is_reported(
    two_workers: None, model: Path, tmp_path: Path
) -> None:
    scans, marks, output = tmp_path / "scans", tmp_path / "marks", tmp_path / "out"
    marks.mkdir()
    for number, slices in enumerate((3, KILLS_ONCE, 3, KILLS_ALWAYS, 3, 3)):
        scan(scans / f"case{number}.nii.gz", slices, seed=number)
    inputs, wanted = gather_images([scans]), Wanted(quality=False)
    choice = Deadly(Choice(str(model)), marks)
    predict_files(Choice(str(model)).opened(), inputs, tmp_path / "one", wanted=wanted)

    task = prediction(choice.opened(), output, wanted)
    outcomes = run_task(task, inputs, output, Start(), on_ray(choice, wanted, output, Pool(2)))

    killed = sorted(path.name for path in marks.iterdir())
    assert killed == [f"{KILLS_ONCE}-0", *(f"{KILLS_ALWAYS}-{each}" for each in range(TRIES))]
    assert [each.name for each in outcomes if each.error] == ["case3"]
    assert f"case3.nii.gz: its worker ended {TRIES} times at it" in outcomes[3].error
    expected = contents(tmp_path / "one")
    del expected["case3.nii.gz"]
    assert contents(output) == expected, "and nothing half-written is left"


def test_ray_answers_this_machine_only(two_workers: None) -> None:
    listening = [
        each.laddr.ip
        for process in psutil.Process().children(recursive=True)
        for each in process.net_connections()
        if each.status == psutil.CONN_LISTEN
    ]
    assert listening
    for address in map(ipaddress.ip_address, listening):
        mapped = getattr(address, "ipv4_mapped", None)
        assert (mapped or address).is_loopback
    assert os.environ["RAY_AUTH_MODE"] == "token"
    assert len(os.environ["RAY_AUTH_TOKEN"]) == 64
