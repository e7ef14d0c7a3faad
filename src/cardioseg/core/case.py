"""A case: one image, its labels if there are any, and whose they are."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from cardioseg.core.geometry import require_same_grid
from cardioseg.core.volume import LabelMap, Volume
from cardioseg.errors import DatasetError


@dataclass(frozen=True)
class Case:
    """One frame of one subject; arrays are read from disk when asked for, not before.

    Parameters
    ----------
    id
        Unique name within the data set, such as `patient002_frame01`.
    subject
        Whose heart it is; all frames of a subject share it and never part.
    load_image
        Reads the image.
    load_labels
        Reads the reference labels; None where there are none.
    frame
        Number of the cine frame; None for a still volume.
    phase
        `ED`, `ES` or empty where unknown.
    group
        Pathology group as the data set names it, or empty.
    orientation_known
        False where the data set lost the patient's orientation.
    """

    id: str
    subject: str
    load_image: Callable[[], Volume] = field(repr=False)
    load_labels: Callable[[], LabelMap] | None = field(default=None, repr=False)
    frame: int | None = None
    phase: str = ""
    group: str = ""
    orientation_known: bool = True

    def image(self) -> Volume:
        """Read the image."""
        return self.load_image()

    def labels(self) -> LabelMap:
        """Read the reference labels.

        Raises
        ------
        DatasetError
            If the case has none.
        """
        if self.load_labels is None:
            raise DatasetError(f"case {self.id} has no reference labels")
        return self.load_labels()

    def pair(self) -> tuple[Volume, LabelMap]:
        """Read image and labels and check that they lie on one grid."""
        image, labels = self.image(), self.labels()
        require_same_grid(labels.geometry, image.geometry, f"case {self.id}: labels and image")
        return image, labels


_SHOWN = re.compile(r"(.+?)_(?:(?:(?:2CH|4CH|SA|LA)_)?(?:ED|ES)|C0|DE|T2)")
"""Names that tell the phase, perhaps after a view, or the sequence: CAMUS, M&Ms, M&Ms-2, MyoPS."""

_PHASE = re.compile(r".+_(ED|ES)")


def subject_of(name: str) -> str:
    """The subject in a case's name: what stands before frame, view, phase or sequence.

    Examples
    --------
    >>> subject_of("patient002_frame01"), subject_of("pat4")
    ('patient002', 'pat4')
    >>> subject_of("patient0001_4CH_ED"), subject_of("myops_training_101_DE")
    ('patient0001', 'myops_training_101')
    >>> subject_of("A0S9V9_ES"), subject_of("pat4_frame09_ES")
    ('A0S9V9', 'pat4')
    """
    match = _SHOWN.fullmatch(name)
    plain = match[1] if match else name
    return plain.split("_frame", maxsplit=1)[0] or name


def phase_of(name: str) -> str:
    """`ED` or `ES` where a case's name ends in it, else empty.

    Examples
    --------
    >>> phase_of("patient0001_4CH_ED"), phase_of("A0S9V9_ES"), phase_of("patient002_frame01")
    ('ED', 'ES', '')
    """
    match = _PHASE.fullmatch(name)
    return match[1] if match else ""
