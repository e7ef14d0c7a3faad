"""What the phantom refuses, and the small parts of its scanner."""

from __future__ import annotations

import numpy as np
import pytest

from cardioseg.core.geometry import Geometry
from cardioseg.core.labels import ACDC, LabelScheme, Structure
from cardioseg.core.volume import LabelMap
from cardioseg.errors import GeometryError, LabelError
from cardioseg.phantom import (
    CINE,
    LATE_ENHANCEMENT,
    T1_WEIGHTED,
    WHOLE_HEART,
    Acquisition,
    Contrast,
    Tissue,
    TissueMap,
    acquire,
    draw_heart,
)
from cardioseg.phantom.shapes import Ellipsoid, Frame

GRID = Geometry((4, 4, 6), np.diag([1.0, 1.0, 2.0, 1.0]))


def labels_of(values: np.ndarray) -> LabelMap:
    return LabelMap(values.astype(np.uint8), GRID, ACDC)


def clean(signal: dict[int, float], **choices: object) -> Acquisition:
    return Acquisition(Contrast("test", signal), bias=0.0, noise_sd=0.0, **choices)  # type: ignore[arg-type]


def test_an_unknown_variant_lists_the_known_ones() -> None:
    with pytest.raises(LabelError, match="'fontan'; known: normal, dilated_rv"):
        draw_heart(np.random.default_rng(0), "fontan")  # type: ignore[arg-type]


def test_a_flat_ellipsoid_is_refused() -> None:
    with pytest.raises(GeometryError, match="positive semi-axes"):
        Ellipsoid(Frame(), (1.0, 0.0, 1.0))


def test_a_plane_outside_of_the_ellipsoid_is_refused() -> None:
    with pytest.raises(GeometryError, match=r"w = -5 mm misses"):
        Ellipsoid(Frame(), (4.0, 4.0, 4.0), floor_mm=-5.0)


def test_a_tissue_map_of_another_shape_is_refused() -> None:
    with pytest.raises(GeometryError, match=r"shape \(2, 2, 2\) on a grid"):
        TissueMap(np.zeros((2, 2, 2), np.uint8), GRID)


@pytest.mark.parametrize("bad", [np.full(GRID.shape, 99, np.uint8), np.zeros(GRID.shape)])
def test_a_tissue_map_holds_tissues(bad: np.ndarray) -> None:
    with pytest.raises(LabelError, match="uint8 values up to 23"):
        TissueMap(bad, GRID)


def test_a_tissue_map_is_read_only_and_independent_of_its_source() -> None:
    source = np.zeros(GRID.shape, np.uint8)
    tissues = TissueMap(source, GRID)
    source[:] = 1
    assert not tissues.array.any()
    assert not tissues.array.flags.writeable


def test_a_scheme_that_the_phantom_does_not_know_is_refused() -> None:
    scheme = LabelScheme("scar", (Structure("scar", 1, "#000000", ("SCT", "0", "scar")),))
    with pytest.raises(LabelError, match="no labels of scheme scar; it has hvsmr2"):
        TissueMap(np.zeros(GRID.shape, np.uint8), GRID).labels(scheme)


def test_a_value_without_signal_is_refused() -> None:
    values = np.zeros(GRID.shape)
    values[0, 0, :2] = (1, 3)
    with pytest.raises(LabelError, match="contrast test has no signal for the values 1, 3"):
        acquire(labels_of(values), clean({2: 1.0}), np.random.default_rng(0))


@pytest.mark.parametrize("choice", [{"samples": (0, 1, 1)}, {"spacing_mm": (1.0, 0.0, 1.0)}])
def test_samples_and_spacing_are_positive(choice: dict[str, object]) -> None:
    with pytest.raises(GeometryError, match="must be positive"):
        clean({1: 1.0}, **choice)


def test_shifts_are_one_for_each_slice() -> None:
    acquisition = clean({2: 1.0}, shifts_mm=((1.0, 0.0),))
    with pytest.raises(GeometryError, match="1 shifts for 6 slices"):
        acquire(labels_of(np.zeros(GRID.shape)), acquisition, np.random.default_rng(0))


def test_a_thick_slice_mixes_what_it_holds() -> None:
    values = np.zeros(GRID.shape)
    values[:, :, 0] = 2
    acquisition = clean({2: 60.0}, spacing_mm=(1.0, 1.0, 6.0), samples=(1, 1, 3))
    image = acquire(labels_of(values), acquisition, np.random.default_rng(0))
    assert image.array[0, 0] == pytest.approx([20.0, 0.0])


def test_opposed_phases_cancel_within_a_voxel_only() -> None:
    values = np.full(GRID.shape, 2)
    values[:, :, :3] = 3
    acquisition = clean({2: 50.0, 3: -50.0}, spacing_mm=(1.0, 1.0, 4.0), samples=(1, 1, 2))
    image = acquire(labels_of(values), acquisition, np.random.default_rng(0))
    assert image.array[0, 0].tolist() == [50.0, 0.0, 50.0]


def test_a_shift_moves_one_slice_along_the_in_plane_axes() -> None:
    values = np.zeros(GRID.shape)
    values[2, 1] = 2
    shifts = ((0.0, 0.0), (1.0, 0.0), (0.0, -1.0), (0.0, 0.0), (0.0, 0.0), (0.0, 0.0))
    acquisition = clean({2: 1.0}, samples=(1, 1, 1), shifts_mm=shifts)
    image = acquire(labels_of(values), acquisition, np.random.default_rng(0)).array
    found = [tuple(np.argwhere(image[..., k])[0].tolist()) for k in range(3)]
    assert found == [(2, 1), (1, 1), (2, 2)]


@pytest.mark.parametrize("contrast", [CINE, LATE_ENHANCEMENT, T1_WEIGHTED, WHOLE_HEART])
def test_every_contrast_names_every_tissue(contrast: Contrast) -> None:
    assert set(contrast.signal) == set(Tissue)


def test_cine_muscle_is_about_a_third_of_blood() -> None:
    assert 0.25 < CINE.signal[Tissue.MYOCARDIUM] / CINE.signal[Tissue.LV] < 0.4


def test_a_scanner_varies_signals_but_keeps_the_original() -> None:
    before = dict(CINE.signal)
    varied = CINE.varied(np.random.default_rng(0))
    assert dict(CINE.signal) == before
    assert varied.signal != CINE.signal
    assert varied.scaled(2.0).signal[Tissue.LV] == 2 * varied.signal[Tissue.LV]
