"""The kinds of data sets, as `--data KIND:FOLDER` names them, and the reader of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from cardioseg.core.labels import (
    ACDC,
    CAMUS,
    EMIDEC,
    HVSMR2,
    LEFT_ATRIUM,
    LEFT_VENTRICLE,
    MMWHS,
    MYOCARDIUM_BLOOD,
    MYOPS,
    LabelScheme,
)
from cardioseg.datasets import (
    acdc,
    camus,
    emidec,
    hvsmr,
    hvsmr2,
    lasc,
    mmwhs,
    mnms,
    mnms2,
    msd,
    myops,
    nnunet,
    pictures,
    sunnybrook,
)
from cardioseg.datasets.dataset import Dataset
from cardioseg.errors import DatasetError


def _acdc(folder: str, _: LabelScheme | None) -> Dataset:
    return Dataset("acdc", acdc.read_acdc(folder), ACDC, acdc.LICENSE, acdc.CITATION)


def _camus(folder: str, _: LabelScheme | None) -> Dataset:
    return Dataset("camus", camus.read_camus(folder), CAMUS, camus.LICENSE, camus.CITATION)


def _emidec(folder: str, _: LabelScheme | None) -> Dataset:
    return Dataset("emidec", emidec.read_emidec(folder), EMIDEC, emidec.LICENSE, emidec.CITATION)


def _hvsmr(folder: str, _: LabelScheme | None) -> Dataset:
    cases = hvsmr.read_hvsmr(folder)
    return Dataset("hvsmr", cases, MYOCARDIUM_BLOOD, hvsmr.LICENSE, hvsmr.CITATION)


def _hvsmr2(folder: str, _: LabelScheme | None) -> Dataset:
    cases = hvsmr2.read_hvsmr2(folder)
    return Dataset("hvsmr2", cases, HVSMR2, hvsmr2.LICENSE, hvsmr2.CITATION)


def _lasc(folder: str, _: LabelScheme | None) -> Dataset:
    return Dataset("lasc", lasc.read_lasc(folder), LEFT_ATRIUM, lasc.LICENSE, lasc.CITATION)


def _mmwhs(folder: str, _: LabelScheme | None) -> Dataset:
    return Dataset("mmwhs", mmwhs.read_mmwhs(folder), MMWHS, mmwhs.LICENSE, mmwhs.CITATION)


def _mnms(folder: str, _: LabelScheme | None) -> Dataset:
    return Dataset("mnms", mnms.read_mnms(folder), ACDC, mnms.LICENSE, mnms.CITATION)


def _mnms2(folder: str, _: LabelScheme | None) -> Dataset:
    return Dataset("mnms2", mnms2.read_mnms2(folder), ACDC, mnms2.LICENSE, mnms2.CITATION)


def _msd(folder: str, _: LabelScheme | None) -> Dataset:
    return Dataset("msd", msd.read_msd(folder), LEFT_ATRIUM, msd.LICENSE, msd.CITATION)


def _myops(folder: str, _: LabelScheme | None) -> Dataset:
    return Dataset("myops", myops.read_myops(folder), MYOPS, myops.LICENSE, myops.CITATION)


def _nnunet(folder: str, scheme: LabelScheme | None) -> Dataset:
    facts = nnunet.read_description(folder)
    own = nnunet.own_scheme(facts, folder, scheme)
    name = facts.name or Path(folder).resolve().name
    cases = nnunet.read_nnunet(folder, own)
    return Dataset(name, cases, own, facts.license or "unknown", facts.reference)


def _png(folder: str, scheme: LabelScheme | None) -> Dataset:
    own, values, facts = pictures.own_scheme(folder, scheme)
    cases = pictures.read_pictures(folder, own, values)
    name = (facts.name if facts else "") or Path(folder).resolve().name
    license_ = (facts.license if facts else "") or "unknown"
    return Dataset(name, cases, own, license_, facts.reference if facts else "")


def _sunnybrook(folder: str, _: LabelScheme | None) -> Dataset:
    cases = sunnybrook.read_sunnybrook(folder)
    return Dataset("sunnybrook", cases, LEFT_VENTRICLE, sunnybrook.LICENSE, sunnybrook.CITATION)


READERS: tuple[tuple[str, Callable[[str, LabelScheme | None], Dataset]], ...] = (
    ("acdc", _acdc),
    ("camus", _camus),
    ("emidec", _emidec),
    ("hvsmr", _hvsmr),
    ("hvsmr2", _hvsmr2),
    ("lasc", _lasc),
    ("mmwhs", _mmwhs),
    ("mnms", _mnms),
    ("mnms2", _mnms2),
    ("msd", _msd),
    ("myops", _myops),
    ("nnunet", _nnunet),
    ("png", _png),
    ("sunnybrook", _sunnybrook),
)
"""Kind of each layout, as `--data KIND:FOLDER` takes it, and its reader."""


def read_dataset(spec: str, scheme: LabelScheme | None = None) -> Dataset:
    """List the cases of a data set; no image is opened.

    Parameters
    ----------
    spec
        `KIND:FOLDER`, such as `acdc:data/acdc`; the kinds are in `READERS`.
    scheme
        Scheme to read the labels in, the data set's own or a coarser one; None is its own.

    Raises
    ------
    DatasetError
        If the spec names no kind or an unknown one, or the folder has another layout.
    LabelError
        If the labels cannot be read in `scheme`.

    Examples
    --------
    >>> try:
    ...     read_dataset("acdc")
    ... except DatasetError as error:
    ...     print(str(error)[:77])
    'acdc' does not name a data set; write one of acdc:FOLDER, camus:FOLDER, emid
    """
    kind, colon, folder = spec.partition(":")
    for name, reader in READERS:
        if name == kind and colon and folder:
            source = f"{kind}:{Path(folder).resolve()}"
            dataset = replace(reader(folder, scheme), source=source)
            return dataset if scheme is None else dataset.read_as(scheme)
    kinds = ", ".join(f"{name}:FOLDER" for name, _ in READERS)
    raise DatasetError(f"{spec!r} does not name a data set; write one of {kinds}")
