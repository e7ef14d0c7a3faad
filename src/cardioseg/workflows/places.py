"""Where the outputs of a run go: each input's apart, and what an earlier run left there."""

from __future__ import annotations

import glob
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from cardioseg.errors import CardiosegError, DatasetError, OutputExistsError
from cardioseg.io.folders import files_below
from cardioseg.workflows.inputs import Input
from cardioseg.workflows.journal import Record, written_of
from cardioseg.workflows.outputs import Kind
from cardioseg.workflows.provenance import file_digest

_HEADERS_ALONE = (".nhdr", ".mhd")
"""Headers whose data lies in another file, which their digest does not cover."""


def require_apart(kinds: Sequence[Kind], inputs: Sequence[Input]) -> None:
    """Refuse inputs of which one's outputs may have the name of another's.

    Raises
    ------
    DatasetError
        If there are two such, as `p` and `p-es`: ES models of `p` begin with `p-es`.
    """
    named = {each.name: each for each in inputs}
    for name, each in named.items():
        for length in range(1, len(name)):
            other = named.get(name[:length])
            clash = other and _clash(kinds, name[length:])
            if other and clash:
                raise DatasetError(
                    f"{other.where} and {each.where}: both may write {other.name}{clash}, so they "
                    "would overwrite each other; rename one, or run them into different folders"
                )


def _clash(kinds: Sequence[Kind], rest: str) -> str:
    """An ending that a name has, and that name + `rest` has, too; empty if there is none."""
    longer = [rest + ending.replace("*", "01") for kind in kinds for ending in kind.endings]
    return next((each for each in longer for kind in kinds if kind.may_end(each)), "")


def files_of(kinds: Sequence[Kind], folder: Path, name: str) -> tuple[Path, ...]:
    """The files that a folder holds of one name, of all kinds."""
    return tuple(path for kind in kinds for path in kind.files_there(folder, name))


def is_done(kinds: Sequence[Kind], each: Input, folder: Path, record: Record | None) -> bool:
    """Whether an earlier run made an input's outputs of this very input, and all are there.

    A record that names no files is of a version that did not: of each kind there must be one.
    """
    if record is None or record.get("failed") or record.get("begun"):
        return False
    written = written_of(record)
    if written is None:
        there = all(kind.files_there(folder, each.name) for kind in kinds)
    else:
        there = all((folder / name).is_file() for name in written)
    return there and _is_same(each, record)


def require_free(
    kinds: Sequence[Kind],
    inputs: Sequence[Input],
    folder: Path,
    records: Mapping[str, Record] | None,
) -> None:
    """Refuse to overwrite an input, or a file that no run made.

    Parameters
    ----------
    kinds
        Kinds of output.
    inputs
        What is to be done.
    folder
        The output folder.
    records
        What earlier runs tell, by name: what they made may be overwritten. None: all may.

    Raises
    ------
    OutputExistsError
        If such a file is there.
    """
    for each in inputs:
        for path in files_of(kinds, folder, each.name):
            if not each.url and path.resolve() == each.path.resolve():
                raise OutputExistsError(f"{path}: is an input; name another output folder")
            if records is not None and not _made_by(records.get(each.name), path):
                raise OutputExistsError(
                    f"{path}: is already there, and no run that is resumed made it; move it away, "
                    "or add --force to overwrite it"
                )


def stamp_of(each: Input) -> str:
    """A mark of where an input lies, its size and when it was changed; of a URL, of where alone.

    Inputs of one mark are taken for equal without being read. It is a digest: no path can be read
    off it. Empty if the input is not there.
    """
    words = [each.where, each.series]
    if not each.url:
        try:
            words[0] = str(each.path.resolve())
            for file in _files(each.path):
                stat = file.stat()
                words += [str(file), str(stat.st_size), str(stat.st_mtime_ns)]
        except (CardiosegError, OSError):
            return ""
    return hashlib.sha256("\0".join(words).encode("utf-8", "surrogateescape")).hexdigest()


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        return files_below(path)
    if path.suffix in _HEADERS_ALONE:
        return sorted(path.parent.glob(f"{glob.escape(path.stem)}.*"))
    return [path]


def _is_same(each: Input, record: Record) -> bool:
    """Whether an input is the one that a record tells of."""
    stamp = record.get("stamp")
    if stamp and stamp == stamp_of(each):
        return True
    if each.url:
        return not stamp
    return each.path.suffix not in _HEADERS_ALONE and _digest(each) == record.get("input_sha256")


def _digest(each: Input) -> str:
    """An input's digest, as `open_input` has it; empty if it cannot be read."""
    try:
        if not each.is_dicom:
            return file_digest(each.path)
        from cardioseg.io.dicom import choose_series, find_series

        return choose_series(find_series(each.path), each.series, each.path).digest()
    except (CardiosegError, OSError):
        return ""


def _made_by(record: Record | None, path: Path) -> bool:
    """Whether a run made a file; what one began and did not end may be half of its files."""
    if record is None:
        return False
    written = written_of(record)
    return not record.get("failed") if written is None else path.name in written
