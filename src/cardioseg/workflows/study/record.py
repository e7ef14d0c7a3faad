"""config.json: what a study's folder was begun with; nothing else goes on in it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from pydantic import JsonValue

from cardioseg.errors import ConfigError, OutputExistsError
from cardioseg.io.atomic import is_leftover, make_folder, write_text
from cardioseg.training.config import TrainConfig
from cardioseg.workflows.provenance import Json
from cardioseg.workflows.study.config import Study
from cardioseg.workflows.study.parts import Division

CONFIG, CACHE = "config.json", "cache"

_PARTS = "parts"


def study_record(
    study: Study,
    configs: Mapping[str, TrainConfig],
    digests: Mapping[str, str],
    divisions: Mapping[str, Division],
) -> dict[str, Json]:
    """What decides a study: itself, each arm's configuration and parts, digests of the data."""
    return {
        "study": study.model_dump(mode="json"),
        "configs": {arm: config.model_dump(mode="json") for arm, config in configs.items()},
        **digests,
        _PARTS: {arm: division.record for arm, division in divisions.items()},
    }


def require_free(output: Path) -> None:
    """Refuse a folder with something else than a study, or than slices prepared for one.

    Raises
    ------
    OutputExistsError
        If it holds something else.
    """
    if (output / CONFIG).is_file() or not output.is_dir():
        return
    if any(each.name != CACHE and not is_leftover(each) for each in output.iterdir()):
        raise OutputExistsError(f"{output}: is not empty and holds no study; name another folder")


def require_same(output: Path, record: Mapping[str, Json]) -> None:
    """Refuse to go on in a folder that was begun with another study, on other data or parts.

    Raises
    ------
    ConfigError
        Naming what differs.
    """
    path = output / CONFIG
    if not path.is_file():
        return
    differing = _differences(_as_today(path, record), record)
    if differing:
        raise ConfigError(
            f"{output}: holds a study that differs in {', '.join(differing[:5])}; go on with the "
            "study and data that it was begun with, or name another folder"
        )


def begin(output: Path, record: Mapping[str, Json]) -> None:
    """Record what a folder is begun with; one of an earlier program gets the keys that it lacks."""
    path = output / CONFIG
    found = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    if record.keys() - found.keys():
        make_folder(output)
        write_text(path, json.dumps({**record, **found}, indent=1) + "\n")


def _as_today(path: Path, record: Mapping[str, Json]) -> dict[str, JsonValue]:
    """A folder's config.json; keys that were not known when it was written have their defaults."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        study = Study.model_validate(found["study"])
        # Programs that did not record who is in which part trained on every slice.
        every = {} if _PARTS in found else {"slice_step": 1}
        configs = {
            arm: TrainConfig.model_validate({**config, **every}).model_dump(mode="json")
            for arm, config in found["configs"].items()
        }
        # Nor did they all record the labels.
        known = {**record, **found}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"{path}: not the record of a study; name another folder") from error
    told = {name: known[name] for name in record}
    return {**told, "study": study.model_dump(mode="json"), "configs": configs}


def _differences(found: object, wanted: object, where: str = "") -> list[str]:
    """Dotted names of the values in which two JSON documents differ."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        names = []
        for key in dict.fromkeys([*found, *wanted]):
            dotted = f"{where}.{key}" if where else str(key)
            names += _differences(found.get(key), wanted.get(key), dotted)
        return names
    return [] if found == wanted else [where]
