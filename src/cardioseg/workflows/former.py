"""Files that earlier runs made in a folder, and what becomes of them beside new answers."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from pathlib import Path

from cardioseg.errors import OutputExistsError
from cardioseg.workflows.inputs import Input
from cardioseg.workflows.journal import FORMER, KINDS_ASKED, Journal, PastRun, Record, written_of
from cardioseg.workflows.outputs import KINDS, NIFTI, Kind
from cardioseg.workflows.places import files_of
from cardioseg.workflows.provenance import Json


@dataclass(frozen=True, order=True)
class Made:
    """A file that an earlier run made.

    Parameters
    ----------
    name
        Name of the input.
    settings
        Digest of what decided the answer; see :meth:`Journal.settings`.
    file
        Name of the file.
    """

    name: str
    settings: str
    file: str


@dataclass(frozen=True)
class Former:
    """The files that earlier runs of a command made in a folder, of whatever kind.

    Parameters
    ----------
    folder
        The folder.
    made
        The files.
    untold
        Those of them that no record tells of when the run that comes now has ended.
    """

    folder: Path
    made: frozenset[Made]
    untold: frozenset[Made]

    @cached_property
    def _owners(self) -> Mapping[str, frozenset[str]]:
        """Names of the inputs that a file may be of, by its name."""
        owners: dict[str, set[str]] = {}
        for each in self.made:
            owners.setdefault(each.file, set()).add(each.name)
        return {name: frozenset(found) for name, found in owners.items()}

    def require_alike(self, names: Collection[str], settings: str) -> None:
        """Refuse to put files beside those that were made with other settings.

        Parameters
        ----------
        names
            Names of the inputs that are to be answered.
        settings
            Digest of what decides the answers.

        Raises
        ------
        OutputExistsError
            If such a file of one of these is there.
        """
        for each in sorted(self.made):
            is_other = each.name in names and each.settings != settings
            if is_other and (self.folder / each.file).is_file():
                raise OutputExistsError(
                    f"{self.folder / each.file}: was made by another model, version or other "
                    "options; name another folder, or add --force to remove that answer"
                )

    def remove(self, each: Input, kept: Collection[str]) -> None:
        """Remove the files of an input, of whatever kind, but for those that are kept."""
        for name in {made.file for made in self.made if made.name == each.name}.difference(kept):
            rest = name.removeprefix(each.name)
            # Whatever a record says, nothing but a file with this input's name is removed.
            if rest != name and any(kind.may_end(rest) for kind in KINDS):
                self._remove(self.folder / name, each)

    def remove_failed(self, kinds: Sequence[Kind], each: Input) -> None:
        """Remove what is there of an input that failed: half of its files, or another run's."""
        for path in files_of(kinds, self.folder, each.name):
            self._remove(path, each)

    def _remove(self, path: Path, each: Input) -> None:
        """Remove a file, unless it is the input itself or may be another input's output."""
        is_input = not each.url and path.resolve() == each.path.resolve()
        if not is_input and self._owners.get(path.name, frozenset()) <= {each.name}:
            path.unlink(missing_ok=True)

    def left(self, replaced: Collection[str], records: Iterable[Record]) -> list[Json]:
        """Records of the files that nothing else tells of; none of inputs that were replaced."""
        told = {(str(each["name"]), file) for each in records for file in written_of(each) or ()}
        left = sorted(
            each
            for each in self.untold
            if each.name not in replaced and (each.name, each.file) not in told
        )
        return [
            {"name": name, "settings": settings, "written": list[Json](each.file for each in group)}
            for (name, settings), group in groupby(left, lambda each: (each.name, each.settings))
        ]


def former_of(journal: Journal) -> Former:
    """The files that the records of earlier runs tell of.

    A record that names no file, of an older version or of an input that was only begun, stands for
    all that its run was asked to write.
    """
    runs = [(past, frozenset(_made(journal, past))) for past in journal.past_runs()]
    lost = (made for past, made in runs if journal.takes_place_of(past))
    every = frozenset[Made]().union(*(made for _, made in runs))
    return Former(journal.folder, every, frozenset[Made]().union(*lost))


def _made(journal: Journal, past: PastRun) -> Iterator[Made]:
    kinds = past.head.get(KINDS_ASKED)
    asked = [k for k in KINDS if k.name in (kinds if isinstance(kinds, list) else [NIFTI.name])]
    settings = journal.settings(past.head)
    for record in past.records:
        name, written = str(record["name"]), written_of(record)
        if written is None and not record.get("failed") and Path(name).name == name:
            written = [path.name for path in files_of(asked, journal.folder, name)]
        yield from (Made(name, settings, file) for file in written or ())
    earlier = past.head.get(FORMER)
    for each in earlier if isinstance(earlier, list) else ():
        if isinstance(each, dict) and "name" in each:
            for file in written_of(each) or ():
                yield Made(str(each["name"]), str(each.get("settings")), file)
