"""Figures: what they show, without looking at pixels."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from cardioseg.core.geometry import Geometry
from cardioseg.core.labels import ACDC
from cardioseg.core.volume import LabelMap, Volume
from cardioseg.errors import GeometryError
from cardioseg.evaluation import (
    Report,
    Row,
    box_plots,
    class_frequency_figure,
    comparison_figure,
    learning_curves,
    png_bytes,
)
from cardioseg.evaluation.views import View, view

GRID = Geometry((40, 30, 6), np.diag([1.0, 2.0, 9.0, 1.0]))


def heart():
    array = np.zeros(GRID.shape, np.uint8)
    array[10:20, 8:20, 1:5] = 2
    array[13:17, 11:16, 1:5] = 3
    return LabelMap(array, GRID, ACDC)


def image(grid=GRID):
    values = np.random.default_rng(0).normal(size=grid.shape).astype(np.float32)
    return Volume(values, grid)


class TestComparison:
    def test_one_row_a_slice_one_column_a_label_map(self):
        figure = comparison_figure(image(), {"reference": heart(), "A": heart(), "B": heart()})
        panels = figure.axes
        assert len(panels) == 3 * 4
        assert [p.get_title() for p in panels[:4]] == ["image", "reference", "A", "B"]
        assert [p.get_ylabel() for p in panels[::4]] == ["slice 1", "slice 3", "slice 4"]
        assert not panels[0].collections
        assert len(panels[1].collections) == 2
        assert png_bytes(figure, dpi=40).startswith(b"\x89PNG")

    def test_pixels_keep_their_proportion(self):
        # Array axis 0 (1 mm) runs to the right, axis 1 (2 mm) runs down.
        panel = comparison_figure(image(), {"reference": heart()}).axes[0]
        assert panel.get_aspect() == pytest.approx(2.0)

    def test_contours_lie_on_the_structure(self):
        figure = comparison_figure(
            image(), {"reference": heart()}, slices=[2], orientation_known=False
        )
        panel = figure.axes[1]
        vertices = np.concatenate([p.vertices for p in panel.collections[0].get_paths()])
        # The crop leaves all 30 rows (8 to 19 and 20 mm around) and all 40 columns.
        assert vertices.min(axis=0) == pytest.approx([9.5, 7.5])
        assert vertices.max(axis=0) == pytest.approx([19.5, 19.5])

    def test_empty_labels_and_a_flat_image_are_drawn(self):
        empty = LabelMap(np.zeros(GRID.shape, np.uint8), GRID, ACDC)
        flat = Volume(np.zeros(GRID.shape, np.float32), GRID)
        assert png_bytes(comparison_figure(flat, {"reference": empty}), dpi=30)

    def test_image_alone(self):
        assert len(comparison_figure(image(), {}, slices=[0]).axes) == 1

    def test_refusals(self):
        other = Geometry(GRID.shape, np.diag([1.0, 2.0, 8.0, 1.0]))
        with pytest.raises(GeometryError, match="reference and image"):
            comparison_figure(image(other), {"reference": heart()})
        with pytest.raises(GeometryError, match="choose from 0 to 5"):
            comparison_figure(image(), {"reference": heart()}, slices=[6])
        with pytest.raises(GeometryError, match="axes 0, 1 and 2"):
            comparison_figure(image(), {}, slice_axis=3)

    def test_without_a_slice_axis_the_last_one_is_shown(self):
        cubic = Geometry(GRID.shape, np.eye(4))
        drawn = LabelMap(heart().array, cubic, ACDC)
        titles = [
            panel.get_ylabel() for panel in comparison_figure(image(cubic), {"a": drawn}).axes
        ]
        last = comparison_figure(image(cubic), {"a": drawn}, slice_axis=2).axes
        assert titles == [panel.get_ylabel() for panel in last]


class TestView:
    @pytest.mark.parametrize("axis", [0, 1, 2])
    @pytest.mark.parametrize("flips", [(1, 1, 1), (-1, 1, 1), (1, -1, -1), (-1, -1, -1)])
    @pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 0, 2)])
    def test_rows_run_to_feet_or_back_and_columns_to_the_left_or_back(self, axis, flips, order):
        affine = np.zeros((4, 4))
        affine[3, 3] = 1
        for column, (world, sign) in enumerate(zip(order, flips, strict=True)):
            affine[world, column] = sign
        grid = Geometry((4, 5, 6), affine)
        look = view(grid, axis)
        for world in range(3):
            positions = grid.to_world(np.moveaxis(np.indices(grid.shape), 0, -1))[..., world]
            picture = look.slice(positions, 2)
            down, right = np.diff(picture, axis=0), np.diff(picture, axis=1)
            # World axes are RAS+: everything shown decreases down and to the right.
            assert (down <= 0).all()
            assert (right <= 0).all()

    def test_as_stored_where_the_orientation_is_not_known(self):
        assert view(GRID, 2, orientation_known=False) == View(2, 1, 0)


class TestCharts:
    def report(self, count=8):
        rng = np.random.default_rng(0)
        rows = [
            Row(f"p{n}", f"p{n}", s.name, "dice", float(rng.uniform(0.7, 0.95)))
            for n in range(count)
            for s in ACDC.structures
        ]
        return Report(tuple(rows))

    def test_box_plots(self):
        figure = box_plots({"U-Net 1": self.report(), "U-Net 2": self.report()}, "dice")
        (axes,) = figure.axes
        assert [t.get_text() for t in axes.get_xticklabels()] == [s.name for s in ACDC.structures]
        assert axes.get_ylabel() == "Dice, per volume"
        assert len(axes.patches) == 6
        assert png_bytes(figure, dpi=30)

    def test_box_plots_of_an_undefined_structure(self):
        row = Row("a", "a", "RV cavity", "dice", None, note="absent from both")
        assert png_bytes(box_plots({"A": Report((row,))}, "dice"), dpi=30)

    def test_learning_curves(self):
        epochs = [{"epoch": 1, "loss": 1.0, "seconds": 3.0}, {"epoch": 2, "loss": 0.5, "dice": 0.8}]
        loss, dice = learning_curves(epochs).axes
        assert loss.lines[0].get_xydata().tolist() == [[1, 1.0], [2, 0.5]]
        assert dice.lines[0].get_xydata().tolist() == [[2, 0.8]]
        assert len(loss.lines) == len(dice.lines) == 1
        assert png_bytes(learning_curves([]), dpi=30)

    def test_class_frequency(self):
        shares = {"background": [0.9, 0.94], "myocardium": [0.02, 0.0], "LV cavity": [0.0, 0.0]}
        (axes,) = class_frequency_figure(shares, ACDC).axes
        assert [t.get_text() for t in axes.texts] == ["92 %", "1 %"]
        assert png_bytes(class_frequency_figure(shares, ACDC), dpi=30)


def test_neither_matplotlib_nor_torch_is_imported_to_evaluate():
    code = (
        "import sys, cardioseg.evaluation; "
        "print([m for m in ('matplotlib', 'torch', 'nibabel', 'scipy.stats') if m in sys.modules])"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, text=True
    )
    assert answer.stdout.strip() == "[]"
