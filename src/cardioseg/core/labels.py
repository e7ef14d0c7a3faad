"""Label schemes: the only place where a structure has a number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cardioseg.errors import LabelError

Code = tuple[str, str, str]
"""A coded concept: coding scheme, value, meaning."""


PRIVATE_SCHEME = "99CARDIOSEG"
"""Coding scheme of concepts that neither SNOMED CT, LOINC nor DICOM is known to have."""


def _snomed(value: str, meaning: str) -> Code:
    return ("SCT", value, meaning)


@dataclass(frozen=True)
class Structure:
    """One labelled structure.

    Parameters
    ----------
    name
        Plain name, as tables print it.
    value
        Its number in a label map, 1 to 255.
    color
        sRGB hex colour; the palette is safe for colour-blind readers (Okabe and Ito 2008).
    code
        SNOMED CT concept for DICOM objects.
    """

    name: str
    value: int
    color: str
    code: Code

    def __post_init__(self) -> None:
        if not 1 <= self.value <= 255:
            raise LabelError(f"structure {self.name}: value {self.value} is not 1 to 255")


@dataclass(frozen=True)
class LabelScheme:
    """A numbering of structures; 0 is always background.

    Parameters
    ----------
    name
        Name of the scheme, as `--scheme` takes it.
    structures
        The structures, in the order of tables.
    merges
        For each other scheme that this one can be read as: own value to that scheme's value; a
        structure that the other scheme does not have is left out and becomes background.
    apart
        Names of structures that lie in several pieces in a short-axis stack of one heart, as the
        blood of its two ventricles does, scars do, and healthy muscle that a scar parts.

    Examples
    --------
    >>> [(s.name, s.value) for s in ACDC.structures]
    [('RV cavity', 1), ('myocardium', 2), ('LV cavity', 3)]
    """

    name: str
    structures: tuple[Structure, ...]
    merges: Mapping[str, Mapping[int, int]] = field(default_factory=dict, hash=False)
    apart: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len({s.value for s in self.structures}) != len(self.structures):
            raise LabelError(f"scheme {self.name}: two structures share a value")
        if sorted(s.value for s in self.structures) != list(range(1, len(self.structures) + 1)):
            raise LabelError(f"scheme {self.name}: values must be 1, 2, 3, ... without a gap")
        for name in self.apart:
            self.structure(name)

    @property
    def class_count(self) -> int:
        """Number of classes, background included."""
        return len(self.structures) + 1

    def structure(self, name: str) -> Structure:
        """The structure of that name; a LabelError lists the names there are."""
        for structure in self.structures:
            if structure.name == name:
                return structure
        names = ", ".join(s.name for s in self.structures)
        raise LabelError(f"scheme {self.name} has no structure {name!r}; it has: {names}")

    def unknown_values(self, array: NDArray[np.generic]) -> list[float]:
        """Values of an array that the scheme does not know, sorted."""
        if array.dtype.kind in "bu" and array.size and array.max() < self.class_count:
            return []
        values = np.unique(array)
        return [float(v) for v in values if v not in range(self.class_count)]

    def from_source(
        self, array: NDArray[np.generic], source_values: Mapping[int, int], source: str
    ) -> NDArray[np.uint8]:
        """Translate a data set's own numbers into this scheme's.

        Parameters
        ----------
        array
            Label values as the file holds them, any shape.
        source_values
            File value to scheme value; 0 is 0 unless named.
        source
            The case or file, for the error message.

        Raises
        ------
        LabelError
            If the array holds a value that `source_values` does not name.

        Examples
        --------
        >>> ACDC.from_source(np.array([0, 1, 3]), {1: 3, 2: 2, 3: 1}, "case_1").tolist()
        [0, 3, 1]
        """
        table = {0: 0, **source_values}
        answer = np.zeros(array.shape, np.uint8)
        for value in np.unique(array):
            if value not in table:
                known = ", ".join(str(v) for v in sorted(table))
                raise LabelError(
                    f"{source}: label value {value:g} is unknown; expected one of {known}. "
                    "Check that the file is a label map of this data set"
                )
            answer[array == value] = table[value.item()]
        return answer

    def merge_table(self, target: LabelScheme) -> NDArray[np.uint8]:
        """Lookup table (class_count,) uint8 from this scheme's values to `target`'s.

        Raises
        ------
        LabelError
            If this scheme can't be read as `target`.
        """
        if target.name == self.name:
            return np.arange(self.class_count, dtype=np.uint8)
        if target.name not in self.merges:
            choices = ", ".join(sorted({self.name, *self.merges}))
            raise LabelError(
                f"labels of scheme {self.name} cannot be read as {target.name}; possible: {choices}"
            )
        table = np.zeros(self.class_count, np.uint8)
        for value, merged in self.merges[target.name].items():
            table[value] = merged
        return table


_MYOCARDIUM = ("#009E73", _snomed("74281007", "Myocardium"))
_LV = ("#E69F00", _snomed("87878005", "Left ventricle"))
_RV = ("#56B4E9", _snomed("53085002", "Right ventricle"))
_LA = ("#F0E442", _snomed("82471001", "Left atrium"))
_RA = ("#0072B2", _snomed("73829009", "Right atrium"))
_AORTA = ("#D55E00", _snomed("15825003", "Aorta"))
_INFARCT = ("#D55E00", _snomed("55641003", "Infarct"))
_OEDEMA = ("#0072B2", _snomed("79654002", "Edema"))
_PULMONARY = ("#CC79A7", _snomed("81040000", "Pulmonary artery"))

MYOCARDIUM_BLOOD = LabelScheme(
    "myocardium_blood",
    (
        Structure("myocardium", 1, *_MYOCARDIUM),
        Structure("blood pool", 2, "#D55E00", _snomed("87612001", "Blood")),
    ),
    apart=("blood pool",),
)
ACDC = LabelScheme(
    "acdc",
    (
        Structure("RV cavity", 1, *_RV),
        Structure("myocardium", 2, *_MYOCARDIUM),
        Structure("LV cavity", 3, *_LV),
    ),
    merges={"myocardium_blood": {1: 2, 2: 1, 3: 2}, "left_ventricle": {2: 2, 3: 1}},
)
HVSMR2 = LabelScheme(
    "hvsmr2",
    (
        Structure("LV", 1, *_LV),
        Structure("RV", 2, *_RV),
        Structure("LA", 3, *_LA),
        Structure("RA", 4, *_RA),
        Structure("aorta", 5, *_AORTA),
        Structure("pulmonary artery", 6, *_PULMONARY),
        Structure("SVC", 7, "#999999", _snomed("48345005", "Superior vena cava")),
        Structure("IVC", 8, "#7A5195", _snomed("64131007", "Inferior vena cava")),
    ),
    merges={"myocardium_blood": dict.fromkeys(range(1, 9), 2)},
)
MMWHS = LabelScheme(
    "mmwhs",
    (
        Structure("LV", 1, *_LV),
        Structure("RV", 2, *_RV),
        Structure("LA", 3, *_LA),
        Structure("RA", 4, *_RA),
        Structure("myocardium", 5, *_MYOCARDIUM),
        Structure("aorta", 6, *_AORTA),
        Structure("pulmonary artery", 7, *_PULMONARY),
    ),
    merges={"myocardium_blood": {**dict.fromkeys((1, 2, 3, 4, 6, 7), 2), 5: 1}},
)
LEFT_ATRIUM = LabelScheme(
    "left_atrium", (Structure("LA", 1, *_LA),), merges={"myocardium_blood": {1: 2}}
)
LEFT_VENTRICLE = LabelScheme(
    "left_ventricle",
    (Structure("LV cavity", 1, *_LV), Structure("myocardium", 2, *_MYOCARDIUM)),
    merges={"myocardium_blood": {1: 2, 2: 1}},
)
CAMUS = LabelScheme(
    "camus",
    (
        Structure("LV cavity", 1, *_LV),
        Structure("myocardium", 2, *_MYOCARDIUM),
        Structure("LA", 3, *_LA),
    ),
    merges={"left_ventricle": {1: 1, 2: 2}, "myocardium_blood": {1: 2, 2: 1, 3: 2}},
)
EMIDEC = LabelScheme(
    "emidec",
    (
        Structure("LV cavity", 1, *_LV),
        Structure("myocardium", 2, *_MYOCARDIUM),
        Structure("infarct", 3, *_INFARCT),
        Structure("no-reflow", 4, "#0072B2", (PRIVATE_SCHEME, "NO_REFLOW", "No-reflow")),
    ),
    merges={
        "left_ventricle": {1: 1, 2: 2, 3: 2, 4: 2},
        "myocardium_blood": {1: 2, 2: 1, 3: 1, 4: 1},
    },
    apart=("myocardium", "infarct", "no-reflow"),
)
"""Myocardium here is the healthy one; read as another scheme it is the whole wall."""

MYOPS = LabelScheme(
    "myops",
    (
        Structure("LV cavity", 1, *_LV),
        Structure("RV cavity", 2, *_RV),
        Structure("myocardium", 3, *_MYOCARDIUM),
        Structure("oedema", 4, *_OEDEMA),
        Structure("scar", 5, *_INFARCT),
    ),
    merges={
        "acdc": {1: 3, 2: 1, 3: 2, 4: 2, 5: 2},
        "left_ventricle": {1: 1, 3: 2, 4: 2, 5: 2},
        "myocardium_blood": {1: 2, 2: 2, 3: 1, 4: 1, 5: 1},
    },
    apart=("myocardium", "oedema", "scar"),
)
"""Myocardium here is the healthy one; read as another scheme it is the whole wall."""

FOREGROUND = LabelScheme(
    "foreground",
    (Structure("foreground", 1, "#E69F00", (PRIVATE_SCHEME, "FOREGROUND", "Foreground")),),
)
"""What a black and white mask shows, whatever it is: cells under a microscope, say."""

SCHEMES: tuple[LabelScheme, ...] = (
    MYOCARDIUM_BLOOD,
    ACDC,
    HVSMR2,
    MMWHS,
    LEFT_ATRIUM,
    LEFT_VENTRICLE,
    CAMUS,
    EMIDEC,
    MYOPS,
    FOREGROUND,
)


def scheme_named(name: str) -> LabelScheme:
    """The scheme of that name.

    Raises
    ------
    LabelError
        If there is none; the message lists the names.
    """
    for scheme in SCHEMES:
        if scheme.name == name:
            return scheme
    raise LabelError(f"unknown label scheme {name!r}; known: {', '.join(s.name for s in SCHEMES)}")
