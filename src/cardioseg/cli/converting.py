"""`convert`: an image or a label map from one file format to another."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cardioseg.cli.console import fail, result


def convert(
    source: Annotated[
        Path, typer.Argument(help="NIfTI, NRRD, MetaImage or PNG file.", metavar="IN")
    ],
    target: Annotated[
        Path,
        typer.Argument(help="Ends in .nii.gz, .nii, .nrrd, .seg.nrrd or .mha.", metavar="OUT"),
    ],
    scheme: Annotated[
        str,
        typer.Option(
            "--scheme",
            help="A label map: what its numbers or names mean; its header may not say otherwise.",
        ),
    ] = "",
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file.")] = False,
) -> None:
    """Convert an image or a label map; what would lose something is refused.

    Grid, frames, values and their type are kept, and from NIfTI to NIfTI the time between frames;
    free text of the header is not. With --scheme a label map becomes a segmentation for 3D Slicer,
    or one of 3D Slicer's becomes numbers.

    Examples:
      cardioseg convert scan.nrrd scan.nii.gz

      cardioseg convert labels.nii.gz labels.seg.nrrd --scheme acdc
    """
    from cardioseg.core.labels import scheme_named
    from cardioseg.workflows.convert import convert_file

    if source.is_dir():
        fail(f"{source}: a folder; name one NIfTI, NRRD, MetaImage or PNG file")
    result(convert_file(source, target, scheme_named(scheme) if scheme else None, force=force))
