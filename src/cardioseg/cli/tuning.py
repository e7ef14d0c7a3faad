"""`tune`: search a training's values; validation chooses."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cardioseg.cli.console import Bar, fail, result, result_json, say
from cardioseg.errors import MissingExtraError


def tune(
    config: Annotated[
        str,
        typer.Option(help="Base: a preset (paper, fast, sax, tiny, whole-heart) or a TOML file."),
    ],
    data: Annotated[str, typer.Option(help="Data set, such as acdc:FOLDER.")],
    output: Annotated[Path, typer.Option(help="Folder of the search; given again, it goes on.")],
    split: Annotated[
        str, typer.Option(help="subjects, slices (leaks: for comparison only) or FILE.json.")
    ] = "subjects",
    trials: Annotated[
        int, typer.Option(min=1, help="Trials in all, earlier sittings and pruned ones included.")
    ] = 20,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Epochs of a trial; without it, the base's.")
    ] = None,
    space: Annotated[
        Path | None,
        typer.Option(help="TOML of keys and values; without it, learning rate, batch, dropout."),
    ] = None,
    storage: Annotated[
        str | None,
        typer.Option(
            envvar="CARDIOSEG_STORAGE",
            show_default="sqlite:///OUTPUT/study.db",
            help="sqlite:///FILE, postgresql+psycopg://USER:PASSWORD@HOST/DATABASE, journal:FILE.",
        ),
    ] = None,
    study: Annotated[str, typer.Option(help="Name of the study in the storage.")] = "tune",
    sampler_seed: Annotated[int, typer.Option(min=0, help="Seed of what is drawn.")] = 0,
    startup_trials: Annotated[
        int, typer.Option(min=1, help="Complete trials before any is pruned.")
    ] = 5,
    prune: Annotated[
        bool, typer.Option(help="Give up trials whose Dice is below the others' median.")
    ] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Search learning rate, batch size, dropout or any other key of a training.

    The validation patients choose: the best trial's Dice is optimistic, and a claim needs patients
    that took no part. Ctrl-C leaves a search that the same command continues. OUTPUT gets best.toml
    for `train --config`, trials.csv, history.png and importance.png.

    Examples:
      cardioseg tune --config fast --data acdc:FOLDER --split split.json --output search --trials 20

      cardioseg tune --config fast --data acdc:FOLDER --output search --epochs 10 --space space.toml

      cardioseg tune --config fast --data acdc:FOLDER --output search --storage journal:search.log
    """
    from cardioseg.datasets import read_dataset

    try:
        from cardioseg.training.config import read_config
        from cardioseg.training.override import overridden
        from cardioseg.training.space import read_space
        from cardioseg.training.tune import Search
        from cardioseg.workflows.search_results import BEST
        from cardioseg.workflows.tune import Place, TuneListener
        from cardioseg.workflows.tune import tune as run
    except ImportError as error:
        library = (error.name or "").partition(".")[0]
        extra = "tune" if library in ("optuna", "sqlalchemy", "filelock", "tomli_w") else "train"
        raise MissingExtraError("searching", extra) from error

    base = read_config(config)
    if epochs is not None:
        base = overridden(base, {"epochs": epochs})
    search = Search(base, read_space(space), trials, startup_trials, prune, sampler_seed)
    dataset = read_dataset(data)
    place = Place(output, storage, study)
    with Bar("searching") as bar:
        found = run(search, dataset, split, place, TuneListener(bar.tell, bar.show))
    counted = f"{found.count('complete')} trials complete, {found.count('pruned')} pruned"
    best = found.best
    if best is None or best.dice is None:
        fail(f"{output}: {counted}; none is complete, so there is no best configuration")
    if as_json:
        result_json(
            {
                "best_config": str(output / BEST),
                "best_trial": best.number,
                "best_validation_dice": best.dice,
                "best_values": dict(best.values),
                "complete": found.count("complete"),
                "pruned": found.count("pruned"),
            }
        )
        return
    say(f"{counted}; validation chose, so the best Dice is optimistic")
    values = ", ".join(f"{key} = {value}" for key, value in best.values.items())
    result(f"{output / BEST}: trial {best.number}, validation Dice {best.dice:.4f}, {values}")
