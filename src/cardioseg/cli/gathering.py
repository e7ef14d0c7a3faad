"""The inputs that a command line names: all, or those of one part of a split."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from cardioseg.workflows.inputs import Input


def gather_files(paths: list[Path], split: Path | None, part: str | None) -> tuple[Input, ...]:
    """Inputs among paths; `part` is that of the split, by default validation."""
    from cardioseg.workflows.inputs import gather_images

    _require_split(split, part)
    return _of_part(gather_images(paths), split, part)


def gather_places(words: list[str], split: Path | None, part: str | None) -> tuple[Input, ...]:
    """Inputs among paths and URLs; whoever names no URL imports nothing that could follow one."""
    if not any("://" in word for word in words):
        return gather_files([Path(word) for word in words], split, part)
    from cardioseg.scale.remote import gather

    _require_split(split, part)
    return _of_part(gather(words), split, part)


def _require_split(split: Path | None, part: str | None) -> None:
    if part and not split:
        raise typer.BadParameter("--part goes with --split: add it")


def _of_part(files: tuple[Input, ...], split: Path | None, part: str | None) -> tuple[Input, ...]:
    from cardioseg.workflows.inputs import of_part

    return of_part(files, split, part or "validation") if split else files
