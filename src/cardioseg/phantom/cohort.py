"""A seeded cohort of synthetic hearts: short-axis stacks at two phases, and whole-heart volumes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cardioseg.core.case import Case
from cardioseg.core.geometry import Geometry
from cardioseg.core.labels import ACDC, MYOCARDIUM_BLOOD, LabelScheme
from cardioseg.core.volume import LabelMap, Volume
from cardioseg.phantom.acquisition import Acquisition, acquire, refined
from cardioseg.phantom.anatomy import HeartShape, Variant
from cardioseg.phantom.contrast import CINE, WHOLE_HEART, Contrast
from cardioseg.phantom.draw import contracted, draw_heart
from cardioseg.phantom.grids import short_axis_grid, whole_heart_grid
from cardioseg.phantom.organs import draw_thorax
from cardioseg.phantom.scene import label, rasterise
from cardioseg.phantom.thorax import Thorax

Phase = Literal["ED", "ES"]

FRAMES: dict[Phase, int] = {"ED": 1, "ES": 12}
"""Cine frame of each phase, as the cases name it."""

MIXTURE: tuple[Variant, ...] = (
    "normal",
    "dilated_rv",
    "normal",
    "septal_defect",
    "normal",
    "mirrored",
    "normal",
    "single_ventricle",
)
"""Variants of a cohort's subjects, in turn."""


@dataclass(frozen=True)
class PhantomCase:
    """Everything that makes one image and its labels; both are computed when asked for.

    Parameters
    ----------
    id, subject
        Names, as in `Case`.
    heart
        The heart at this phase.
    thorax
        What lies around it.
    geometry
        Grid of image and labels.
    acquisition
        How the image is taken.
    scheme
        Numbering of the labels.
    noise_seed
        Seeds of texture, shading and noise.
    phase
        `ED`, `ES`, or empty for a still volume.
    """

    id: str
    subject: str
    heart: HeartShape
    thorax: Thorax
    geometry: Geometry
    acquisition: Acquisition
    scheme: LabelScheme
    noise_seed: tuple[int, ...]
    phase: Phase | Literal[""] = ""

    def image(self) -> Volume:
        """The MR image; the same bytes at every call."""
        fine = refined(self.geometry, self.acquisition.samples)
        tissues = rasterise(self.heart, fine, self.thorax)
        image = acquire(tissues, self.acquisition, np.random.default_rng(self.noise_seed))
        return Volume(image.array, self.geometry)

    def labels(self) -> LabelMap:
        """The labels at the voxel centres, following the slices' motion."""
        shifts = self.acquisition.shifts_mm
        if not shifts:
            return label(self.heart, self.geometry, self.scheme)
        slices = [
            label(self.heart, _slice_grid(self.geometry, k, shift), self.scheme).array
            for k, shift in enumerate(shifts)
        ]
        return LabelMap(np.concatenate(slices, axis=2), self.geometry, self.scheme)

    def case(self) -> Case:
        """The same as a lazy `Case`; its group is the heart's variant."""
        frame = FRAMES[self.phase] if self.phase else None
        return Case(
            self.id, self.subject, self.image, self.labels, frame, self.phase, self.heart.variant
        )


def _slice_grid(geometry: Geometry, k: int, shift_mm: tuple[float, float]) -> Geometry:
    """Slice k where its patient lay: moved along the first two axes."""
    affine = np.array(geometry.affine)
    affine[:3, 3] = geometry.to_world((0, 0, k)) + geometry.directions[:, :2] @ shift_mm
    return Geometry((*geometry.shape[:2], 1), affine)


def phantom_case(
    seed: int,
    index: int,
    variant: Variant = "normal",
    phase: Phase = "ED",
    scheme: LabelScheme = ACDC,
    size: int = 160,
) -> PhantomCase:
    """A short-axis cine stack of one synthetic subject, at one phase.

    Parameters
    ----------
    seed, index
        Name the subject: the same two give the same heart, scanner and noise.
    variant
        Anatomy.
    phase
        `ED` or `ES`; both lie on one grid.
    scheme
        Numbering of the labels.
    size
        Rows and columns of a slice.

    Examples
    --------
    >>> case = phantom_case(0, 3, phase="ES")
    >>> case.id, case.subject, case.labels().scheme.name
    ('phantom_003_frame12', 'phantom_003', 'acdc')
    """
    heart, thorax = _subject(seed, index, variant)
    scan = np.random.default_rng((seed, index, 1))
    geometry = short_axis_grid(heart, size, scan)
    acquisition = _drawn_acquisition(scan, CINE, geometry, (2, 2, 4))
    acquisition = replace(acquisition, shifts_mm=_drawn_shifts(scan, geometry))
    ejection = float(np.clip(scan.normal(0.58, 0.08), 0.3, 0.72))
    subject, frame = f"phantom_{index:03d}", FRAMES[phase]
    return PhantomCase(
        id=f"{subject}_frame{frame:02d}",
        subject=subject,
        heart=heart if phase == "ED" else contracted(heart, ejection),
        thorax=thorax,
        geometry=geometry,
        acquisition=acquisition,
        scheme=scheme,
        noise_seed=(seed, index, 1 + frame),
        phase=phase,
    )


def whole_heart_case(
    seed: int,
    index: int,
    variant: Variant = "normal",
    scheme: LabelScheme = MYOCARDIUM_BLOOD,
    spacing_mm: float = 1.2,
) -> PhantomCase:
    """An isotropic volume of the whole heart and its great vessels, axes stored as P-I-R.

    Parameters
    ----------
    seed, index
        Name the subject; its heart is the one of `phantom_case`.
    variant
        Anatomy.
    scheme
        `myocardium_blood` or `hvsmr2` (`acdc` labels the ventricles only).
    spacing_mm
        Side of a voxel.

    Examples
    --------
    >>> whole_heart_case(0, 0).geometry.orientation
    'PIR'
    """
    heart, thorax = _subject(seed, index, variant)
    scan = np.random.default_rng((seed, index, 2))
    geometry = whole_heart_grid(heart, spacing_mm)
    acquisition = _drawn_acquisition(scan, WHOLE_HEART, geometry, (2, 2, 1))
    acquisition = replace(acquisition, noise_sd=1.6 * acquisition.noise_sd)
    subject = f"phantom_{index:03d}"
    return PhantomCase(
        f"{subject}_whole", subject, heart, thorax, geometry, acquisition, scheme, (seed, index, 3)
    )


def cohort(
    count: int,
    seed: int,
    scheme: LabelScheme = ACDC,
    variants: tuple[Variant, ...] = MIXTURE,
    size: int = 160,
) -> tuple[Case, ...]:
    """Short-axis cases of `count` subjects, end diastole and end systole of each.

    Parameters
    ----------
    count
        Number of subjects, named phantom_000, phantom_001, ...
    seed
        The same seed gives the same bytes.
    scheme
        Numbering of the labels.
    variants
        Anatomies that the subjects take in turn.
    size
        Rows and columns of a slice.

    Examples
    --------
    >>> [case.id for case in cohort(2, seed=0)][:3]
    ['phantom_000_frame01', 'phantom_000_frame12', 'phantom_001_frame01']
    """
    return tuple(
        phantom_case(seed, n, variants[n % len(variants)], phase, scheme, size).case()
        for n in range(count)
        for phase in FRAMES
    )


def _subject(seed: int, index: int, variant: Variant) -> tuple[HeartShape, Thorax]:
    rng = np.random.default_rng((seed, index, 0))
    return draw_heart(rng, variant), draw_thorax(rng)


def _drawn_acquisition(
    rng: np.random.Generator, contrast: Contrast, geometry: Geometry, samples: tuple[int, int, int]
) -> Acquisition:
    gain = float(rng.uniform(0.75, 1.25))
    return Acquisition(
        contrast=contrast.varied(rng).scaled(gain),
        spacing_mm=geometry.spacing,
        samples=samples,
        bias=float(rng.uniform(0.25, 0.8)),
        noise_sd=float(rng.uniform(2.5, 6.0)) * gain,
    )


def _drawn_shifts(rng: np.random.Generator, geometry: Geometry) -> tuple[tuple[float, float], ...]:
    """Breath-hold shifts in steps of half a voxel, so that image and labels move alike."""
    steps: NDArray[np.float64] = np.array(geometry.spacing[:2]) / 2
    drawn = np.rint(rng.normal(0, 1.0, (geometry.shape[2], 2)) / steps) * steps
    return tuple((float(a), float(b)) for a, b in drawn)
