"""`cardioseg tune` as a user runs it: two workers, Ctrl-C, a kill, and what comes out."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.postgresql_server import postgresql

from cardioseg.training.config import read_config
from cardioseg.workflows.phantoms import write_phantoms

pytest.importorskip("optuna")

TINY = """
epochs = 2
batch_size = 8
learning_rate = 5e-3
[plan]
spacing_mm = 8.0
size = [16, 16]
scheme = "acdc"
[plan.network]
widths = [4, 8]
classes = 4
"""

SPACE = """
learning_rate = { low = 1e-4, high = 1e-2, log = true }
plan.network.widths = { choices = [[2, 4], [4, 8]] }
loss.region = { choices = ["dice", "tversky"] }
"""

# A background job of a script starts with Ctrl-C ignored; a person's does not.
PROGRAM = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
if "--no-optuna" in sys.argv:
    sys.argv.remove("--no-optuna")
    sys.modules["optuna"] = None
from cardioseg.__main__ import main
sys.argv = ["cardioseg", *sys.argv[1:]]
main()
"""

MAKE_TABLES = """
import sys
from cardioseg.training.storage import open_study
open_study(sys.argv[1], "hearts")
"""


def start(*arguments: object, storage: str | None = None) -> subprocess.Popen[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    if storage:
        environment["CARDIOSEG_STORAGE"] = storage
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )


def finish(program: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = program.communicate(timeout=300)
    return program.returncode, out, err


def run(*arguments: object, storage: str | None = None) -> tuple[int, str, str]:
    return finish(start(*arguments, storage=storage))


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> tuple[object, ...]:
    """Two synthetic subjects, a tiny network, a small space."""
    folder = tmp_path_factory.mktemp("data")
    write_phantoms(folder / "hearts", 2, seed=1)
    (folder / "tiny.toml").write_text(TINY)
    (folder / "space.toml").write_text(SPACE)
    (folder / "split.json").write_text(
        json.dumps({"training": ["patient001"], "validation": ["patient002"], "test": []})
    )
    return (
        "--config", folder / "tiny.toml", "--data", f"acdc:{folder / 'hearts'}",
        "--split", folder / "split.json", "--space", folder / "space.toml",
    )  # fmt: skip


def table(output: Path) -> list[dict[str, str]]:
    with (output / "trials.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_two_workers_share_one_search_and_train_accepts_its_best(
    options: tuple[object, ...], tmp_path: Path
) -> None:
    output, journal = tmp_path / "search", tmp_path / "search.log"
    command = ("tune", *options, "--output", output, "--trials", 6, "--epochs", 1)
    workers = [start(*command, storage=f"journal:{journal}") for _ in range(2)]
    for worker in workers:
        code, _, err = finish(worker)
        assert code == 0, err
        assert "validation chose, so the best Dice is optimistic" in err
    rows = table(output)
    assert len(rows) == 6, "two workers make no trial too many"
    assert {row["state"] for row in rows} <= {"complete", "pruned"}
    assert len({row["learning_rate"] for row in rows}) == 6, "no value is tried twice"
    assert sorted(path.name for path in (output / "trials").iterdir() if path.is_dir()) == [
        f"{number:04d}" for number in range(6)
    ]
    assert len(list((output / "cache").iterdir())) == 2, "training and validation, prepared once"

    code, out, err = run(*command, "--json", storage=f"journal:{journal}")
    assert code == 0, err
    found = json.loads(out)
    assert found["complete"] + found["pruned"] == 6, "the total is reached already"
    best = rows[found["best_trial"]]
    assert float(best["validation_dice"]) == found["best_validation_dice"]
    assert float(best["validation_dice"]) == max(float(row["validation_dice"]) for row in rows)

    config = read_config(output / "best.toml")
    assert config.epochs == 1
    assert config.learning_rate == found["best_values"]["learning_rate"]
    assert list(config.plan.network.widths) == found["best_values"]["plan.network.widths"]
    assert config.loss.region == found["best_values"]["loss.region"]
    assert "optimistic" in (output / "best.toml").read_text().splitlines()[0]
    for picture in ("history.png", "importance.png"):
        assert (output / picture).stat().st_size > 5_000
    record = json.loads((output / "run.json").read_text())
    assert record["command"] == "tune"
    assert record["storage"] == "journal:***"
    assert record["versions"]["optuna"]
    assert str(tmp_path) not in json.dumps(record)

    data = options[options.index("--data") + 1]
    code, out, err = run(
        "train", "--config", output / "best.toml", "--data", data,
        "--split", options[options.index("--split") + 1], "--output", tmp_path / "run", "--json",
    )  # fmt: skip
    assert code == 0, err
    assert json.loads(out)["best_validation_dice"] == pytest.approx(found["best_validation_dice"])


def wait_for(pattern: str, output: Path, program: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 200
    while not list(output.glob(pattern)) and time.monotonic() < deadline:
        if program.poll() is not None:
            pytest.fail(f"ended early: {finish(program)}")
        time.sleep(0.02)


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_ctrl_c_and_a_kill_leave_a_search_that_goes_on(
    options: tuple[object, ...], tmp_path: Path
) -> None:
    output = tmp_path / "search"
    command = ("tune", *options, "--output", output, "--no-prune", "--trials")
    # Too many epochs to end by itself; the number of epochs is part of what is searched.
    long = (*command, 2, "--epochs", 2000)
    first = start(*long)
    wait_for("trials/0000/checkpoint.safetensors", output, first)
    first.send_signal(signal.SIGINT)
    code, _, err = finish(first)
    assert code == 130
    assert "Traceback" not in err
    second = start(*long)
    wait_for("trials/0001/log.jsonl", output, second)  # written after the checkpoint
    before = len((output / "trials/0001/log.jsonl").read_text().splitlines())
    assert not (output / "trials/0000").exists(), "its folder is the one that repeats it"
    second.kill()
    second.communicate()
    third = start(*long)
    wait_for("trials/0002/config.json", output, third)
    deadline = time.monotonic() + 60
    log = output / "trials/0002/log.jsonl"
    while len(log.read_text().splitlines()) <= before and time.monotonic() < deadline:
        time.sleep(0.02)
    third.kill()
    third.communicate()
    epochs = [json.loads(line)["epoch"] for line in log.read_text().splitlines()]
    assert epochs == list(range(1, len(epochs) + 1)), "no epoch is lost and none is done twice"
    code, _, err = run(*command, 2, "--epochs", 3)
    assert code == 1
    assert "begun with another configuration" in err


def test_what_cannot_be_searched_is_refused_in_one_line(
    options: tuple[object, ...], tmp_path: Path
) -> None:
    output = tmp_path / "search"
    space = tmp_path / "bad.toml"
    space.write_text("learning_rat = { low = 0.1, high = 0.2 }")
    bad_space = list(options)
    bad_space[bad_space.index("--space") + 1] = space
    secret = "postgresql+psycopg://anna:s3cret@127.0.0.1:1/searches"
    for arguments, storage, told in (
        (("tune", *bad_space, "--output", output), None, "bad.toml: learning_rat:"),
        (("tune", *options, "--output", output), secret, "storage postgresql+psycopg://***"),
        (("tune", *options, "--output", space.parent), None, "is not empty and no search"),
        (("tune", *options, "--output", output, "--no-optuna"), None, "cardioseg[tune]"),
    ):
        code, out, err = run(*arguments, storage=storage)
        assert code == 1, err
        assert told in err
        assert "Traceback" not in err
        assert "s3cret" not in err + out
    assert not (output / "search.json").exists()


def test_two_workers_on_two_machines_share_one_search_in_postgresql(
    options: tuple[object, ...], tmp_path: Path
) -> None:
    """Folders of their own, as machines without a shared one have; the study is in a database."""
    with postgresql() as url:
        import psycopg

        subprocess.run([sys.executable, "-c", MAKE_TABLES, url], check=True)
        command = ("tune", *options, "--study", "hearts", "--epochs", 1, "--trials", 2)
        outputs = [tmp_path / "one", tmp_path / "two"]
        workers = []
        with psycopg.connect(url.replace("+psycopg", "")) as held:
            # Nobody gets a trial until both have asked for one: they do ask at the same time.
            held.execute("LOCK TABLE trials IN SHARE MODE")
            for number, output in enumerate(outputs, start=1):
                workers.append(start(*command, "--output", output, storage=url))
                wait_until_asking(number, url, workers[-1])
        password = url.partition("@")[0].rpartition(":")[2]
        for worker in workers:
            code, out, err = finish(worker)
            assert code == 0, err
            assert password not in out + err
        with psycopg.connect(url.replace("+psycopg", "")) as look:
            trials = look.execute("SELECT number, state FROM trials ORDER BY number").fetchall()
    assert [number for number, _ in trials] == list(range(len(trials)))
    assert 2 <= len(trials) <= 3, "one worker may begin a trial while the other's last one runs"
    assert {state for _, state in trials} <= {"COMPLETE", "PRUNED"}
    done = [{int(path.name) for path in (each / "trials").glob("0*")} for each in outputs]
    assert all(done), "both took part"
    assert sorted(done[0] | done[1]) == list(range(len(trials)))
    assert not done[0] & done[1], "no trial is done twice"
    for output in outputs:
        record = json.loads((output / "run.json").read_text())
        assert record["storage"] == "postgresql+psycopg://***"
        assert not (output / "study.db").exists()
        for path in output.rglob("*"):
            assert not path.is_file() or password.encode() not in path.read_bytes(), path


def wait_until_asking(count: int, url: str, worker: subprocess.Popen[str]) -> None:
    """Until so many processes wait for a lock in the database."""
    import psycopg

    asked = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    deadline = time.monotonic() + 200
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as look:
        while look.execute(asked).fetchone() != (count,) and time.monotonic() < deadline:
            if worker.poll() is not None:
                pytest.fail(f"ended early: {finish(worker)}")
            time.sleep(0.05)
