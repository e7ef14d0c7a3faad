"""`evaluate` and `compare`: figures of predictions against references."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cardioseg.cli.console import Bar, result, result_json, say
from cardioseg.errors import MissingExtraError

if TYPE_CHECKING:
    from cardioseg.workflows.evaluate import EvaluationOptions

SchemeName = Annotated[
    str, typer.Option("--scheme", help="Numbering of both, where no header tells it.")
]
ReadAs = Annotated[str, typer.Option("--read-as", help="Merge both into this scheme first.")]
Scores = Annotated[
    Path | None, typer.Option("--scores", help="Folder of probabilities, for the cross-entropy.")
]
Subjects = Annotated[
    Path | None, typer.Option("--subjects", help="CSV with the columns case and subject.")
]
CountMissing = Annotated[
    bool,
    typer.Option(
        "--count-missing", help="A reference without a prediction counts as nothing found."
    ),
]
Output = Annotated[Path, typer.Option("--output", help="Folder for the report.")]
Force = Annotated[bool, typer.Option("--force", help="Overwrite a report that is there.")]


def evaluate(
    predictions: Annotated[Path, typer.Argument(help="Label map or folder.")],
    references: Annotated[Path, typer.Argument(help="Label map or folder, read recursively.")],
    scheme: SchemeName,
    output: Output,
    read_as: ReadAs = "",
    scores: Scores = None,
    subjects: Subjects = None,
    count_missing: CountMissing = False,
    force: Force = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Measure predictions against references, matched by file name.

    Examples:
      cardioseg evaluate out acdc/training --scheme acdc --output report

      cardioseg evaluate out acdc/training --scheme acdc --read-as myocardium_blood --output report
    """
    import json

    from cardioseg.workflows.evaluate import REPORT_MD, evaluate_files

    options = replace(_options(scheme, read_as, scores, subjects), count_missing=count_missing)
    with Bar("measuring") as bar:
        done = evaluate_files(
            predictions,
            references,
            options,
            output,
            force=force,
            watch=bar.show,
        )
    _warn_of_missing(done.unmatched, "no prediction", count_missing=count_missing)
    if as_json:
        result_json(json.loads(done.report.to_json())["summary"])
    else:
        result((output / REPORT_MD).read_text(encoding="utf-8"))


def compare(
    first: Annotated[
        str, typer.Argument(help="Folder of predictions; or a study.", metavar="A | STUDY")
    ],
    output: Output,
    second: Annotated[
        Path | None, typer.Argument(help="Folder of predictions.", metavar="B")
    ] = None,
    references: Annotated[
        Path | None, typer.Argument(help="Folder of references.", metavar="REFERENCES")
    ] = None,
    scheme: SchemeName = "",
    read_as: ReadAs = "",
    images: Annotated[
        Path | None, typer.Option(help="Folder of images: pictures of best, median and worst.")
    ] = None,
    subjects: Subjects = None,
    count_missing: CountMissing = False,
    force: Force = False,
    data: Annotated[str, typer.Option(help="Of a study: data set, such as acdc:FOLDER.")] = "",
    resume: Annotated[
        bool, typer.Option("--resume", help="Not needed: a study goes on where it stopped.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print study.json.")] = False,
) -> None:
    """Compare two sets of predictions, paired by patient; or train and compare by a study.

    A study is a TOML file or one that comes with the program: slides-acdc, slides-acdc-128,
    split-inflation, losses, hvsmr-paper.

    Examples:
      cardioseg compare unet1 unet2 acdc/training --scheme acdc --output comparison

      cardioseg compare slides-acdc --data acdc:FOLDER --output run
    """
    if second is None and references is None and data:
        given = {
            "--scheme": scheme,
            "--read-as": read_as,
            "--images": images,
            "--subjects": subjects,
            "--count-missing": count_missing,
            "--force": force,
        }
        if unused := ", ".join(name for name, value in given.items() if value):
            raise typer.BadParameter(f"{unused}: only for folders, not for a study; leave it out")
        _study(first, data, output, as_json)
        return
    if second is None or references is None or not scheme or data or resume or as_json:
        raise typer.BadParameter(
            "write either  compare A B REFERENCES --scheme SCHEME --output FOLDER  (two folders of "
            "predictions) or  compare STUDY --data KIND:FOLDER --output RUN [--json]  (a study)"
        )
    from cardioseg.workflows.compare import Comparing, compare_files

    options = replace(_options(scheme, read_as, None, subjects), count_missing=count_missing)
    with Bar("comparing") as bar:
        found = compare_files(
            Comparing(Path(first), second, references, images),
            options,
            output,
            force=force,
            watch=bar.show,
        )
    what = "no prediction in one or both folders"
    _warn_of_missing(found.unmatched, what, count_missing=count_missing)
    result(found.table)


def _study(source: str, data: str, output: Path, as_json: bool) -> None:
    from cardioseg.datasets import read_dataset

    try:
        from cardioseg.workflows.study.config import read_study
        from cardioseg.workflows.study.document import sentences
        from cardioseg.workflows.study.laboratory import Listener
        from cardioseg.workflows.study.output import STUDY_JSON, STUDY_MD
        from cardioseg.workflows.study.study import run_study
    except ImportError as error:
        raise MissingExtraError("a study", "train") from error

    study, configs = read_study(source)
    dataset = read_dataset(data)
    with Bar(study.name) as bar:
        results = run_study(study, configs, dataset, output, Listener(bar.tell, bar.show))
    if as_json:
        result((output / STUDY_JSON).read_text(encoding="utf-8").rstrip())
    else:
        result("\n".join([*sentences(results), f"all tables: {output / STUDY_MD}"]))


def _warn_of_missing(unmatched: Sequence[str], what: str, *, count_missing: bool) -> None:
    if unmatched:
        treated = "count as nothing found" if count_missing else "are not in the figures"
        say(
            f"warning: {len(unmatched)} references have {what} and {treated} "
            f"({', '.join(unmatched[:3])}{', ...' if unmatched[3:] else ''})"
        )


def _options(
    scheme: str, read_as: str, scores: Path | None, subjects: Path | None
) -> EvaluationOptions:
    from cardioseg.core.labels import scheme_named
    from cardioseg.workflows.evaluate import EvaluationOptions

    target = scheme_named(read_as) if read_as else None
    return EvaluationOptions(scheme_named(scheme), target, scores, subjects)
