"""Observers against each other over a cohort: agreement, bias, reliability, and the model's place.

The patient is the unit: means are over patients, the cases of each averaged first, and intervals
come from drawing patients with replacement. What tells how far two volumes lie apart (limits of
agreement, ICC, variation) is of single cases: in a mean over frames opposite differences cancel.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from cardioseg.evaluation.paired import BlandAltman, bland_altman
from cardioseg.evaluation.readings import (
    DIFFERENCE,
    PAIR_METRICS,
    VOLUME,
    Reading,
    VolumeTable,
    drawn_structures,
    patient_means,
    volume_table,
)
from cardioseg.evaluation.reliability import (
    intraclass_correlation,
    statistic_interval,
    variation_percent,
)
from cardioseg.evaluation.standing import SPREAD_METRICS, Standing, standing_of
from cardioseg.evaluation.statistics import Interval, bootstrap_interval

Float64Array = NDArray[np.float64]


@dataclass(frozen=True)
class PairAgreement:
    """One metric of one pair of raters over a cohort.

    Parameters
    ----------
    structure, metric, first, second
        What is compared, and whose.
    mean, interval
        Over patients, and its bootstrap 95 % interval; None where nothing is defined or, for the
        interval, with fewer than two patients.
    subjects, undefined
        Patients with a value, and cases without one.
    limits
        Limits of agreement of one case; of volume differences only, with two patients or more.
    """

    structure: str
    metric: str
    first: str
    second: str
    mean: float | None
    interval: Interval | None
    subjects: int
    undefined: int
    limits: BlandAltman | None = None


@dataclass(frozen=True)
class ObserverBias:
    """How much more or less one rater draws than the others.

    Parameters
    ----------
    structure, rater
        Of what, and whose.
    volume_ml
        Mean volume that this rater draws.
    bias_ml, interval
        Mean of this rater's volume minus the mean of the (other) observers', and its interval.
    percent
        The bias as a share of the (other) observers' mean.
    subjects
        Patients.
    """

    structure: str
    rater: str
    volume_ml: float
    bias_ml: float
    interval: Interval | None
    percent: float | None
    subjects: int


@dataclass(frozen=True)
class VolumeReliability:
    """How far one observer's volume of one structure can be relied on.

    Parameters
    ----------
    structure
        Of what.
    subjects, cases
        Patients, and their cases.
    icc, icc_interval
        ICC(2,1), absolute agreement, over cases; None with fewer than two patients.
    variation_percent, variation_interval
        Coefficient of variation between observers, over cases.
    """

    structure: str
    subjects: int
    cases: int
    icc: float | None
    icc_interval: Interval | None
    variation_percent: float | None
    variation_interval: Interval | None


@dataclass(frozen=True)
class ObserverStudy:
    """What the label maps of several observers, and of a model, say of each other.

    Parameters
    ----------
    observers
        Names of the observers.
    model
        Name of the model; empty without one.
    readings
        Every value, as rows.
    pairs, biases, reliability, standings
        The figures of the cohort; see their classes. The model is among `pairs`, `biases` and
        `standings`, never in `reliability`.
    """

    observers: tuple[str, ...]
    model: str
    readings: tuple[Reading, ...]
    pairs: tuple[PairAgreement, ...]
    biases: tuple[ObserverBias, ...]
    reliability: tuple[VolumeReliability, ...]
    standings: tuple[Standing, ...]

    @property
    def structures(self) -> tuple[str, ...]:
        """Structures that anybody drew in any case, in order."""
        return drawn_structures(self.readings)


def study_observers(
    readings: Sequence[Reading], observers: Sequence[str], model: str, rng: np.random.Generator
) -> ObserverStudy:
    """All figures of a cohort.

    Parameters
    ----------
    readings
        Rows of :func:`cardioseg.evaluation.readings.read_case` of all cases.
    observers
        Names of the observers.
    model
        Name of the model among the raters; empty without one.
    rng
        Source of randomness for the intervals.
    """
    raters = (*observers, model) if model else tuple(observers)
    pairs: list[PairAgreement] = []
    biases: list[ObserverBias | None] = []
    reliability: list[VolumeReliability] = []
    standings: list[Standing | None] = []
    for structure in drawn_structures(readings):
        rows = [r for r in readings if r.structure == structure]
        by_metric = {m: [r for r in rows if r.metric == m] for m in (*PAIR_METRICS, VOLUME)}
        for metric in PAIR_METRICS:
            pairs += [_pair(by_metric[metric], pair, rng) for pair in combinations(raters, 2)]
        volumes = by_metric[VOLUME]
        biases += [_bias(structure, volumes, rater, observers, rng) for rater in raters]
        reliability.append(_reliability(structure, volume_table(volumes, observers), rng))
        for metric in SPREAD_METRICS:
            standings += [standing_of(by_metric[metric], r, observers, rng) for r in raters]
    return ObserverStudy(
        tuple(observers),
        model,
        tuple(readings),
        tuple(pairs),
        tuple(b for b in biases if b is not None),
        tuple(reliability),
        tuple(s for s in standings if s is not None),
    )


def _pair(
    rows: Sequence[Reading], pair: tuple[str, str], rng: np.random.Generator
) -> PairAgreement:
    rows = [r for r in rows if {r.first, r.second} == set(pair)]
    values = list(patient_means(rows).values())
    limits = None
    if rows[0].metric == DIFFERENCE and len(values) > 1:
        known = [(r.value, r.subject) for r in rows if r.value is not None]
        differences, subjects = zip(*known, strict=True)
        limits = bland_altman(differences, np.zeros(len(known)), subjects)
    return PairAgreement(
        structure=rows[0].structure,
        metric=rows[0].metric,
        first=pair[0],
        second=pair[1],
        mean=fmean(values) if values else None,
        interval=bootstrap_interval(values, rng) if values else None,
        subjects=len(values),
        undefined=sum(r.value is None for r in rows),
        limits=limits,
    )


def _bias(
    structure: str,
    volumes: Sequence[Reading],
    rater: str,
    observers: Sequence[str],
    rng: np.random.Generator,
) -> ObserverBias | None:
    others = [name for name in observers if name != rater]
    table = volume_table(volumes, [rater, *others]).by_patient()
    if not len(table):
        return None
    expected = table[:, 1:].mean(axis=1)
    differences = table[:, 0] - expected
    bias, mean = float(differences.mean()), float(expected.mean())
    return ObserverBias(
        structure=structure,
        rater=rater,
        volume_ml=float(table[:, 0].mean()),
        bias_ml=bias,
        interval=bootstrap_interval(differences, rng),
        percent=100.0 * bias / mean if mean > 0 else None,
        subjects=len(table),
    )


def _reliability(structure: str, table: VolumeTable, rng: np.random.Generator) -> VolumeReliability:
    def interval(statistic: Callable[[Float64Array], float | None]) -> Interval | None:
        return statistic_interval(table.volumes, statistic, rng, subjects=table.subjects)

    icc = intraclass_correlation(table.volumes) if table.patients > 1 else None
    return VolumeReliability(
        structure=structure,
        subjects=table.patients,
        cases=len(table.volumes),
        icc=icc,
        icc_interval=None if icc is None else interval(intraclass_correlation),
        variation_percent=variation_percent(table.volumes),
        variation_interval=interval(variation_percent),
    )
