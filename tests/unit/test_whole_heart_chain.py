"""The experiment's chain: every step in order, none twice, patient 4 kept out of training."""

from __future__ import annotations

from pathlib import Path

import pytest
from benchmarks.whole_heart_chain import main


class Shell:
    """Notes commands down and leaves what they leave; stops at the `stop`-th."""

    def __init__(self, stop: int | None = None) -> None:
        self.commands: list[list[str]] = []
        self.stop = stop

    def __call__(self, command) -> None:
        self.commands.append([*command][2:])
        place = Path(command[command.index("--output") + 1])
        place.mkdir(parents=True, exist_ok=True)
        if "train" in command:
            (place / "config.json").touch()
        if len(self.commands) == self.stop:
            raise SystemExit("killed")
        (place / ("report_slices.csv" if "--model" in command else "run.json")).touch()

    def told(self) -> list[str]:
        return [Path(each[each.index("--output") + 1]).name for each in self.commands]


SHIPPED = ["hearts", "first", "hearts-5", "second", "hearts-6", "third"]
EXPERIMENT = ["implanted", "experiment"]
FIGURES = ["hvsmr", "hvsmr-from-labels", "hvsmr-from-labels-mirrors"]


def test_the_shipped_model_meets_no_patient(tmp_path) -> None:
    shell = Shell()
    main(["--output", str(tmp_path)], shell)
    assert shell.told() == SHIPPED
    assert not any("--from-labels" in each for each in shell.commands)


def test_the_experiment_leaves_patient_4_out_of_what_it_learns_from(tmp_path) -> None:
    shell = Shell()
    main(["--output", str(tmp_path), "--hvsmr", "scans"], shell)
    assert shell.told() == SHIPPED + EXPERIMENT + FIGURES
    (implanted,) = (each for each in shell.commands if "--from-labels" in each)
    assert implanted[implanted.index("--leave-out") + 1] == "pat4"
    trainings = [each for each in shell.commands if "train" in each]
    data = [each[each.index("--data") + 1] for each in trainings]
    assert all(each.startswith(f"nnunet:{tmp_path}") for each in data)
    starts = [each[each.index("--start-from") + 1] for each in trainings[1:]]
    assert [Path(each).name for each in starts] == ["first", "second", "third"]


@pytest.mark.parametrize(("stop", "resumed"), [(3, False), (4, True)])
def test_it_goes_on_where_it_stopped(tmp_path, stop, resumed) -> None:
    killed = Shell(stop)
    with pytest.raises(SystemExit):
        main(["--output", str(tmp_path)], killed)
    (tmp_path / SHIPPED[stop - 1] / "half").touch()
    again = Shell()
    main(["--output", str(tmp_path)], again)
    assert again.told() == SHIPPED[stop - 1 :]
    assert ("--resume" in again.commands[0]) == resumed
    # Phantoms that are not whole are made anew; a training goes on in its folder.
    assert (tmp_path / SHIPPED[stop - 1] / "half").exists() == resumed
    done = Shell()
    main(["--output", str(tmp_path)], done)
    assert done.commands == []


def test_a_training_that_was_stopped_before_it_began_begins_anew(tmp_path) -> None:
    (tmp_path / "hearts").mkdir()
    (tmp_path / "hearts" / "run.json").touch()
    (tmp_path / "first" / "cache").mkdir(parents=True)
    shell = Shell()
    main(["--output", str(tmp_path)], shell)
    assert shell.told() == SHIPPED[1:]
    assert "--resume" not in shell.commands[0]
