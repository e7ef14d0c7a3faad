"""The search with a training that only pretends: pruning, stops, refusals, storages."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from tests.in_process import run

optuna = pytest.importorskip("optuna")
from sqlalchemy.exc import OperationalError  # noqa: E402

from cardioseg.errors import ConfigError, DivergenceError  # noqa: E402
from cardioseg.training.checkpoint import CHECKPOINT, Progress  # noqa: E402
from cardioseg.training.config import PRESETS, read_config  # noqa: E402
from cardioseg.training.fit import LOG  # noqa: E402
from cardioseg.training.override import overridden  # noqa: E402
from cardioseg.training.space import Choices, Range, Space  # noqa: E402
from cardioseg.training.storage import kept_in, masked, open_study, sqlite_url  # noqa: E402
from cardioseg.training.trials import best_of, importances, trials_of  # noqa: E402
from cardioseg.training.tune import Search, TrialWatch, bind, run_search  # noqa: E402

SPACE = Space(
    {
        "learning_rate": Range(low=1e-4, high=1e-2, log=True),
        "batch_size": Range(low=2, high=16),
        "plan.network.widths": Choices(choices=([4, 8], [8, 16])),
    }
)
BASE = overridden(read_config("tiny"), {"epochs": 8, "validate_every": 2})


@pytest.mark.parametrize("command", ["train", "tune"])
def test_the_help_names_every_preset(capsys, command) -> None:
    assert run(command, "--help") == 0
    assert f"({','.join(PRESETS)})" in "".join(capsys.readouterr().out.split())


class StoppedError(BaseException):
    """Stands for Ctrl-C or a power cut: nothing catches it."""


def pretend(config, folder, watch):
    """A training whose Dice grows with epoch and batch; it leaves what `fit` leaves."""
    log = folder / LOG
    lines = log.read_text().splitlines() if (folder / CHECKPOINT).exists() else []
    for epoch in range(len(lines) + 1, config.epochs + 1):
        record = {"epoch": epoch, "loss": 1.0}
        if epoch % config.validate_every == 0:
            record["dice"] = config.batch_size * epoch / 200
        lines.append(json.dumps(record))
        (folder / CHECKPOINT).write_bytes(b"weights")
        log.write_text("\n".join(lines))
        watch.epoch(record)
    return Progress(best_dice=config.batch_size * config.epochs / 200)


def stopping_in(stopped_epoch):
    """The same, stopped from outside after that epoch."""

    def train(config, folder, watch):
        def told(record):
            watch.epoch(record)
            if record["epoch"] == stopped_epoch:
                raise StoppedError

        return pretend(config, folder, type(watch)(watch.step, told))

    return train


@pytest.fixture
def study():
    """In memory: a database waits for the disk at every step."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna.create_study(direction="maximize")


def go(study, folder, trials, train=pretend, **values):
    search = Search(BASE, SPACE, trials, **{"startup_trials": 2, **values})
    run_search(study, search, folder / "trials", train, TrialWatch())
    return trials_of(study, SPACE)


def test_the_best_is_found_and_the_hopeless_are_given_up(study, tmp_path):
    trials = go(study, tmp_path, 16)
    assert [each.number for each in trials] == list(range(16))
    states = [each.state for each in trials]
    assert states[:2] == ["complete", "complete"], "the first are never pruned"
    assert {"complete", "pruned"} == set(states)
    best = best_of(trials)
    assert best.values["batch_size"] == max(each.values["batch_size"] for each in trials)
    assert best.dice == pytest.approx(best.values["batch_size"] * 8 / 200)
    assert best.best_epoch == 8
    assert best.values["plan.network.widths"] in ([4, 8], [8, 16]), "a list is a list again"
    for each in trials:
        assert max(each.curve) == (8 if each.state == "complete" else 2)
    kept = [path.name for path in (tmp_path / "trials" / "0000").iterdir()]
    assert CHECKPOINT not in kept
    assert {"config.json", LOG} <= set(kept)
    shares = importances(study)
    assert set(shares) == set(SPACE.parameters)
    assert sum(shares.values()) == pytest.approx(1)


def test_without_pruning_every_trial_runs_to_its_end(study, tmp_path):
    assert {each.state for each in go(study, tmp_path, 8, prune=False)} == {"complete"}


@pytest.mark.parametrize("epochs", [14, 16])
def test_nobody_is_pruned_in_the_first_quarter(study, tmp_path, epochs):
    long = overridden(BASE, {"epochs": epochs})
    search = Search(long, SPACE, 12, startup_trials=1)
    run_search(study, search, tmp_path / "trials", pretend, TrialWatch())
    pruned = [each for each in trials_of(study, SPACE) if each.state == "pruned"]
    assert pruned
    assert all(max(each.curve) >= 4 for each in pruned)


def test_a_second_sitting_goes_on_to_the_total_and_draws_other_values(tmp_path):
    first = go(open_study(sqlite_url(tmp_path / "study.db"), "test"), tmp_path, 3)
    assert len(first) == 3
    again = open_study(sqlite_url(tmp_path / "study.db"), "test")
    assert len(go(again, tmp_path, 3)) == 3, "nothing is left to do"
    both = go(again, tmp_path, 6)
    assert both[:3] == first
    rates = {each.values["learning_rate"] for each in both}
    assert len(rates) == 6, "a sitting does not repeat the draws of the one before"


def test_two_sittings_draw_what_one_draws(study, tmp_path):
    go(study, tmp_path, 2)
    split = go(study, tmp_path, 4)
    other = optuna.create_study(direction="maximize")
    (tmp_path / "other").mkdir()
    whole = go(other, tmp_path / "other", 4)
    assert [each.values for each in split] == [each.values for each in whole]


def test_a_search_with_a_stop_inside_a_trial_draws_what_one_without_draws(study, tmp_path):
    go(study, tmp_path, 2)
    with pytest.raises(StoppedError):
        go(study, tmp_path, 6, train=stopping_in(3), prune=False)
    stopped = [each for each in go(study, tmp_path, 6, prune=False) if each.state != "failed"]
    other = optuna.create_study(direction="maximize")
    (tmp_path / "other").mkdir()
    go(other, tmp_path / "other", 2)
    whole = go(other, tmp_path / "other", 6, prune=False)
    assert [each.values for each in stopped] == [each.values for each in whole]


def test_values_that_cannot_be_trained_with_are_an_answer(study, tmp_path):
    def diverging(config, folder, watch):
        if config.learning_rate > 1e-3:
            raise DivergenceError("epoch 1, step 1: the loss is nan")
        return pretend(config, folder, watch)

    states = {}
    for each in go(study, tmp_path, 8, train=diverging, prune=False):
        states.setdefault(each.values["learning_rate"] > 1e-3, set()).add(each.state)
    assert states == {True: {"pruned"}, False: {"complete"}}


def test_a_trial_stopped_from_outside_is_marked_and_taken_up_where_it_was(study, tmp_path):
    with pytest.raises(StoppedError):
        go(study, tmp_path, 2, stopping_in(4))
    (left,) = trials_of(study, SPACE)
    assert left.state == "running"
    epochs = []

    def counting(config, folder, watch):
        def told(record):
            epochs.append(record["epoch"])
            watch.epoch(record)

        return pretend(config, folder, type(watch)(watch.step, told))

    trials = go(study, tmp_path, 1, counting)
    assert [each.state for each in trials] == ["failed", "complete"]
    assert trials[1].note == "repeats trial 0"
    assert trials[1].values == left.values
    assert epochs == [5, 6, 7, 8], "epochs before the stop are not trained again"
    assert list(trials[1].curve) == [2, 4, 6, 8], "but they are in its record"
    assert not (tmp_path / "trials" / "0000").exists()
    assert len(go(study, tmp_path, 2)) == 3, "a stopped trial does not count"


def test_a_trial_that_another_process_works_on_is_left_alone(study, tmp_path):
    trial = study.ask()
    place = tmp_path / "trials" / f"{trial.number:04d}"
    place.mkdir(parents=True)
    holding = (
        "import sys\nfrom filelock import FileLock\n"
        "with FileLock(sys.argv[1]):\n    print('held', flush=True)\n    sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", holding, str(place / "lock")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as other:
        other.stdout.readline()
        assert [t.state for t in go(study, tmp_path, 2)] == ["running", "complete"]
        other.kill()
        other.wait()
    states = [each.state for each in go(study, tmp_path, 2)]
    assert states == ["failed", "complete", "complete"], "when that process dies it is taken up"


def test_a_training_that_fails_ends_the_search_and_is_noted(study, tmp_path):
    def broken(config, folder, watch):
        raise RuntimeError("out of paper")

    with pytest.raises(RuntimeError, match="out of paper"):
        go(study, tmp_path, 2, broken)
    (failed,) = trials_of(study, SPACE)
    assert (failed.state, failed.note) == ("failed", "RuntimeError: out of paper")
    assert len(go(study, tmp_path, 1)) == 2


def test_values_that_do_not_go_together_are_pruned_with_the_reason(study, tmp_path):
    space = Space(
        {
            "optimiser": Choices(choices=("adam", "adamw")),
            "weight_decay": Choices(choices=(0.0, 0.1)),
        }
    )
    search = Search(BASE, space, 12, startup_trials=1)
    run_search(study, search, tmp_path / "trials", pretend, TrialWatch())
    trials = trials_of(study, space)
    assert len(trials) == 12
    wrong = [each for each in trials if each.note]
    assert wrong
    assert {tuple(each.values.values()) for each in wrong} == {("adam", 0.1)}
    assert {each.state for each in wrong} == {"pruned"}
    assert all("adamw" in each.note and each.dice is None for each in wrong)


def test_importance_needs_trials(study, tmp_path):
    go(study, tmp_path, 3)
    assert importances(study) == {}


def test_a_study_searches_one_thing_only(study):
    asked = {"configuration": "a", "data": "b"}
    identity = bind(study, asked)
    assert bind(study, asked) == identity
    with pytest.raises(ConfigError, match="begun with another configuration and data; give"):
        bind(study, {"configuration": "c", "data": "d"})
    study.ask()
    assert bind(study, asked) == identity


def test_a_key_that_is_new_since_a_search_was_begun_has_its_default(study):
    earlier = BASE.model_dump(mode="json")
    assert earlier.pop("accumulate") == 1
    identity = bind(study, {"configuration": json.dumps(earlier), "data": "b"})
    assert bind(study, {"configuration": BASE.model_dump_json(), "data": "b"}) == identity
    other = overridden(BASE, {"accumulate": 2})
    with pytest.raises(ConfigError, match="begun with another configuration; give"):
        bind(study, {"configuration": other.model_dump_json(), "data": "b"})


def test_a_study_of_another_program_is_refused(study):
    study.ask()
    with pytest.raises(ConfigError, match="begun with another configuration"):
        bind(study, {"configuration": "a"})


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("nonsense", "not a storage URL; give one of sqlite:///FILE"),
        ("mysql://anna:s3cret@host/db", r"mysql://\*\*\*: not supported; give one of"),
        ("journal:", "names no file"),
        ("journal:/nowhere/at/all", "cannot be opened: .*No such file"),
        ("sqlite:////nowhere/at/all.db", "cannot be opened: .*unable to open"),
        ("postgresql+psycopg://anna:s3cret@127.0.0.1:1/db", "cannot be opened"),
        ("postgresql+psycopg://anna:s3cret@127.0.0.1:x/db", "not a storage URL"),
        ("postgresql+psycopg://a@127.0.0.1:1/db?connect_timeout=s3cret", "cannot be opened"),
    ],
)
def test_a_storage_that_cannot_be_is_refused_without_its_secret(url, told):
    with pytest.raises(ConfigError, match=told) as caught:
        open_study(url, "test")
    assert "s3cret" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("form", ["sqlite:///{}", "journal:{}"])
def test_a_file_that_is_no_storage_is_refused(tmp_path, form):
    path = tmp_path / "thesis.txt"
    path.write_text("precious\n" * 200)
    with pytest.raises(ConfigError, match="cannot be opened"):
        open_study(form.format(path), "test")
    assert path.read_text() == "precious\n" * 200


def test_a_storage_lost_on_the_way_is_told_in_one_line_without_its_secret():
    url = "postgresql+psycopg://anna:s3cret@host/db"
    told = r"was lost: .*same command again to go on"
    with pytest.raises(ConfigError, match=told) as caught, kept_in(url):
        raise OperationalError("select", {}, Exception(f"no route to {url}"))
    assert "s3cret" not in str(caught.value)


def test_only_the_kind_of_a_storage_is_told():
    assert masked("sqlite:////home/anna/study.db") == "sqlite://***"
    assert masked("journal:/home/anna/s.log") == "journal:***"
    assert masked("postgresql+psycopg://anna:s3cret@h/d?password=x") == "postgresql+psycopg://***"
    assert masked("s3cret") == "***"


def test_a_journal_file_holds_a_study(tmp_path):
    url = f"journal:{tmp_path / 'search.log'}"
    first = go(open_study(url, "test"), tmp_path, 2)
    assert go(open_study(url, "test"), tmp_path, 3)[:2] == first
