"""`train`, `cross-validate` and `reproduce`: from a data set to model folders."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from cardioseg.cli.console import EXIT_SOME_FAILED, Bar, result, result_json
from cardioseg.errors import MissingExtraError

if TYPE_CHECKING:
    from cardioseg.training.fit import Step
    from cardioseg.workflows.train import Listener


def train(
    config: Annotated[
        str, typer.Option(help="Preset (paper, fast, sax, tiny, whole-heart) or a TOML file.")
    ],
    data: Annotated[str, typer.Option(help="Data set, such as acdc:FOLDER.")],
    output: Annotated[Path, typer.Option(help="Run directory.")],
    split: Annotated[
        str, typer.Option(help="subjects, slices (leaks: for comparison only) or FILE.json.")
    ] = "subjects",
    resume: Annotated[bool, typer.Option("--resume", help="Continue a run that stopped.")] = False,
    start_from: Annotated[
        Path | None,
        typer.Option("--start-from", help="Run directory whose best weights are the first."),
    ] = None,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Also log to OUTPUT/tensorboard.")
    ] = False,
    device: Annotated[
        str, typer.Option(help="cpu, cuda, or auto: GPUs where torchrun has one a process.")
    ] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Train a network and write OUTPUT/model.

    Several processes that torchrun starts share the work of each step.

    Examples:
      cardioseg train --config fast --data acdc:FOLDER --output run

      cardioseg train --config my.toml --data acdc:FOLDER --split split.json --output run --resume

      cardioseg train --config my.toml --data acdc:FOLDER --start-from run --output finer

      torchrun --nproc-per-node 2 -m cardioseg train --config fast --data acdc:FOLDER --output run
    """
    from cardioseg.datasets import read_dataset

    try:
        from cardioseg.training.config import read_config
        from cardioseg.training.distributed import this_process
        from cardioseg.training.log import TensorBoardLog
        from cardioseg.workflows.train import Start, assist
        from cardioseg.workflows.train import train as run
    except ImportError as error:
        raise MissingExtraError("training", "train") from error

    settings = read_config(config)
    start = Start(resume, start_from, this_process(device))
    if not start.processes.is_first:
        assist(settings, output, start)
        return
    dataset = read_dataset(data)
    board = TensorBoardLog(output / "tensorboard") if tensorboard else None
    with Bar("training") as bar:
        listener = _listener(bar, settings.epochs, board)
        trained = run(settings, dataset, split, output, start=start, listener=listener)
    progress = trained.progress
    if as_json:
        result_json(
            {
                "model_id": trained.model.id,
                "epochs": progress.epoch,
                "best_validation_dice": None if progress.best_dice < 0 else progress.best_dice,
                "seconds": progress.seconds,
            }
        )
        return
    if progress.best_dice < 0:
        result(f"{output / 'model'}: not validated, {progress.seconds / 60:.1f} minutes")
        return
    result(
        f"{output / 'model'}: validation Dice {progress.best_dice:.4f} on prepared slices "
        f"(epoch {progress.best_epoch}), {progress.seconds / 60:.1f} minutes"
    )


def cross_validate(
    config: Annotated[
        str, typer.Option(help="Preset (paper, fast, sax, tiny, whole-heart) or a TOML file.")
    ],
    data: Annotated[str, typer.Option(help="Data set, such as acdc:FOLDER.")],
    output: Annotated[Path, typer.Option(help="Folder of the folds; given again, it goes on.")],
    folds: Annotated[int, typer.Option(help="Number of folds.", min=2)] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Train one network a fold; measure each on the patients that it did not see.

    OUTPUT/report has every patient's figures. The held-out patients also choose the epoch of their
    fold's network and its temperature: Dice may be a little optimistic, cross-entropy is. Ctrl-C
    leaves folds that the same command continues.

    Example:
      cardioseg cross-validate --config fast --data acdc:FOLDER --folds 5 --output folds
    """
    from cardioseg.datasets import read_dataset

    try:
        from cardioseg.training.config import read_config
        from cardioseg.workflows.folds import cross_validate as run
    except ImportError as error:
        raise MissingExtraError("training", "train") from error
    import json

    settings = read_config(config)
    dataset = read_dataset(data)
    with Bar("training") as bar:
        report = run(settings, dataset, folds, output, _listener(bar, settings.epochs))
    if as_json:
        result_json(json.loads(report.to_json())["summary"])
    else:
        result(report.to_markdown())


def _listener(
    bar: Bar, epochs: int, board: Callable[[Mapping[str, float]], None] | None = None
) -> Listener:
    """Steps move the bar, epochs are lines above it, and records for the board if there is one."""
    from cardioseg.training.fit import Watch
    from cardioseg.workflows.train import Listener

    def show(step: Step) -> None:
        done = (step.epoch - 1) * step.steps + step.step
        note = f"epoch {step.epoch}/{step.epochs}, loss {step.loss:.3f}"
        bar.show(done, step.epochs * step.steps, note)

    def epoch(record: Mapping[str, float]) -> None:
        bar.tell(_epoch_line(record, epochs))
        if board:
            board(record)

    return Listener(bar.tell, Watch(step=show, epoch=epoch))


def _epoch_line(record: Mapping[str, float], epochs: int) -> str:
    dice = f", validation Dice {record['dice']:.4f}" if "dice" in record else ""
    return (
        f"epoch {record['epoch']:.0f}/{epochs}: loss {record['loss']:.4f}{dice}, "
        f"{record['seconds']:.0f} s"
    )


def reproduce(
    run: Annotated[Path, typer.Argument(help="Run directory that `train` wrote.")],
    output: Annotated[
        Path | None, typer.Option(help="Folder for the repeated run; else a temporary one.")
    ] = None,
    data: Annotated[
        str, typer.Option(help="Where the data lies now, if it was moved: KIND:FOLDER.")
    ] = "",
    start_from: Annotated[
        Path | None,
        typer.Option("--start-from", help="Run whose weights this one began with, if it did."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Repeat a training run and say whether it gives the same weights, bit for bit.

    The run's configuration, split and number of threads are taken, and its data after a check of
    the digests. The exit code is 0 where the weights are identical, 3 where they are not.

    Examples:
      cardioseg reproduce run

      cardioseg reproduce run --data acdc:MOVED --output again --json
    """
    try:
        from cardioseg.workflows.reproduce import read_recorded
        from cardioseg.workflows.reproduce import reproduce as repeat
    except ImportError as error:
        raise MissingExtraError("training", "train") from error

    epochs = read_recorded(run, data).config.epochs
    with TemporaryDirectory() as temporary, Bar("training") as bar:
        place = output or Path(temporary) / "run"
        found = repeat(run, place, data, start_from, _listener(bar, epochs))
    if as_json:
        result_json(found.to_dict())
    else:
        result(found.to_text())
    if not found.identical:
        raise SystemExit(EXIT_SOME_FAILED)
