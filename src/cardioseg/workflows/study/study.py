"""A study from its TOML to its verdict: train, measure, write; it goes on where it stopped."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from cardioseg.core.case import Case
from cardioseg.data.looks import Looks, digests
from cardioseg.datasets import Dataset
from cardioseg.errors import ConfigError
from cardioseg.prepare.plan import Plan
from cardioseg.training.allocator import keep_freed_memory
from cardioseg.training.config import TrainConfig
from cardioseg.workflows.parts import Told
from cardioseg.workflows.provenance import Json, write_run
from cardioseg.workflows.study.analysis import Findings, contrasts
from cardioseg.workflows.study.config import Study
from cardioseg.workflows.study.document import StudyResults, sentences
from cardioseg.workflows.study.inflation import inflations, same_slices
from cardioseg.workflows.study.laboratory import Laboratory, Listener, Materials
from cardioseg.workflows.study.output import write_tables
from cardioseg.workflows.study.parts import (
    Division,
    Parts,
    divide,
    require_same_images,
    resolve,
    used_cases,
)
from cardioseg.workflows.study.pictures import write_pictures
from cardioseg.workflows.study.record import (
    CACHE,
    begin,
    require_free,
    require_same,
    study_record,
)
from cardioseg.workflows.study.runs import cost


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
        If `output` holds another study, or this one on other data or with another split.
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
    require_free(output)
    parts, recorded = _prepared(study, configs, cases, output, listener.tell)
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


def _prepared(
    study: Study,
    configs: Mapping[str, TrainConfig],
    cases: Sequence[Case],
    output: Path,
    tell: Told,
) -> tuple[dict[str, Parts], dict[str, str]]:
    """The data of each arm, checked and prepared, and their digests; the folder is the study's."""
    tell("reading the data and checking it for leaks")
    datas = tuple(dict.fromkeys(study.data_of(arm) for arm in study.arms))
    looks = Looks()
    recorded = digests(looks, used_cases(datas, cases))
    divided = {data: divide(data, cases, tell, looks) for data in datas}
    divisions = {arm: divided[study.data_of(arm)] for arm in study.arms}
    record = study_record(study, configs, recorded, divisions)
    require_same(output, record)
    keep_freed_memory()

    def prepared(division: Division, config: TrainConfig) -> Parts:
        return resolve(division, config, output / CACHE, tell, looks)

    parts = _parts(configs, divisions, prepared)
    require_same_images(study.pairs, parts)
    begin(output, record)
    return parts, recorded


def _parts(
    configs: Mapping[str, TrainConfig],
    divisions: Mapping[str, Division],
    prepared: Callable[[Division, TrainConfig], Parts],
) -> dict[str, Parts]:
    """The data of each arm; arms with the same data and preparation share them in memory."""
    known: dict[tuple[Division, int, str], Parts] = {}
    found = {}
    for arm, config in configs.items():
        plan = config.plan.model_dump_json(exclude={"network"})
        key = (divisions[arm], config.slice_step, plan)
        if key not in known:
            known[key] = prepared(divisions[arm], config)
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
