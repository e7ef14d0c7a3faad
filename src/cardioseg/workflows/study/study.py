"""A study from its TOML to its verdict: train, measure, write; it goes on where it stopped."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from pydantic import JsonValue

from cardioseg.core.case import Case
from cardioseg.data.looks import Looks, digests
from cardioseg.datasets import Dataset
from cardioseg.errors import ConfigError, OutputExistsError
from cardioseg.io.atomic import is_empty, make_folder, write_text
from cardioseg.prepare.plan import Plan
from cardioseg.training.allocator import keep_freed_memory
from cardioseg.training.config import TrainConfig
from cardioseg.workflows.provenance import Json, write_run
from cardioseg.workflows.study.analysis import Findings, contrasts
from cardioseg.workflows.study.config import Data, Study
from cardioseg.workflows.study.document import StudyResults, sentences
from cardioseg.workflows.study.inflation import inflations, same_slices
from cardioseg.workflows.study.laboratory import Laboratory, Listener, Materials
from cardioseg.workflows.study.output import write_tables
from cardioseg.workflows.study.parts import (
    Parts,
    check_data,
    require_same_images,
    resolve,
    used_cases,
)
from cardioseg.workflows.study.pictures import write_pictures
from cardioseg.workflows.study.runs import cost

CONFIG, CACHE = "config.json", "cache"


def run_study(
    study: Study,
    configs: Mapping[str, TrainConfig],
    dataset: Dataset,
    output: Path,
    listener: Listener,
) -> StudyResults:
    """Run a study, or what is left of it.

    Parameters
    ----------
    study, configs
        As :func:`cardioseg.workflows.study.config.read_study` reads them.
    dataset
        Cases with labels.
    output
        The study's folder: config.json, study.md, study.json, tables, pictures, run.json and a
        folder for each arm and seed. The same call goes on where a former one stopped.
    listener
        Who is told how it goes.

    Returns
    -------
    StudyResults
        What study.md and study.json tell.

    Raises
    ------
    ConfigError
        If `output` holds another study, or this one on other data.
    OutputExistsError
        If `output` holds something else.
    LeakageError, DatasetError
        If the data cannot be divided as the study says.
    """
    started = time.monotonic()
    cases = dataset.labelled_cases
    if study.dataset and study.dataset != dataset.name:
        raise ConfigError(
            f"study {study.name} is made for data set {study.dataset}, not {dataset.name}: "
            f"write --data {study.dataset}:FOLDER"
        )
    listener.tell("reading the data and checking it for leaks")
    datas = tuple(dict.fromkeys(study.data_of(arm) for arm in study.arms))
    looks = Looks()
    recorded = digests(looks, used_cases(datas, cases))
    _open(study, configs, recorded, output)
    for data in datas:
        check_data(data, cases, listener.tell, looks)
    keep_freed_memory()

    def prepared(data: Data, config: TrainConfig) -> Parts:
        return resolve(data, cases, config.plan, output / CACHE, listener.tell, looks)

    parts = _parts(study, configs, prepared)
    require_same_images(study.pairs, parts)
    costs = {arm: cost(config) for arm, config in configs.items()}
    materials = Materials(study, dataset, configs, parts, costs)
    laboratory = Laboratory(materials, output, listener)
    for seed in study.seeds:
        for arm in study.arms:
            laboratory.train(arm, seed)
        laboratory.measure(seed)
        results = _write(materials, laboratory.findings(), output)
    facts: dict[str, Json] = {
        "study": study.model_dump(mode="json"),
        "data": dataset.name,
        **recorded,
        "models": dict(laboratory.model_ids()),
        "verdicts": list(sentences(results)),
    }
    write_run(output, "compare", facts, started)
    return results


def _open(
    study: Study, configs: Mapping[str, TrainConfig], data: Mapping[str, str], output: Path
) -> None:
    """Begin a folder, or make sure that it holds this study on these data."""
    record = {
        "study": study.model_dump(mode="json"),
        "configs": {arm: config.model_dump(mode="json") for arm, config in configs.items()},
        **data,
    }
    path = output / CONFIG
    if path.is_file():
        found = _as_today(path, data)
        if found != record:
            changed = ", ".join(_differences(found, record)[:5])
            raise ConfigError(
                f"{output}: holds a study that differs in {changed}; go on with the study and data "
                "that it was begun with, or name another folder"
            )
        return
    if not is_empty(output):
        raise OutputExistsError(f"{output}: is not empty and holds no study; name another folder")
    make_folder(output)
    write_text(path, json.dumps(record, indent=1) + "\n")


def _as_today(path: Path, data: Mapping[str, str]) -> dict[str, JsonValue]:
    """A folder's config.json; keys that were not known when it was written have their defaults."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        study = Study.model_validate(found["study"])
        configs = {
            arm: TrainConfig.model_validate(config).model_dump(mode="json")
            for arm, config in found["configs"].items()
        }
        # Earlier programs did not record the labels.
        recorded = {name: found.get(name, digest) for name, digest in data.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"{path}: not the record of a study; name another folder") from error
    return {"study": study.model_dump(mode="json"), "configs": configs, **recorded}


def _differences(found: object, wanted: object, where: str = "") -> list[str]:
    """Dotted names of the values in which two JSON documents differ."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        names = []
        for key in dict.fromkeys([*found, *wanted]):
            dotted = f"{where}.{key}" if where else str(key)
            names += _differences(found.get(key), wanted.get(key), dotted)
        return names
    return [] if found == wanted else [where]


def _parts(
    study: Study,
    configs: Mapping[str, TrainConfig],
    prepared: Callable[[Data, TrainConfig], Parts],
) -> dict[str, Parts]:
    """The data of each arm; arms with the same data and preparation share them in memory."""
    known: dict[tuple[Data, str], Parts] = {}
    found = {}
    for arm, config in configs.items():
        data = study.data_of(arm)
        key = (data, config.plan.model_dump_json(exclude={"network"}))
        if key not in known:
            known[key] = prepared(data, config)
        found[arm] = known[key]
    return found


def _write(materials: Materials, findings: Findings, output: Path) -> StudyResults:
    """Tables and pictures of the seeds that are finished."""
    study = materials.study
    found = contrasts(study, findings)
    cases: dict[str, tuple[Case, Plan]] = {
        case.id: (case, materials.configs[arm].plan)
        for arm, parts in materials.parts.items()
        for case in parts.contrasted.cases
    }
    pictures: list[str] = []
    for contrast in found:
        if contrast.budget == "equal epochs":
            pictures += write_pictures(study, contrast, findings, cases, output)
    results = StudyResults(
        study,
        materials.configs,
        materials.costs,
        findings,
        found,
        inflations(study, findings),
        same_slices(study, findings),
        tuple(pictures),
    )
    write_tables(results, output)
    return results
