"""Which run of `predict` made each case of a folder, as the records that runs left there tell."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cardioseg.errors import FormatError, version_problem
from cardioseg.workflows.journal import PROGRAM, Journal, Record
from cardioseg.workflows.provenance import FORMAT_VERSION

PREDICT = "predict"

_PHASE = re.compile(r"-phase\d+$")


@dataclass(frozen=True)
class Made:
    """What made a case's labels, of which input and in which scheme; the unknown is empty."""

    model: str = ""
    model_id: str = ""
    version: str = ""
    input_sha256: str = ""
    scheme: str = ""


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
    return known.get(name) or known.get(_PHASE.sub("", name)) or Made()


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
