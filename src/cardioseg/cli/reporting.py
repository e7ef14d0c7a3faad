"""`report`: pages for people from a folder of predictions or an evaluation."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cardioseg.cli.console import Bar, result


def report(
    folder: Annotated[Path, typer.Argument(help="What `predict` or `evaluate` wrote.")],
    language: Annotated[str, typer.Option("--language", help="en or es.")] = "en",
    pdf: Annotated[
        bool, typer.Option("--pdf", help="Also a PDF; needs Chromium or Chrome.")
    ] = False,
    images: Annotated[
        Path | None, typer.Option("--images", help="Folder of images, to draw contours on.")
    ] = None,
    references: Annotated[
        Path | None, typer.Option("--references", help="Of an evaluation, for pictures.")
    ] = None,
    predictions: Annotated[
        Path | None, typer.Option("--predictions", help="Of an evaluation, for pictures.")
    ] = None,
    scheme: Annotated[
        str, typer.Option("--scheme", help="Numbering of the labels, where no file names it.")
    ] = "",
    output: Annotated[
        Path | None, typer.Option("--output", help="An .html file or a folder; default: FOLDER.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite pages that are there.")] = False,
) -> None:
    """Write a page for each predicted case, or one for an evaluation, that needs no network.

    Examples:
      cardioseg report out --images scans --language es

      cardioseg report evaluation --pdf --output cohort.html
    """
    from cardioseg.core.labels import scheme_named
    from cardioseg.workflows.report import language_named
    from cardioseg.workflows.report.folder import ReportOptions, report_folder

    chosen = scheme_named(scheme) if scheme else None
    options = ReportOptions(
        language_named(language), pdf, images, references, predictions, chosen, force
    )
    with Bar("reporting") as bar:
        written = report_folder(folder, options, output, bar.show)
    result("\n".join(str(path) for path in written))
