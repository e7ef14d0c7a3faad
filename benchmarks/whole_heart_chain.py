"""`whole-heart` and the experiment beside it, from nothing to figures: one command, resumable.

    python benchmarks/whole_heart_chain.py --output chain
    python benchmarks/whole_heart_chain.py --hvsmr FOLDER --output chain

The first makes phantoms and trains `whole-heart` on them: chain/third/model. The second goes on to
the experiment: hearts of label maps in phantom thoraxes, patient 4's left out, and a training on
them from `whole-heart`'s weights, chain/experiment/model; then both models meet patient 4
(chain/hvsmr and chain/hvsmr-from-labels). FOLDER holds training_axial_crop_pat4.nii.gz, its label,
and labels_full. Started again, it goes on where it stopped.
"""

from __future__ import annotations

import argparse
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
RECIPES = ROOT / "docs" / "results" / "whole-heart"
CARDIOSEG = (sys.executable, "-m", "cardioseg")
MEASURE = (sys.executable, str(Path(__file__).with_name("whole_heart.py")))
LEFT_OUT = "pat4"

Run = Callable[[Sequence[str]], None]


@dataclass(frozen=True)
class Step:
    """One command and the folder that it fills.

    Parameters
    ----------
    output
        The folder.
    command
        All of the command but `--output`.
    done
        File of the folder that the command writes last.
    resumable
        Whether it goes on with `--resume` where it stopped; if not, it begins anew.
    """

    output: Path
    command: tuple[str, ...]
    done: str = "run.json"
    resumable: bool = False

    def run(self, run: Run) -> None:
        """Run what is left of it, if anything."""
        if (self.output / self.done).is_file():
            return
        command = [*self.command, "--output", str(self.output)]
        if self.resumable and (self.output / "config.json").is_file():
            command.append("--resume")
        elif self.output.is_dir():
            shutil.rmtree(self.output)
        run(command)


def steps(output: Path, hvsmr: Path | None) -> Iterator[Step]:
    """Everything in order; without `hvsmr` what makes `whole-heart`."""
    yield _phantoms(output / "hearts", 160, 1)
    yield _training(output / "first", "whole-heart", output / "hearts")
    yield _phantoms(output / "hearts-5", 260, 5)
    longer = str(RECIPES / "longer.toml")
    yield _training(output / "second", longer, output / "hearts-5", output / "first")
    yield _phantoms(output / "hearts-6", 260, 6)
    yield _training(output / "third", longer, output / "hearts-6", output / "second")
    if hvsmr is None:
        return
    labels = ("--from-labels", str(hvsmr / "labels_full"), "--leave-out", LEFT_OUT)
    yield _phantoms(output / "implanted", 192, 2, labels)
    recipe = str(RECIPES / "from-labels.toml")
    yield _training(output / "experiment", recipe, output / "implanted", output / "third")
    for name, folder, mirrors in (
        ("hvsmr", "third", ()),
        ("hvsmr-from-labels", "experiment", ()),
        ("hvsmr-from-labels-mirrors", "experiment", ("--mirrors",)),
    ):
        model = str(output / folder / "model")
        command = (*MEASURE, f"hvsmr:{hvsmr}", "--model", model, *mirrors)
        yield Step(output / name, command, done="report_slices.csv")


def _phantoms(
    output: Path, count: int, seed: int, source: Sequence[str] = ("--whole-heart",)
) -> Step:
    drawn = ("--count", str(count), "--seed", str(seed), "--validation", "6")
    return Step(output, (*CARDIOSEG, "phantom", *source, *drawn))


def _training(output: Path, recipe: str, data: Path, start: Path | None = None) -> Step:
    command = (*CARDIOSEG, "train", "--config", recipe, "--data", f"nnunet:{data}")
    command += ("--split", str(data / "split.json"))
    if start is not None:
        command += ("--start-from", str(start))
    return Step(output, command, resumable=True)


def loudly(command: Sequence[str]) -> None:
    """Run a command, which is shown; whatever it says stands below."""
    print(shlex.join(command), file=sys.stderr, flush=True)
    if code := subprocess.run(command, check=False).returncode:
        raise SystemExit(f"error: this step ended with code {code}; mend that and start again")


def main(arguments: Sequence[str] | None = None, run: Run = loudly) -> None:
    """Every step that is not done."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--hvsmr", type=Path, help="folder of patient 4 and of label maps")
    parser.add_argument("--output", type=Path, required=True, help="folder; the same one goes on")
    options = parser.parse_args(arguments)
    for step in steps(options.output, options.hvsmr):
        step.run(run)


if __name__ == "__main__":
    main()
