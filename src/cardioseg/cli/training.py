"""`train`: from a data set to a model folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cardioseg.cli.console import Bar, result, result_json
from cardioseg.errors import MissingExtraError

if TYPE_CHECKING:
    from cardioseg.training.fit import Step


def train(
    config: Annotated[str, typer.Option(help="Preset (paper, fast, sax, tiny) or a TOML file.")],
    data: Annotated[str, typer.Option(help="Data set, such as acdc:FOLDER.")],
    output: Annotated[Path, typer.Option(help="Run directory.")],
    split: Annotated[
        str, typer.Option(help="subjects, slices (leaks: for comparison only) or FILE.json.")
    ] = "subjects",
    resume: Annotated[bool, typer.Option("--resume", help="Continue a run that stopped.")] = False,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Also log to OUTPUT/tensorboard.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Train a network and write OUTPUT/model.

    Examples:
      cardioseg train --config fast --data acdc:FOLDER --output run

      cardioseg train --config my.toml --data acdc:FOLDER --split split.json --output run --resume
    """
    from cardioseg.datasets import read_dataset

    try:
        from cardioseg.training.config import read_config
        from cardioseg.training.fit import Watch
        from cardioseg.training.log import TensorBoardLog
        from cardioseg.workflows.train import Listener
        from cardioseg.workflows.train import train as run
    except ImportError as error:
        raise MissingExtraError("training", "train") from error

    settings = read_config(config)
    dataset = read_dataset(data)
    with Bar("training") as bar:

        def show(step: Step) -> None:
            done = (step.epoch - 1) * step.steps + step.step
            note = f"epoch {step.epoch}/{step.epochs}, loss {step.loss:.3f}"
            bar.show(done, step.epochs * step.steps, note)

        epoch = {"epoch": TensorBoardLog(output / "tensorboard")} if tensorboard else {}
        listener = Listener(bar.tell, Watch(step=show, **epoch))
        trained = run(settings, dataset, split, output, resume=resume, listener=listener)
    progress = trained.progress
    if as_json:
        result_json(
            {
                "model_id": trained.model.id,
                "epochs": progress.epoch,
                "best_validation_dice": progress.best_dice,
                "seconds": progress.seconds,
            }
        )
        return
    result(
        f"{output / 'model'}: validation Dice {progress.best_dice:.4f} on prepared slices "
        f"(epoch {progress.best_epoch}), {progress.seconds / 60:.1f} minutes"
    )
