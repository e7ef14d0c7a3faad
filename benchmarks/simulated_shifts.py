"""Scans that are not like a model's training scans, made of real ones: one function a shift."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from cardioseg.core.geometry import Geometry
from cardioseg.core.volume import LabelMap, Volume
from cardioseg.ops.grid import Reorientation, Window
from cardioseg.ops.resample import resample_labels, resample_volume

Pair = tuple[Volume, LabelMap]
Shift = Callable[[Volume, LabelMap, np.random.Generator], Pair]
Tone = Callable[[NDArray[np.float32], LabelMap, np.random.Generator], NDArray[np.float32]]


def turned(axes: tuple[int, int, int], flips: tuple[bool, bool, bool]) -> Shift:
    """The array permuted and flipped, its affine kept: the patient is what moves."""
    step = Reorientation(axes, flips)

    def shift(image: Volume, labels: LabelMap, rng: np.random.Generator) -> Pair:
        spacing = np.array(image.geometry.spacing)[list(axes)]
        array = np.ascontiguousarray(step.apply(image.array))
        grid = Geometry(_shape(array), np.diag([*spacing, 1.0]))
        marked = np.ascontiguousarray(step.apply(labels.array))
        return Volume(array, grid), LabelMap(marked, grid, labels.scheme)

    return shift


def resampled(spacing_mm: float) -> Shift:
    """Another in-plane pixel."""

    def shift(image: Volume, labels: LabelMap, rng: np.random.Generator) -> Pair:
        old = image.geometry
        i, j = (
            round(n * s / spacing_mm) for n, s in zip(old.shape[:2], old.spacing[:2], strict=True)
        )
        grid = Geometry(
            (i, j, old.shape[2]), np.diag([spacing_mm, spacing_mm, old.spacing[2], 1.0])
        )
        soft = max(spacing_mm / old.spacing[0] - 1, 0) / 2
        blurred = ndimage.gaussian_filter(image.array, (soft, soft, 0)) if soft else image.array
        at_origin = Geometry(old.shape, np.diag([*old.spacing, 1.0]))
        return (
            resample_volume(Volume(blurred, at_origin), grid),
            resample_labels(LabelMap(labels.array, at_origin, labels.scheme), grid),
        )

    return shift


def padded(before: tuple[int, int], sides: tuple[int, int]) -> Shift:
    """A wider field of view, filled with air; `before` pixels of it come first."""

    def shift(image: Volume, labels: LabelMap, rng: np.random.Generator) -> Pair:
        i, j, k = image.geometry.shape
        shape = (max(sides[0], i + before[0]), max(sides[1], j + before[1]), k)
        window = Window((-before[0], -before[1], 0), shape, (i, j, k))
        grid = Geometry(shape, image.geometry.affine)
        air = float(image.array.min())
        return (
            Volume(window.apply(image.array, fill=air), grid),
            LabelMap(window.apply(labels.array, fill=0), grid, labels.scheme),
        )

    return shift


def in_a_body(sides: tuple[int, int]) -> Shift:
    """A whole body's field of view: the scan amid tissue of uneven signal, a rim of fat, then air.

    The tissue is drawn: two scales of smooth noise up to the scan's own median of what is no air.
    """

    def shift(image: Volume, labels: LabelMap, rng: np.random.Generator) -> Pair:
        i, j, _ = image.geometry.shape
        corner = ((sides[0] - i) // 2, (sides[1] - j) // 2)
        wide, marked = padded(corner, sides)(image, labels, rng)
        across, along = np.ogrid[
            -1 : 1 : wide.array.shape[0] * 1j, -1 : 1 : wide.array.shape[1] * 1j
        ]
        radius = np.hypot(across / 0.95, along / 0.75)
        bright = float(np.percentile(image.array, 90))
        middle = float(np.median(image.array[image.array > 0.1 * bright]))
        noise = sum(_smooth(rng, radius.shape, width) for width in (3, 20)) / 2
        body = np.where(radius < 0.93, middle * (0.6 + 0.4 * noise), bright)
        outside = np.ones(radius.shape, bool)
        outside[corner[0] : corner[0] + i, corner[1] : corner[1] + j] = False
        filled = wide.array.copy()
        filled[outside & (radius < 1)] = body[outside & (radius < 1), None]
        return Volume(filled.astype(np.float32), wide.geometry), marked

    return shift


def _smooth(rng: np.random.Generator, shape: tuple[int, ...], width: float) -> NDArray[np.float64]:
    """Smooth noise from -1 to 1."""
    noise = ndimage.gaussian_filter(rng.normal(size=shape), width)
    return noise / np.abs(noise).max()


def toned(tone: Tone) -> Shift:
    """Other intensities; nothing moves. A tone gets intensities from 0 to 1."""

    def shift(image: Volume, labels: LabelMap, rng: np.random.Generator) -> Pair:
        low, high = np.percentile(image.array, (0.5, 99.5))
        unit = ((image.array - low) / max(high - low, 1e-6)).clip(0, 1).astype(np.float32)
        return Volume(tone(unit, labels, rng).astype(np.float32), image.geometry), labels

    return shift


def _gamma(exponent: float) -> Tone:
    return lambda unit, labels, rng: unit**exponent


def _noise(unit: NDArray[np.float32], labels: LabelMap, rng: np.random.Generator):
    """Rician noise, standard deviation a tenth of the range."""
    real, imaginary = rng.normal(0, 0.1, (2, *unit.shape))
    return np.hypot(unit + real, imaginary)


def _bias(unit: NDArray[np.float32], labels: LabelMap, rng: np.random.Generator):
    """A coil on one side: the signal falls by a factor of three across the slice."""
    return unit * np.exp(-np.log(3) * np.linspace(0, 1, unit.shape[0]))[:, None, None]


def _bands(unit: NDArray[np.float32], labels: LabelMap, rng: np.random.Generator):
    """Dark bands of steady-state free precession, as an uneven field at 3 T leaves them.

    Four across the slice, each a twentieth of it wide, wherever chance puts them.
    """
    phase = 4 * np.linspace(0, 1, unit.shape[0]) + rng.uniform()
    distance = np.abs(phase - np.round(phase))
    return unit * (1 - 0.8 * np.exp(-((distance / 0.1) ** 2)))[:, None, None]


def _nulled(unit: NDArray[np.float32], labels: LabelMap, rng: np.random.Generator):
    """Late enhancement by a tone curve: muscle's grey nearly black, blood's grey, fat stays bright.

    No mask says where anything is: whatever else is as dark as muscle is nulled with it.
    """
    return np.interp(unit, (0, 0.15, 0.4, 0.75, 1), (0, 0.03, 0.1, 0.5, 0.9))


def _late_enhancement(unit: NDArray[np.float32], labels: LabelMap, rng: np.random.Generator):
    """Healthy muscle nulled, blood grey: factors on the labelled tissue, edges softened.

    The reference draws these edges: the picture is clearer than a scan, and easier.
    """
    factor = np.ones(unit.shape)
    for name, value in (("myocardium", 0.35), ("LV cavity", 0.75), ("RV cavity", 0.75)):
        factor[labels.mask(name)] = value
    return unit * ndimage.gaussian_filter(factor, (0.7, 0.7, 0))


def _low_contrast(unit: NDArray[np.float32], labels: LabelMap, rng: np.random.Generator):
    """Blood moved half way towards the muscle, as without much inflow or at a low flip angle."""
    muscle = float(np.median(unit[labels.mask("myocardium")])) if unit.size else 0.0
    blood = labels.mask("LV cavity") | labels.mask("RV cavity")
    share = ndimage.gaussian_filter(blood.astype(np.float32), (0.7, 0.7, 0))
    return unit - 0.5 * share * (unit - muscle)


def _soft(unit: NDArray[np.float32], labels: LabelMap, rng: np.random.Generator):
    """In-plane blur of one pixel."""
    return ndimage.gaussian_filter(unit, (1.0, 1.0, 0))


def _shape(array: NDArray[np.float32]) -> tuple[int, int, int]:
    i, j, k = array.shape
    return i, j, k


SAME: tuple[int, int, int] = (0, 1, 2)
SHIFTS: dict[str, Shift] = {
    "none": lambda image, labels, rng: (image, labels),
    "turned by 90°": turned((1, 0, 2), (True, False, False)),
    "turned by 180°": turned(SAME, (True, True, False)),
    "turned by 270°": turned((1, 0, 2), (False, True, False)),
    "mirrored, first axis": turned(SAME, (True, False, False)),
    "mirrored, second axis": turned(SAME, (False, True, False)),
    "slices in reverse": turned(SAME, (False, False, True)),
    "pixels of 1 mm": resampled(1.0),
    "pixels of 2 mm": resampled(2.0),
    "528 x 528 pixels, air around": padded((130, 130), (528, 528)),
    "528 x 528 pixels, a body around": in_a_body((528, 528)),
    "heart 120 pixels off the middle": padded((240, 0), (0, 0)),
    "gamma 0.6": toned(_gamma(0.6)),
    "gamma 1.6": toned(_gamma(1.6)),
    "noise of a tenth of the range": toned(_noise),
    "coil on one side, factor 3": toned(_bias),
    "dark bands, as at 3 T": toned(_bands),
    "blur of one pixel": toned(_soft),
    "late enhancement by a tone curve": toned(_nulled),
    "late enhancement drawn by the reference": toned(_late_enhancement),
    "half the contrast of blood, by the reference": toned(_low_contrast),
}
