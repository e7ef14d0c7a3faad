"""Scans made worse on purpose, and scans without a heart, for `benchmarks/quality.py`.

A degradation changes an image and moves the reference along where the array moves, so that the true
Dice stays known. A non-heart has no reference: whatever a model finds in it is wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from cardioseg.core.geometry import Geometry
from cardioseg.core.volume import LabelMap, Volume
from cardioseg.ops.resample import resample_labels, resample_volume
from cardioseg.phantom.acquisition import acquire, refined
from cardioseg.phantom.cohort import phantom_case
from cardioseg.phantom.thorax import paint_thorax
from cardioseg.phantom.tissue import TissueMap

Array = NDArray[np.float32]
Pair = tuple[Volume, LabelMap]
Degradation = Callable[[Volume, LabelMap, np.random.Generator], Pair]
Tone = Callable[[Array, np.random.Generator], Array]

SLICE_MM = 8.0
AIR_HU, FAT_HU, SOFT_HU = -1000.0, -100.0, 60.0


def same(image: Volume, labels: LabelMap, rng: np.random.Generator) -> Pair:
    """Nothing changes."""
    return image, labels


def toned(tone: Tone) -> Degradation:
    """Other intensities; nothing moves. A tone gets (I, J, K) intensities from 0 to 1."""

    def degrade(image: Volume, labels: LabelMap, rng: np.random.Generator) -> Pair:
        low, high = np.percentile(image.array, (0.5, 99.5))
        unit = ((image.array - low) / max(high - low, 1e-6)).clip(0, 1).astype(np.float32)
        return Volume(tone(unit, rng).astype(np.float32), image.geometry), labels

    return degrade


def noise(sd: float) -> Tone:
    """Rician noise; the standard deviation is a share of the range."""
    return lambda unit, rng: np.hypot(
        unit + rng.normal(0, sd, unit.shape), rng.normal(0, sd, unit.shape)
    )


def blur(pixels: float) -> Tone:
    """In-plane blur."""
    return lambda unit, rng: ndimage.gaussian_filter(unit, (pixels, pixels, 0))


def bias(factor: float) -> Tone:
    """A coil on one side: the signal falls by a factor across the slice."""
    return lambda unit, rng: (
        unit * np.exp(-np.log(factor) * np.linspace(0, 1, unit.shape[0]))[:, None, None]
    )


def inverted(unit: Array, rng: np.random.Generator) -> Array:
    """Blood dark, lung bright."""
    return 1 - unit


def gamma(exponent: float) -> Tone:
    """Mid tones darker or brighter."""
    return lambda unit, rng: unit**exponent


def faint(share: float) -> Tone:
    """Contrast squeezed to a share around the middle, then a little noise."""
    return lambda unit, rng: noise(0.05)(0.5 + share * (unit - 0.5), rng)


def ghosts(strength: float) -> Tone:
    """Copies of each slice displaced along the phase direction, as from arrhythmia."""

    def tone(unit: Array, rng: np.random.Generator) -> Array:
        answer = unit.copy()
        for k in range(unit.shape[2]):
            for part in (-1, 1):
                shift = part * int(rng.integers(15, 45))
                answer[:, :, k] += strength * np.roll(unit[:, :, k], shift, axis=1)
        return answer

    return tone


def motion(lines: float) -> Tone:
    """Slices of which a share of the k-space lines was taken with the heart elsewhere."""

    def tone(unit: Array, rng: np.random.Generator) -> Array:
        answer = np.empty_like(unit)
        for k in range(unit.shape[2]):
            here = np.fft.fft2(unit[:, :, k])
            shift = rng.normal(0, 6, 2)
            there = np.fft.fft2(ndimage.shift(unit[:, :, k], shift, order=1, mode="nearest"))
            moved = rng.random(unit.shape[1]) < lines
            answer[:, :, k] = np.abs(np.fft.ifft2(np.where(moved[None, :], there, here)))
        return answer

    return tone


def blanked(share: float) -> Tone:
    """Some slices hold nothing."""

    def tone(unit: Array, rng: np.random.Generator) -> Array:
        answer = unit.copy()
        count = max(1, round(share * unit.shape[2]))
        answer[:, :, rng.choice(unit.shape[2], count, replace=False)] = 0
        return answer

    return tone


def slices_chosen(
    choose: Callable[[LabelMap, np.random.Generator], NDArray[np.intp]],
) -> Degradation:
    """Other slices, or another order; the grid keeps its spacing, as a bad conversion does."""

    def degrade(image: Volume, labels: LabelMap, rng: np.random.Generator) -> Pair:
        return _paired(image, labels, lambda array: array[:, :, choose(labels, rng)])

    return degrade


def every_other(labels: LabelMap, rng: np.random.Generator) -> NDArray[np.intp]:
    """Every second slice."""
    return np.arange(0, labels.array.shape[2], 2)


def shuffled(labels: LabelMap, rng: np.random.Generator) -> NDArray[np.intp]:
    """Slices in a wrong order, the same one at each call."""
    return np.random.default_rng(7).permutation(labels.array.shape[2])


def without_base(labels: LabelMap, rng: np.random.Generator) -> NDArray[np.intp]:
    """The basal third of the heart is not in the stack (slices run from base to apex)."""
    heart = np.flatnonzero(labels.array.any(axis=(0, 1)))
    return np.arange(heart[0] + round(0.4 * len(heart)), labels.array.shape[2])


def without_apex(labels: LabelMap, rng: np.random.Generator) -> NDArray[np.intp]:
    """The apical third of the heart is not in the stack."""
    heart = np.flatnonzero(labels.array.any(axis=(0, 1)))
    return np.arange(0, heart[-1] + 1 - round(0.4 * len(heart)))


def middle_only(labels: LabelMap, rng: np.random.Generator) -> NDArray[np.intp]:
    """Three slices through the middle of the heart."""
    heart = np.flatnonzero(labels.array.any(axis=(0, 1)))
    middle = int(heart[len(heart) // 2])
    return np.arange(middle - 1, middle + 2)


def slices_shifted(sd_mm: float) -> Degradation:
    """Each slice moved in its plane, as by breath holds that differ."""

    def degrade(image: Volume, labels: LabelMap, rng: np.random.Generator) -> Pair:
        steps = np.rint(rng.normal(0, sd_mm / image.geometry.spacing[0], (image.array.shape[2], 2)))

        def move(array: NDArray[np.generic]) -> NDArray[np.generic]:
            moved = [
                np.roll(array[:, :, k], steps[k].astype(int), axis=(0, 1))
                for k in range(array.shape[2])
            ]
            return np.stack(moved, axis=2)

        return _paired(image, labels, move)

    return degrade


def half_of_heart(image: Volume, labels: LabelMap, rng: np.random.Generator) -> Pair:
    """The field of view ends in the middle of the left ventricle."""
    middle = round(float(np.argwhere(labels.mask("LV cavity"))[:, 0].mean()))
    return _paired(image, labels, lambda array: array[: middle + 1])


def tight(image: Volume, labels: LabelMap, rng: np.random.Generator) -> Pair:
    """The field of view ends at the heart."""
    i, j, _ = np.nonzero(labels.array)
    box = (slice(i.min(), i.max() + 1), slice(j.min(), j.max() + 1))
    return _paired(image, labels, lambda array: array[box])


def spaced(factor: float) -> Degradation:
    """A wrong in-plane spacing in the header."""

    def degrade(image: Volume, labels: LabelMap, rng: np.random.Generator) -> Pair:
        i, j, k = image.geometry.spacing
        return _on_grid(image.array, labels.array, labels, (i * factor, j * factor, k))

    return degrade


def turned(image: Volume, labels: LabelMap, rng: np.random.Generator) -> Pair:
    """Rows and columns turned by 90 degrees."""
    return _paired(image, labels, lambda array: np.rot90(array, axes=(0, 1)))


def mirrored(image: Volume, labels: LabelMap, rng: np.random.Generator) -> Pair:
    """The first axis runs the other way: a mirror image of the patient."""
    return _paired(image, labels, lambda array: array[::-1])


def coarse(spacing_mm: float) -> Degradation:
    """A larger in-plane pixel, but smaller than the distance of slices: it stays a stack."""

    def degrade(image: Volume, labels: LabelMap, rng: np.random.Generator) -> Pair:
        i, j, k = image.geometry.shape
        a, b, c = image.geometry.spacing
        pixel = min(spacing_mm, 0.9 * c)
        shape = (round(i * a / pixel), round(j * b / pixel), k)
        return _resampled(image, labels, shape, (pixel, pixel, c))

    return degrade


def long_axis(image: Volume, labels: LabelMap, rng: np.random.Generator) -> Pair:
    """Slices along the heart's axis: the stack cut the other way, 1.5 mm pixels, 8 mm apart."""
    i, j, k = np.multiply(image.geometry.shape, image.geometry.spacing)
    shape = (int(i / SLICE_MM), int(j / 1.5), int(k / 1.5))
    fine, marked = _resampled(image, labels, shape, (SLICE_MM, 1.5, 1.5))
    return _on_grid(
        fine.array.transpose(1, 2, 0), marked.array.transpose(1, 2, 0), labels, (1.5, 1.5, SLICE_MM)
    )


DEGRADATIONS: dict[str, Degradation] = {
    "none": same,
    "noise, a tenth of the range": toned(noise(0.1)),
    "noise, a quarter of the range": toned(noise(0.25)),
    "noise, half of the range": toned(noise(0.5)),
    "blur of 2 pixels": toned(blur(2)),
    "blur of 4 pixels": toned(blur(4)),
    "coil on one side, factor 20": toned(bias(20)),
    "contrast inverted": toned(inverted),
    "gamma 4": toned(gamma(4)),
    "a tenth of the contrast": toned(faint(0.1)),
    "ghosts of a quarter": toned(ghosts(0.25)),
    "ghosts of a half": toned(ghosts(0.5)),
    "motion in k-space": toned(motion(0.4)),
    "a third of the slices blank": toned(blanked(0.33)),
    "every other slice": slices_chosen(every_other),
    "slices shuffled": slices_chosen(shuffled),
    "no base": slices_chosen(without_base),
    "no apex": slices_chosen(without_apex),
    "three slices": slices_chosen(middle_only),
    "slices shifted, 5 mm": slices_shifted(5),
    "slices shifted, 15 mm": slices_shifted(15),
    "half of the heart in view": half_of_heart,
    "view ends at the heart": tight,
    "spacing halved": spaced(0.5),
    "spacing doubled": spaced(2.0),
    "turned by 90°": turned,
    "mirrored": mirrored,
    "pixels of 4 mm": coarse(4.0),
    "pixels of 7 mm": coarse(7.0),
    "long axis": long_axis,
}

FAULTY = frozenset(
    {
        "a third of the slices blank",
        "every other slice",
        "slices shuffled",
        "no base",
        "no apex",
        "three slices",
        "slices shifted, 15 mm",
        "half of the heart in view",
        "view ends at the heart",
        "spacing halved",
        "spacing doubled",
        "mirrored",
        "pixels of 7 mm",
        "long axis",
    }
)
"""Scans that a person has to hear about even where the contours are right."""


def noise_only(rng: np.random.Generator) -> Volume:
    """White noise on a usual grid."""
    return _stack(np.abs(rng.normal(100, 30, (200, 200, 10))))


def clouds(rng: np.random.Generator) -> Volume:
    """Smooth random blobs of the size of a ventricle."""
    return _stack(ndimage.gaussian_filter(rng.normal(0, 1, (200, 200, 10)), (12, 12, 0.7)) * 1000)


def constant(rng: np.random.Generator) -> Volume:
    """One value everywhere."""
    return _stack(np.full((200, 200, 10), 50.0))


def thorax(rng: np.random.Generator) -> Volume:
    """A phantom's trunk without a heart, in the planes of a short-axis stack."""
    case = phantom_case(int(rng.integers(1000)), 0)
    fine = refined(case.geometry, case.acquisition.samples)
    canvas = np.zeros(fine.shape, np.uint8)
    paint_thorax(canvas, fine, case.thorax)
    plain = replace(case.acquisition, shifts_mm=())
    image = acquire(TissueMap(canvas, fine), plain, rng)
    return Volume(image.array, case.geometry)


def computed_tomography(rng: np.random.Generator) -> Volume:
    """A phantom with a heart whose intensities are those of CT with contrast medium."""
    image = phantom_case(int(rng.integers(1000)), 0).image()
    high = float(np.percentile(image.array, 99.5))
    bright = (image.array / high).clip(0, 1)
    hounsfield = np.where(bright < 0.08, AIR_HU, SOFT_HU + 340 * bright) + rng.normal(
        0, 15, bright.shape
    )
    return Volume(hounsfield.astype(np.float32), image.geometry)


NON_HEARTS: dict[str, Callable[[np.random.Generator], Volume]] = {
    "noise only": noise_only,
    "clouds": clouds,
    "constant": constant,
    "phantom's trunk without a heart": thorax,
    "phantom as CT": computed_tomography,
}


def beside_heart(image: Volume, labels: LabelMap) -> Volume:
    """The larger part of the field of view beside the heart: real tissue, no heart."""
    i = np.flatnonzero(labels.array.any(axis=(1, 2)))
    j = np.flatnonzero(labels.array.any(axis=(0, 2)))
    rows, columns = image.array.shape[:2]
    parts = {
        i[0]: np.s_[: max(i[0] - 8, 1)],
        rows - i[-1]: np.s_[i[-1] + 8 :],
        j[0]: np.s_[:, : max(j[0] - 8, 1)],
        columns - j[-1]: np.s_[:, j[-1] + 8 :],
    }
    array = image.array[parts[max(parts)]]
    return Volume(np.ascontiguousarray(array), _plain(array.shape, image.geometry.spacing))


def _stack(array: NDArray[np.float64]) -> Volume:
    return Volume(array.astype(np.float32), _plain(array.shape, (1.4, 1.4, SLICE_MM)))


def _plain(shape: tuple[int, ...], spacing: tuple[float, float, float]) -> Geometry:
    i, j, k = shape
    return Geometry((i, j, k), np.diag([*spacing, 1.0]))


def _paired(
    image: Volume,
    labels: LabelMap,
    change: Callable[[NDArray[np.generic]], NDArray[np.generic]],
) -> Pair:
    a, b, c = image.geometry.spacing
    return _on_grid(change(image.array), change(labels.array), labels, (a, b, c))


def _on_grid(
    array: NDArray[np.generic],
    marked: NDArray[np.generic],
    labels: LabelMap,
    spacing: tuple[float, float, float],
) -> Pair:
    grid = _plain(array.shape, spacing)
    return (
        Volume(np.ascontiguousarray(array).astype(np.float32), grid),
        LabelMap(np.ascontiguousarray(marked).astype(np.uint8), grid, labels.scheme),
    )


def _resampled(
    image: Volume,
    labels: LabelMap,
    shape: tuple[int, int, int],
    spacing: tuple[float, float, float],
) -> Pair:
    grid = _plain(shape, spacing)
    old = _plain(image.array.shape, image.geometry.spacing)
    soft = [max(n / o - 1, 0) / 2 for n, o in zip(spacing, image.geometry.spacing, strict=True)]
    blurred = ndimage.gaussian_filter(image.array, soft)
    return (
        resample_volume(Volume(blurred, old), grid),
        resample_labels(LabelMap(labels.array, old, labels.scheme), grid),
    )
