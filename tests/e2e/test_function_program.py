"""`cardioseg function` as a user runs it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from tests.short_axis_heart import round_heart, without_pose
from typer.testing import CliRunner, Result

from cardioseg.cli.app import app
from cardioseg.core.geometry import Geometry
from cardioseg.core.labels import ACDC, MYOCARDIUM_BLOOD
from cardioseg.core.volume import LabelMap, Volume
from cardioseg.errors import (
    CardiosegError,
    ConfigError,
    DatasetError,
    FormatError,
    LabelError,
    OutputExistsError,
)
from cardioseg.evaluation.insertion import NO_ORIENTATION
from cardioseg.io.images import write_labels as write_segmentation
from cardioseg.io.nifti import write_label_frames, write_labels, write_volume
from cardioseg.workflows.phantoms import write_phantoms


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["function", *map(str, arguments)])


def frames() -> list[LabelMap]:
    radii = (25.0, 23.0, 21.0, 18.0)
    return [
        round_heart(tuple(f * r for r in radii), spacing=(2.5, 10.0)) for f in (1.0, 0.8, 0.7, 0.9)
    ]


@pytest.fixture
def cine(tmp_path: Path) -> Path:
    path = tmp_path / "cine.nii.gz"
    write_label_frames(frames(), path)
    return path


def test_a_cine_prints_a_table(cine: Path) -> None:
    done = run(cine, "--height", 1.8, "--weight", 80, "--sex", "F", "--heart-rate", 60)
    assert done.exit_code == 0, done.output
    assert "cine: ED frame 1, ES frame 3" in done.stdout
    line = next(x for x in done.stdout.splitlines() if x.startswith("ejection fraction"))
    assert "LV cavity" in line
    assert float(line.split()[4]) == pytest.approx(51.0, abs=1.5)  # 1 - 0.7 squared
    assert "51 to 71" in line
    assert "end-diastolic volume index" in done.stdout
    assert "cardiac output" in done.stdout


def test_labels_are_measured_as_their_headers_say(tmp_path: Path) -> None:
    for number, each in enumerate(frames()[:2], start=1):
        write_labels(each.read_as(MYOCARDIUM_BLOOD), tmp_path / f"heart_frame{number:02}.nii.gz")
    done = run(tmp_path)
    assert done.exit_code == 0, done.output
    assert "blood pool" in done.stdout
    assert "RV cavity" not in done.stdout
    refused = run(tmp_path, "--scheme", "acdc").exception
    assert isinstance(refused, LabelError)
    assert "heart_frame01.nii.gz: the header says" in str(refused)


def test_one_persons_body_is_not_that_of_many(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_labels(frames()[0], tmp_path / f"{name}.nii.gz")
    refused = run(tmp_path, "--height", 1.8).exception
    assert isinstance(refused, ConfigError)
    assert "2 hearts" in str(refused)
    done = run(tmp_path)
    assert "a: ED frame unknown, ES frame unknown" in done.stdout


def test_a_cine_writes_tables_and_figures_that_agree(cine: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    done = run(cine, "--output", output, "--json", "--frame-ms", 200)
    assert done.exit_code == 0, done.output
    names = {path.name for path in output.iterdir()}
    assert {"function.json", "function.csv", "run.json", "cine_curves.png"} <= names
    written = json.loads((output / "function.json").read_text())
    assert written == json.loads(done.stdout)
    assert written["subjects"]["cine"]["times_ms"] == [0.0, 200.0, 400.0, 600.0]
    assert "/" not in json.dumps(json.loads((output / "run.json").read_text())["files"])
    assert isinstance(run(cine, "--output", output).exception, OutputExistsError)
    assert run(cine, "--output", output, "--force").exit_code == 0


def test_references_against_themselves_agree(tmp_path: Path) -> None:
    write_phantoms(tmp_path / "acdc", 2, 0)
    output = tmp_path / "out"
    reference = f"acdc:{tmp_path / 'acdc'}"
    done = run(tmp_path / "acdc" / "training", "--reference", reference, "--output", output)
    assert done.exit_code == 0, done.output
    document = json.loads((output / "agreement.json").read_text())
    found = document["agreement"]
    as_json = run(tmp_path / "acdc" / "training", "--reference", reference, "--json")
    assert json.loads(as_json.stdout)["agreement"] == found
    assert {row["quantity"] for row in found} >= {"ejection fraction", "myocardial mass"}
    assert all(row["mean_absolute_error"] == 0 for row in found)
    assert (output / "bland_altman.png").is_file()
    errors = output / "errors.json"
    again = run(tmp_path / "acdc" / "training", "--errors", errors, "--json")
    measured = next(iter(json.loads(again.stdout)["subjects"].values()))["measurements"]
    fraction = next(m for m in measured if m["quantity"] == "ejection fraction")
    assert fraction["low"] == fraction["value"] == fraction["high"]


def test_frames_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for number, frame in zip((1, 2, 10), frames(), strict=False):
        write_labels(frame, tmp_path / f"p_frame{number}.nii.gz")
    done = run(tmp_path, "--json")
    found = json.loads(done.stdout)["subjects"]["p"]
    assert (found["ed"], found["es"], found["frames"]) == (1, 10, [1, 2, 10])
    assert found["volumes_ml"]["LV cavity"] == sorted(
        found["volumes_ml"]["LV cavity"], reverse=True
    )


def test_files_of_frames_are_timed_by_their_numbers(tmp_path: Path) -> None:
    for number, frame in zip((1, 3, 9), frames(), strict=False):
        write_labels(frame, tmp_path / f"p_frame{number:02}.nii.gz")
    assert "p: ED frame 1, ES frame 9" in run(tmp_path).stdout
    done = run(tmp_path, "--frame-ms", 40, "--json")
    assert json.loads(done.stdout)["subjects"]["p"]["times_ms"] == [0.0, 80.0, 320.0]
    write_labels(frames()[0], tmp_path / "p_frame.nii.gz")
    error = error_of(tmp_path, "--frame-ms", 40)
    assert isinstance(error, ConfigError)
    assert "--frame-ms: the files of p" in str(error)


def test_names_tell_the_phases(tmp_path: Path) -> None:
    # The smaller heart is called end diastole: the names count, and the contradiction is told.
    for phase, frame in zip(("ES", "ED"), frames(), strict=False):
        write_labels(frame, tmp_path / f"p_{phase}.nii.gz")
    found = json.loads(run(tmp_path, "--json").stdout)["subjects"]["p"]
    assert (found["ed"], found["es"]) == (1, 2)
    fraction = next(m for m in found["measurements"] if m["quantity"] == "ejection fraction")
    assert fraction["value"] is None


def without_phases(folder: Path) -> str:
    """A data set of two frames of one heart, whose phases nothing tells."""
    for number, frame in zip((1, 12), frames(), strict=False):
        image = Volume(np.zeros(frame.geometry.shape, np.float32), frame.geometry)
        (folder / "imagesTr").mkdir(parents=True, exist_ok=True)
        (folder / "labelsTr").mkdir(exist_ok=True)
        write_volume(image, folder / "imagesTr" / f"p_frame{number:02}_0000.nii.gz")
        write_labels(frame, folder / "labelsTr" / f"p_frame{number:02}.nii.gz")
    labels = {"background": 0, **{s.name: s.value for s in ACDC.structures}}
    document = {"channel_names": {"0": "cine"}, "labels": labels, "file_ending": ".nii.gz"}
    (folder / "dataset.json").write_text(json.dumps({**document, "numTraining": 2}))
    return f"nnunet:{folder}"


def test_a_prediction_is_read_in_the_reference_s_phases(tmp_path: Path) -> None:
    reference = without_phases(tmp_path / "set")
    predictions = tmp_path / "out"
    predictions.mkdir()
    for number, frame in zip((1, 12), (frames()[2], frames()[1]), strict=True):
        write_labels(frame, predictions / f"p_frame{number:02}.nii.gz")
    done = run(predictions, "--reference", reference, "--json")
    assert done.exit_code == 0, done.output
    record = json.loads(done.stdout)
    assert (record["subjects"]["p"]["ed"], record["subjects"]["p"]["es"]) == (1, 12)
    left = next(
        row
        for row in record["agreement"]
        if (row["quantity"], row["structure"]) == ("end-diastolic volume", "LV cavity")
    )
    assert left["values"]["p"] == pytest.approx(
        [frames()[2].volume_ml("LV cavity"), frames()[0].volume_ml("LV cavity")], abs=1e-3
    )


def test_a_run_without_a_reference_leaves_no_older_agreement(tmp_path: Path) -> None:
    write_phantoms(tmp_path / "acdc", 2, 0)
    output, labels = tmp_path / "out", tmp_path / "acdc" / "training"
    run(labels, "--reference", f"acdc:{tmp_path / 'acdc'}", "--output", output)
    names = {"agreement.md", "agreement.json", "errors.json", "bland_altman.png"}
    assert names <= {path.name for path in output.iterdir()}
    errors = output / "errors.json"
    assert run(labels, "--errors", errors, "--output", output, "--force").exit_code == 0
    assert names & {path.name for path in output.iterdir()} == {"errors.json"}


def test_only_what_an_earlier_run_made_is_removed(cine: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    output.mkdir()
    own = output / "groups.md"
    own.write_text("a person's own")
    assert run(cine, "--output", output).exit_code == 0
    assert own.read_text() == "a person's own"
    other = cine.rename(tmp_path / "other.nii.gz")
    assert run(other, "--output", output, "--force").exit_code == 0
    assert {path.name for path in output.glob("*_curves.png")} == {"other_curves.png"}


def test_phases_beside_a_cine_are_left_out_and_told(cine: Path, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    shutil.copyfile(cine, folder / "p.nii.gz")
    for phase, frame in (("ED", 0), ("ES", 2)):
        write_labels(frames()[frame], folder / f"p_{phase}.nii.gz")
    done = run(folder, "--json")
    assert done.exit_code == 0
    (subject,) = json.loads(done.stdout)["subjects"].values()
    assert "p_ED and p_ES beside p left out" in subject["notes"]


def subjects_of(*arguments: object) -> dict[str, dict[str, object]]:
    done = run(*arguments, "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)["subjects"]
    assert isinstance(found, dict)
    return found


def test_a_lost_pose_is_told_as_if_the_user_had_said_so(tmp_path: Path) -> None:
    write_label_frames([without_pose(each) for each in frames()], tmp_path / "cine.nii.gz")
    found = subjects_of(tmp_path)
    assert NO_ORIENTATION in found["cine"]["notes"]
    assert found == subjects_of(tmp_path, "--orientation-unknown")


def test_prediction_and_reference_are_read_alike_where_either_lost_its_pose(tmp_path: Path) -> None:
    reference = without_phases(tmp_path / "set")
    (tmp_path / "out").mkdir()
    for number, frame in zip((1, 12), frames(), strict=False):
        write_labels(without_pose(frame), tmp_path / "out" / f"p_frame{number:02}.nii.gz")
    done = run(tmp_path / "out", "--reference", reference, "--json")
    assert done.exit_code == 0, done.output
    assert NO_ORIENTATION in json.loads(done.stdout)["subjects"]["p"]["notes"]
    walls = json.loads(done.stdout)["wall_thickness"]
    assert [each["mean_absolute_error_mm"] for each in walls] == pytest.approx([0, 0], abs=0.1)


def test_views_and_sequences_are_no_frames_of_one_cine(tmp_path: Path) -> None:
    (tmp_path / "mnms2").mkdir()
    for phase, frame in (("ED", 0), ("ES", 2)):
        short = frames()[frame]
        write_labels(short, tmp_path / "mnms2" / f"001_SA_{phase}.nii.gz")
        slab = short.array[:, :, 2:3]
        long = LabelMap(slab, Geometry(slab.shape, short.geometry.affine), ACDC)
        write_labels(long, tmp_path / "mnms2" / f"001_LA_{phase}.nii.gz")
    found = subjects_of(tmp_path / "mnms2", "--height", 1.8, "--weight", 80)
    assert {name: (each["ed"], each["es"]) for name, each in found.items()} == {
        "001_LA": (1, 2),
        "001_SA": (1, 2),
    }
    fraction = {m["quantity"]: m["value"] for m in found["001_SA"]["measurements"]}
    assert fraction["ejection fraction"] is not None
    (tmp_path / "myops").mkdir()
    for sequence, frame in (("C0", 0), ("DE", 1), ("T2", 2)):
        write_labels(frames()[frame], tmp_path / "myops" / f"training_101_{sequence}.nii.gz")
    assert {name: each["frames"] for name, each in subjects_of(tmp_path / "myops").items()} == {
        f"training_101_{sequence}": [1] for sequence in ("C0", "DE", "T2")
    }


def test_agreement_names_the_reference_s_subjects_and_counts_none_twice(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "out").mkdir()
    for view in ("SA", "LA"):
        for phase, frame in (("ED", 0), ("ES", 2)):
            labels = frames()[frame]
            image = Volume(np.zeros(labels.geometry.shape, np.float32), labels.geometry)
            for folder in ("imagesTr", "labelsTr"):
                (tmp_path / "data" / folder).mkdir(exist_ok=True)
            write_volume(image, tmp_path / f"data/imagesTr/p_{view}_{phase}_0000.nii.gz")
            write_labels(labels, tmp_path / f"data/labelsTr/p_{view}_{phase}.nii.gz")
            write_labels(labels, tmp_path / f"out/p_{view}_{phase}.nii.gz")
    names = {"background": 0, **{s.name: s.value for s in ACDC.structures}}
    document = {"channel_names": {"0": "cine"}, "labels": names, "file_ending": ".nii.gz"}
    (tmp_path / "data/dataset.json").write_text(json.dumps({**document, "numTraining": 4}))
    reference = f"nnunet:{tmp_path / 'data'}"
    error = error_of(tmp_path / "out", "--reference", reference)
    assert isinstance(error, DatasetError)
    assert "p_LA and p_SA are of one subject of the reference, p" in str(error)
    for path in (tmp_path / "out").glob("*_LA_*"):
        path.unlink()
    record = json.loads(run(tmp_path / "out", "--reference", reference, "--json").stdout)
    assert [*record["subjects"]] == ["p_SA"]
    assert [*record["agreement"][0]["values"]] == ["p"]


def test_segmentations_of_frames_are_one_cine(tmp_path: Path) -> None:
    beat = [frames()[k % 4] for k in range(11)]
    for number, frame in enumerate(beat, start=1):
        write_segmentation(frame, tmp_path / f"p-phase{number}.seg.nrrd")
    found = subjects_of(tmp_path, "--frame-ms", 40)
    assert [*found] == ["p"]
    assert (found["p"]["frames"], found["p"]["times_ms"][-1]) == ([*range(1, 12)], 400)
    assert (found["p"]["ed"], found["p"]["es"]) == (1, 3)
    write_label_frames(beat, tmp_path / "p.nii.gz")
    beside = subjects_of(tmp_path, "--frame-ms", 40)
    assert beside["p"]["volumes_ml"] == found["p"]["volumes_ml"]
    assert "p-phase1, p-phase2 and 9 more beside p left out" in beside["p"]["notes"]


def error_of(*arguments: object) -> BaseException:
    done = run(*arguments)
    assert isinstance(done.exception, CardiosegError), done.output
    return done.exception


def test_errors_say_what_to_do(cine: Path, tmp_path: Path) -> None:
    write_phantoms(tmp_path / "acdc", 1, 0)
    reference = f"acdc:{tmp_path / 'acdc'}"
    error = error_of(cine, "--reference", reference)
    assert isinstance(error, DatasetError)
    assert "has no case cine" in str(error)
    error = error_of(cine, "--errors", cine)
    assert isinstance(error, FormatError)
    assert "errors" in str(error)
    assert isinstance(error_of(cine, "--errors", tmp_path / "none.json"), FormatError)
    folder = tmp_path / "mixed"
    folder.mkdir()
    write_label_frames(frames(), folder / "p_frame01.nii.gz")
    write_labels(frames()[0], folder / "p_frame02.nii.gz")
    assert "one cine or single frames" in str(error_of(folder))
    assert run(cine, "--sex", "X").exit_code == 2
    assert run(cine, "--height", 175).exit_code == 2
