"""`observers`: how far observers agree, and where a model lies among them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cardioseg.cli.console import Bar, result, say


def observers(
    folders: Annotated[
        list[Path],
        typer.Argument(help="A folder of label maps for each observer.", metavar="FOLDER..."),
    ],
    model_folder: Annotated[
        Path | None, typer.Option("--model-folder", help="Label maps of a model, to be placed.")
    ] = None,
    scheme: Annotated[
        str,
        typer.Option(
            "--scheme",
            help="Numbering of all; labels whose header tells another are merged into it; "
            "default: label 1, label 2, ...",
        ),
    ] = "",
    images: Annotated[
        Path | None, typer.Option("--images", help="Images, for the picture of outlines.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", help="Folder for tables and pictures.")
    ] = None,
    write_consensus: Annotated[
        bool, typer.Option("--write-consensus", help="Write STAPLE and majority label maps.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite a study that is there.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the study as JSON.")] = False,
) -> None:
    """Compare observers' label maps of the same cases, matched by file name.

    Examples:
      cardioseg observers A/ B/ C/ --scheme acdc --output agreement

      cardioseg observers A/ B/ C/ --model-folder PRED/ --scheme acdc --output agreement
    """
    from cardioseg.core.labels import scheme_named
    from cardioseg.workflows.observer_files import ObserverFolders
    from cardioseg.workflows.observers import compare_observers

    chosen = scheme_named(scheme) if scheme else None
    with Bar("comparing") as bar:
        observed = compare_observers(
            ObserverFolders(tuple(folders), model_folder, chosen, images),
            output,
            write_consensus=write_consensus,
            force=force,
            watch=bar.show,
        )
    for note in observed.told.notes:
        say(f"note: {note}")
    result(observed.to_json() if as_json else observed.document)
