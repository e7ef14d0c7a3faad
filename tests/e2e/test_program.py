"""The program as a user runs it: files in, files out, exit codes, and never a socket."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest
from tests.tiny_training import TINY

from cardioseg.core.labels import ACDC
from cardioseg.inference.predictor import load_model
from cardioseg.io.nifti import read_geometry, read_labels, read_volume, write_frames
from cardioseg.workflows.phantoms import write_phantoms

FORBID = """
import socket, sys
def forbidden(*args, **kwargs):
    raise RuntimeError("a socket was opened")
class Forbidden(socket.socket):
    __init__ = forbidden
socket.socket = Forbidden
socket.create_connection = socket.getaddrinfo = forbidden
from cardioseg.__main__ import main
sys.argv = ["cardioseg", *sys.argv[1:]]
try:
    main()
finally:
    slow = {"torch", "pydicom", "highdicom", "skimage", "SimpleITK", "trimesh"}
    if "predict" in sys.argv:
        slow |= {"matplotlib", "scipy.ndimage"}
        slow |= {"cardioseg.evaluation.report", "cardioseg.datasets.acdc"}
    print(sorted(slow & set(sys.modules)), file=sys.stderr)
"""

TIE = 1e-3
"""Two scores so near each other are one to engines that add in different orders."""

# A background job of a script starts with Ctrl-C ignored; a person's does not.
INTERRUPTIBLE = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from cardioseg.__main__ import main
sys.argv = ["cardioseg", *sys.argv[1:]]
main()
"""


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cardioseg", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def run_offline(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", FORBID, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture(scope="module")
def hearts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three synthetic subjects in ACDC's layout."""
    folder = tmp_path_factory.mktemp("data") / "hearts"
    write_phantoms(folder, 3, seed=1)
    return folder


@pytest.fixture(scope="module")
def one(hearts: Path) -> Path:
    return next(hearts.rglob("patient001_frame01.nii.gz"))


def test_predict_evaluate_and_inspect_open_no_socket_and_no_torch(
    hearts: Path, one: Path, tmp_path: Path
) -> None:
    done = [
        run_offline("predict", one, "--model", "sax", "--output", tmp_path / "out"),
        run_offline(
            "evaluate", tmp_path / "out", hearts, "--scheme", "acdc", "--output", tmp_path / "rep"
        ),
        run_offline("inspect", one, "--json"),
    ]
    for each in done:
        assert each.returncode == 0, each.stderr
        assert each.stderr.splitlines()[-1] == "[]"
    assert json.loads(done[2].stdout)["frames"] == 1
    assert json.loads((tmp_path / "rep" / "report.json").read_text())["rows"]


def test_labels_lie_on_the_inputs_own_grid_in_every_engine(one: Path, tmp_path: Path) -> None:
    answers = []
    for engine in ("onnx", "torch", "openvino"):
        done = run("predict", one, "--engine", engine, "--output", tmp_path / engine)
        assert done.returncode == 0, done.stderr
        answers.append(read_labels(tmp_path / engine / one.name, ACDC))
        assert answers[-1].geometry.is_same(read_geometry(one))
    scores = np.sort(load_model("sax").predict_scores(read_volume(one)), axis=0)
    first, *others = (each.array for each in answers)
    for labels in others:
        differs = labels != first
        assert differs.mean() < 1e-4
        assert (scores[-1] - scores[-2])[differs].max(initial=0) < TIE, "only ties may differ"
    record = json.loads((tmp_path / "onnx" / "run.json").read_text())
    assert record["format_version"] == 1
    assert record["files"][0]["input_sha256"]
    assert str(one.parent) not in json.dumps(record)


def test_a_cine_goes_in_and_a_cine_comes_out(one: Path, tmp_path: Path) -> None:
    frame = read_volume(one)
    write_frames([frame, frame], tmp_path / "cine.nii.gz")
    done = run(
        "predict", tmp_path / "cine.nii.gz", "--output", tmp_path / "out", "--scheme",
        "myocardium_blood",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    stored = nibabel.load(tmp_path / "out" / "cine.nii.gz")
    assert stored.shape == (*frame.array.shape, 2)
    assert set(np.unique(np.asarray(stored.dataobj))) <= {0, 1, 2}


def test_notes_on_the_function_are_told_once(one: Path, tmp_path: Path) -> None:
    frame = read_volume(one)
    for name in "ab":
        write_frames([frame, replace(frame, array=0 * frame.array)], tmp_path / f"{name}.nii.gz")
    out = ("--output", tmp_path / "out", "--write", "nifti,json")
    done = run("predict", tmp_path / "a.nii.gz", tmp_path / "b.nii.gz", "--model", "otsu", *out)
    assert done.returncode == 0, done.stderr
    notes = json.loads((tmp_path / "out" / "a.json").read_text())["function"]["notes"]
    assert notes
    told = [line for line in done.stderr.splitlines() if line.startswith("note: ")]
    assert told == [f"note: a and b: {note}" for note in notes]
    assert not [line for line in done.stdout.splitlines() if line.startswith("note")]


def test_exit_codes_and_nothing_left_behind(one: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.nii.gz"
    broken.write_bytes(one.read_bytes()[:500])
    out = tmp_path / "out"
    alone = run("predict", broken, "--output", out)
    assert alone.returncode == 1
    assert str(broken) in alone.stderr
    assert "Traceback" not in alone.stderr
    assert not (out / "broken.nii.gz").exists()
    some = run("predict", broken, one, "--output", tmp_path / "some")
    assert some.returncode == 3
    assert (tmp_path / "some" / one.name).is_file()
    again = run("predict", one, "--output", tmp_path / "some")
    assert again.returncode == 1
    assert "--force" in again.stderr
    assert run("predict", one).returncode == 2
    assert run("predict", one, "--model", "nothing", "--output", out).returncode == 1


def test_two_inputs_of_one_name_are_refused_before_anything_runs(one: Path, tmp_path: Path) -> None:
    twin = tmp_path / one.name
    twin.write_bytes(one.read_bytes())
    done = run("predict", one, twin, "--output", tmp_path / "out")
    assert done.returncode == 1
    assert "one name" in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_ctrl_c_leaves_only_whole_files_and_a_record_of_them(hearts: Path, tmp_path: Path) -> None:
    arguments = ["predict", str(hearts), "--output", str(tmp_path)]
    program = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTIBLE, *arguments], stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 120
    # A name with a dot in front is a file that is still being written.
    while not list(tmp_path.glob("[!.]*.nii.gz")) and time.monotonic() < deadline:
        time.sleep(0.02)
    program.send_signal(signal.SIGINT)
    _, told = program.communicate(timeout=60)
    code = program.returncode
    written = sorted(path.name for path in tmp_path.glob("*.nii.gz"))
    assert code in (0, 130)  # 0 where the last file was faster than the signal
    assert ("interrupted; what was finished is whole" in told) == (code == 130)
    assert written
    for name in written:
        read_labels(tmp_path / name, ACDC)
    record = json.loads((tmp_path / "run.json").read_text())
    assert sorted(f"{each['name']}.nii.gz" for each in record["files"]) == written
    # The journal tells `--resume` which inputs were begun and may have some of their files.
    journal = {"run-predict.jsonl"} if code == 130 else set()
    assert {path.name for path in tmp_path.iterdir()} == {*written, "run.json", *journal}


def test_train_then_resume_then_predict_with_the_new_model(hearts: Path, tmp_path: Path) -> None:
    config, output = tmp_path / "tiny.toml", tmp_path / "run"
    config.write_text(TINY.replace("[plan]", 'precision = "auto"\n[plan]', 1))
    options = ("train", "--config", config, "--data", f"acdc:{hearts}", "--output", output)
    first = run(*options, "--tensorboard", "--json")
    assert first.returncode == 0, first.stderr
    assert json.loads(first.stdout)["epochs"] == 2
    assert len((output / "log.jsonl").read_text().splitlines()) == 2
    assert list((output / "tensorboard").glob("events*")), "TensorBoard has its event file"
    assert (output / "learning.png").stat().st_size > 5_000
    assert run(*options).returncode == 1, "a run is never overwritten"
    assert run(*options, "--resume").returncode == 0
    names = {path.name for path in (output / "model").iterdir()}
    assert names == {"plan.json", "model.onnx", "card.md", "SHA256SUMS"}
    record = json.loads((output / "run.json").read_text())
    settled = json.loads((output / "config.json").read_text())["precision"]
    assert settled in ("float32", "bfloat16"), "a run says what 'auto' was"
    assert record["config"]["precision"] == settled
    plan = json.loads((output / "model" / "plan.json").read_text())
    assert plan["temperature"] == record["calibration"]["temperature"] != 1
    assert record["calibration"]["nll_after"] < record["calibration"]["nll_before"]
    card = (output / "model" / "card.md").read_text()
    assert f"temperature {plan['temperature']:g}" in card
    for words in ("CC BY-NC-SA 4.0", "not a medical device", "## Limits", "## Failures"):
        assert words in card.replace("\n", " ")
    done = run("predict", hearts, "--model", output / "model", "--output", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    written = list((tmp_path / "out").glob("*.nii.gz"))
    assert len(written) == 6
    told = bytes(nibabel.load(written[0]).header["descrip"].item()).decode()
    assert told == f"cardioseg labels, acdc; model {record['model_id']}"
    exported = tmp_path / "model.onnx"
    assert run("export", output / "model", "--output", exported).returncode == 0
    import onnx

    properties = {p.key: p.value for p in onnx.load_model(exported).metadata_props}
    assert json.loads(properties["cardioseg.labels"])["3"] == "LV cavity"


def test_an_orthogonal_model_is_trained_predicted_with_and_exported(
    hearts: Path, one: Path, tmp_path: Path
) -> None:
    config, output = tmp_path / "orthogonal.toml", tmp_path / "run"
    text = TINY.replace("epochs = 2", "epochs = 1\nslice_step = 4")
    config.write_text(text.replace("[plan]", '[plan]\nplane = "orthogonal"'))
    done = run("train", "--config", config, "--data", f"acdc:{hearts}", "--output", output)
    assert done.returncode == 0, done.stderr
    assert "axial, coronal and sagittal slices" in (output / "model" / "card.md").read_text()
    for plane in ("orthogonal", "axial"):
        done = run(
            "predict", one, "--model", output / "model", "--plane", plane,
            "--output", tmp_path / plane,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert ("times longer than wide" in done.stderr) == (plane == "orthogonal")
        assert json.loads((tmp_path / plane / "run.json").read_text())["plane"] == plane
        assert read_labels(tmp_path / plane / one.name, ACDC).geometry.is_same(read_geometry(one))


def test_models_are_listed_and_a_card_is_printed() -> None:
    rows = json.loads(run("models", "--json").stdout)
    sax = next(row for row in rows if row["name"] == "sax")
    assert sax["structures"] == "RV cavity, myocardium, LV cavity"
    assert "CC BY-NC-SA 4.0" in sax["licence"]
    assert sax["validation"].startswith("mean Dice 0.")
    assert float(sax["size"].removesuffix(" MB")) <= 16
    listed = run("models").stdout
    assert all(each in listed for each in (sax["id"], sax["input"]))
    card = run("models", "sax").stdout
    assert card.startswith("# Model card")
    assert card.rstrip().endswith(f"Model id: {sax['id']}")
    assert run("models", "nothing").returncode == 1


def test_a_split_by_slices_says_that_it_leaks(hearts: Path, tmp_path: Path) -> None:
    config = tmp_path / "tiny.toml"
    config.write_text(TINY.replace("epochs = 2", "epochs = 1"))
    done = run(
        "train", "--config", config, "--data", f"acdc:{hearts}", "--split", "slices",
        "--output", tmp_path / "run",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "too good" in done.stderr


def test_compare_writes_a_table_and_pictures(hearts: Path, tmp_path: Path) -> None:
    for name, extra in (("plain", ()), ("mirrored", ("--mirrors",))):
        assert run("predict", hearts, "--output", tmp_path / name, *extra).returncode == 0
    done = run(
        "compare", tmp_path / "plain", tmp_path / "mirrored", hearts, "--scheme", "acdc",
        "--images", hearts, "--output", tmp_path / "out",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "LV cavity" in done.stdout
    for picture in ("best", "median", "worst"):
        assert (tmp_path / "out" / f"{picture}.png").stat().st_size > 10_000


def test_help_imports_no_numerical_library() -> None:
    code = "import sys; from cardioseg.cli.app import app; print('numpy' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("command", ["demo", "phantom"])
def test_a_seed_below_zero_is_refused(tmp_path: Path, command: str) -> None:
    done = run(command, "--output", tmp_path / "out", "--seed", "-1")
    assert done.returncode == 2
    assert "--seed" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


def test_the_demo_writes_a_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from cardioseg.workflows import demo

    small = demo.read_config("tiny").model_copy(update={"epochs": 1})
    monkeypatch.setattr(demo, "read_config", lambda name: small)
    monkeypatch.setattr(demo, "TRAINING_SUBJECTS", 2)
    monkeypatch.setattr(demo, "HELD_OUT_SUBJECTS", 1)
    finished = demo.run_demo(tmp_path / "demo", seed=0)
    page = finished.page.read_text()
    assert "not patients" in page
    assert page.count("data:image/png;base64,") == 3
    assert "LV cavity" in page
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("precious")
    with pytest.raises(demo.OutputExistsError):
        demo.run_demo(tmp_path / "mine", seed=0)
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "precious"


def test_the_readmes_first_example(one: Path) -> None:
    import cardioseg

    predictor = cardioseg.load_model("sax")
    prediction = predictor.predict(cardioseg.read_volume(one))
    reference = one.with_name(one.name.replace(".nii", "_gt.nii"))
    report = cardioseg.evaluate(
        prediction.labels, cardioseg.read_labels(reference, predictor.scheme)
    )
    assert report.mean("dice", "background") is not None


def test_sax_segments_the_patients_that_it_knows(acdc_root: Path) -> None:
    """A guard of the way there and back, no figure: the shipped weights have seen them."""
    import cardioseg
    from cardioseg.data.splits import read_split
    from cardioseg.evaluation import combine, evaluate_case

    predictor = cardioseg.load_model("sax")
    cases = cardioseg.read_dataset(f"acdc:{acdc_root}").cases
    chosen = read_split(acdc_root / "splits.json").cases(cases, "validation")
    report = combine(evaluate_case(predictor.predict(case.image()).labels, case) for case in chosen)
    assert len(report.subjects) == 10
    assert report.mean("dice") > 0.90


def test_options_of_whole_hearts_are_refused_for_stacks(tmp_path):
    answer = run("phantom", "--output", tmp_path / "out", "--validation", 2)
    assert answer.returncode == 2
    assert "go with whole hearts" in " ".join(answer.stderr.split())
    assert not (tmp_path / "out").exists()
