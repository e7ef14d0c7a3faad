"""What made the label maps of a folder, as their headers and the records of runs there tell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cardioseg.errors import FormatError, version_problem
from cardioseg.io.images import read_model_id
from cardioseg.workflows.inputs import FRAME_ENDING, Input
from cardioseg.workflows.journal import PROGRAM, Journal, Record
from cardioseg.workflows.provenance import FORMAT_VERSION, Json

PREDICT = "predict"


@dataclass(frozen=True)
class Made:
    """What made a case's labels, of which input and in which scheme; the unknown is empty."""

    model: str = ""
    model_id: str = ""
    version: str = ""
    input_sha256: str = ""
    scheme: str = ""


@dataclass(frozen=True)
class Maker:
    """A model that made label maps; nobody where they were drawn by hand, or no header tells.

    Parameters
    ----------
    model_id
        Its id, as the headers tell it.
    model
        Its name, as a run's record tells it; empty where none does.
    cases
        Names of the label maps.
    """

    model_id: str = ""
    model: str = ""
    cases: tuple[str, ...] = ()

    def facts(self) -> dict[str, Json]:
        """The model, for a JSON file; empty for nobody."""
        told: dict[str, Json] = {"model": self.model, "model_id": self.model_id}
        return {name: value for name, value in told.items() if value}


NOBODY = Maker()


def makers_of(files: Iterable[Input]) -> tuple[Maker, ...]:
    """The models that made label maps, by their ids; none of those that a model did not make.

    Raises
    ------
    FormatError, GeometryError
        If a NRRD or MetaImage file cannot be read.
    """
    found: dict[str, list[Input]] = {}
    for each in files:
        if model_id := read_model_id(each.path):
            found.setdefault(model_id, []).append(each)
    return tuple(
        Maker(
            model_id,
            _name_of(model_id, dict.fromkeys(each.path.parent for each in made)),
            tuple(each.name for each in made),
        )
        for model_id, made in sorted(found.items())
    )


def makers_facts(makers: Iterable[Maker]) -> dict[str, list[Json]]:
    """The models and their cases as `models` of a JSON file; empty without any."""
    told: list[Json] = [{**each.facts(), "cases": list(each.cases)} for each in makers]
    return {"models": told} if told else {}


def ids_of(makers: Iterable[Maker]) -> str:
    """The ids alone, for a picture."""
    return ", ".join(each.model_id for each in makers)


def words_of_makers(makers: Sequence[Maker], count: int) -> str:
    """What a document of so many cases says of the models that made them; nothing if none did.

    Examples
    --------
    >>> words_of_makers([Maker("0123456789abcdef", "sax", ("p1", "p2"))], 2)
    'Model: sax, id 0123456789abcdef.'
    >>> words_of_makers([Maker("0123456789abcdef", cases=("p1",))], 2)
    'Model: id 0123456789abcdef (p1).'
    """
    if not makers:
        return ""
    is_of_all = len(makers[0].cases) == count
    told = (
        (f"{each.model}, " if each.model else "")
        + f"id {each.model_id}"
        + ("" if is_of_all else f" ({', '.join(each.cases)})")
        for each in makers
    )
    return f"Model{'s' if len(makers) > 1 else ''}: {'; '.join(told)}."


def _name_of(model_id: str, folders: Iterable[Path]) -> str:
    """The name that runs of `predict` in these folders gave the model."""
    for folder in folders:
        # What a later version recorded is not read; the id is known without it.
        with suppress(FormatError):
            for made in made_by_runs(folder).values():
                if made.model_id == model_id:
                    return made.model
    return ""


def made_by_runs(folder: Path) -> dict[str, Made]:
    """What the records of `predict` in a folder tell of the cases that they list, by name.

    They are run.json, those of shares, and what a stopped run left; the later has the last word. Of
    a case that failed or was only begun they tell nothing: its files may be of an earlier run.

    Raises
    ------
    FormatError
        If one is of another format version.
    """
    found: dict[str, Made] = {}
    for past in Journal(folder, PREDICT, {}).past_runs():
        version = past.head.get("format_version")
        if version != FORMAT_VERSION:
            raise FormatError(f"{past.path}: {version_problem(version, FORMAT_VERSION)}")
        for each in past.records:
            found.pop(str(each["name"]), None)
            if not (each.get("failed") or each.get("begun")):
                found[str(each["name"])] = _made(past.head, each)
    return found


def made_of(name: str, known: Mapping[str, Made]) -> Made:
    """What made the labels of that name; a frame's, such as NAME-phase07, are those of NAME.

    Examples
    --------
    >>> known = {"scan": Made("sax")}
    >>> [made_of(name, known).model for name in ("scan", "scan-phase07", "scan_2")]
    ['sax', 'sax', '']
    """
    return known.get(name) or known.get(FRAME_ENDING.sub("", name)) or Made()


def _made(run: Record, case: Record) -> Made:
    versions = run.get("versions")
    return Made(
        _text(run, "model"),
        _text(run, "model_id"),
        _text(versions, PROGRAM) if isinstance(versions, dict) else "",
        _text(case, "input_sha256"),
        _text(run, "scheme"),
    )


def _text(record: Record, key: str) -> str:
    value = record.get(key)
    return value if isinstance(value, str) else ""
