"""The slice store: prepared once, opened again, never stale."""

from __future__ import annotations

import io
import tracemalloc
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from cardioseg.core.case import Case
from cardioseg.core.geometry import Geometry
from cardioseg.core.labels import ACDC
from cardioseg.core.volume import LabelMap, Volume
from cardioseg.data.slices import IMAGES, LABELS, store_slices
from cardioseg.errors import DatasetError
from cardioseg.prepare.plan import NetworkPlan, Plan
from cardioseg.prepare.preparation import Preparation

PLAN = Plan(
    spacing_mm=1.5, size=(16, 16), network=NetworkPlan(widths=(2, 2), classes=4), scheme="acdc"
)
GRID = Geometry((12, 14, 3), np.diag([1.5, 1.5, 8.0, 1.0]))


def case(name, value=3, box=slice(2, 6)):
    image = np.random.default_rng(len(name)).normal(size=GRID.shape).astype(np.float32)
    labels = np.zeros(GRID.shape, np.uint8)
    labels[box, box, 1] = value
    return Case(
        name,
        name,
        load_image=lambda: Volume(image, GRID),
        load_labels=lambda: LabelMap(labels, GRID, ACDC),
    )


def test_the_store_holds_what_the_preparation_gives(tmp_path):
    cases = [case("a"), case("bb", 1)]
    store = store_slices(cases, PLAN, tmp_path)
    assert len(store) == 6
    assert store.of_volumes() == {("a", "native"): [0, 1, 2], ("bb", "native"): [3, 4, 5]}
    assert [(e.subject, e.index) for e in store.entries[2:4]] == [("a", 2), ("bb", 0)]
    preparation = Preparation(GRID, PLAN)
    np.testing.assert_allclose(store.images[3:], preparation.slices(cases[1].image()), atol=1e-3)
    np.testing.assert_array_equal(store.labels[3:], preparation.label_slices(cases[1].labels()))


def test_the_arrays_are_mapped_and_a_selection_is_in_memory(tmp_path):
    store = store_slices([case("a")], PLAN, tmp_path)
    assert isinstance(store.images, np.memmap)
    some = store.take(np.array([2, 0]))
    assert [entry.index for entry in some.entries] == [2, 0]
    np.testing.assert_array_equal(some.labels, store.labels[[2, 0]])


def test_the_centre_is_the_middle_of_the_labels_or_of_the_slice(tmp_path):
    marked, empty = case("a"), case("b", value=0)
    store = store_slices([marked, empty], PLAN, tmp_path)
    rows, columns = np.nonzero(store.labels[:3].any(axis=0))
    assert store.entries[0].centre == (
        (rows.min() + rows.max()) / 2,
        (columns.min() + columns.max()) / 2,
    )
    assert store.entries[3].centre == (7.5, 7.5)


def test_the_same_content_is_prepared_once(tmp_path):
    told = []
    store_slices([case("a")], PLAN, tmp_path, lambda done, total: told.append((done, total)))
    assert told == [(0, 1), (1, 1)]
    told.clear()
    store_slices([case("a")], PLAN, tmp_path, lambda done, total: told.append((done, total)))
    assert told == []


@pytest.mark.parametrize("change", ["labels", "plan", "cases"])
def test_other_content_is_never_taken_for_the_same(tmp_path, change):
    before = store_slices([case("a")], PLAN, tmp_path)
    cases, plan = [case("a")], PLAN
    if change == "labels":
        cases = [case("a", box=slice(3, 9))]
    elif change == "plan":
        plan = PLAN.model_copy(update={"spacing_mm": 2.0})
    else:
        cases = [case("a"), case("b")]
    after = store_slices(cases, plan, tmp_path)
    assert after.labels.shape != before.labels.shape or (after.labels != before.labels).any()


def test_the_files_are_those_that_numpy_writes(tmp_path):
    for step, cases in ((1, [case("a"), case("bb", 1), case("ccc", 2)]), (2, [case("a")])):
        store = store_slices(cases, PLAN, tmp_path, step=step)
        for name, array in ((IMAGES, store.images), (LABELS, store.labels)):
            expected = io.BytesIO()
            np.save(expected, np.array(array))
            assert (store.folder / name).read_bytes() == expected.getvalue()


def test_memory_does_not_grow_with_the_number_of_cases(tmp_path):
    plan = PLAN.model_copy(update={"size": (256, 256)})
    store_slices([case("warm")], plan, tmp_path)
    peaks = []
    for count in (2, 20):
        tracemalloc.start()
        store_slices([case("x" * (n + 1)) for n in range(count)], plan, tmp_path)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    prepared = 3 * 256 * 256 * 3  # bytes of one case
    assert peaks[1] - peaks[0] < prepared


def test_what_fails_on_the_way_leaves_no_arrays(tmp_path):
    def unreadable():
        raise DatasetError("no longer there")

    broken = replace(case("b"), load_image=unreadable)
    looks = SimpleNamespace(of=lambda each: SimpleNamespace(exact=each.id))
    with pytest.raises(DatasetError, match="no longer there"):
        store_slices([case("a"), broken], PLAN, tmp_path, looks=looks)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_an_empty_part_and_a_case_without_labels_are_refused(tmp_path):
    with pytest.raises(DatasetError, match="no cases"):
        store_slices([], PLAN, tmp_path)
    with pytest.raises(DatasetError, match="case x has no reference labels"):
        store_slices([Case("x", "x", load_image=case("x").load_image)], PLAN, tmp_path)
    assert not list(tmp_path.rglob("*.npy"))


CUBE = Geometry((6, 5, 4), np.diag([1.5, 1.5, 1.5, 1.0]))
ORTHOGONAL_PLAN = PLAN.model_copy(update={"plane": "orthogonal"})


def cube(name="cube"):
    rng = np.random.default_rng(7)
    image, labels = rng.random(CUBE.shape), rng.integers(0, 4, CUBE.shape).astype(np.uint8)
    labels[0] = 0
    return Case(name, name, lambda: Volume(image, CUBE), lambda: LabelMap(labels, CUBE, ACDC))


def test_an_orthogonal_plan_stores_the_slices_of_all_three_planes(tmp_path):
    case = cube()
    store = store_slices([case], ORTHOGONAL_PLAN, tmp_path)
    volumes = store.of_volumes()
    assert {key: len(found) for key, found in volumes.items()} == {
        ("cube", "axial"): 4,
        ("cube", "coronal"): 5,
        ("cube", "sagittal"): 6,
    }
    for (_, plane), positions in volumes.items():
        preparation = Preparation(CUBE, ORTHOGONAL_PLAN, plane)
        np.testing.assert_array_equal(
            store.labels[positions], preparation.label_slices(case.labels())
        )
        np.testing.assert_allclose(
            store.images[positions], preparation.slices(case.image()), atol=1e-3
        )
        assert [store.entries[i].index for i in positions] == list(range(len(positions)))


def test_a_slice_without_any_label_is_kept(tmp_path):
    store = store_slices([cube()], ORTHOGONAL_PLAN, tmp_path)
    sagittal = store.labels[store.of_volumes()["cube", "sagittal"]]
    assert sorted(each.any() for each in sagittal) == [False, *[True] * 5]


def test_every_nth_slice_of_each_plane_is_stored_and_all_by_default(tmp_path):
    whole = store_slices([cube()], ORTHOGONAL_PLAN, tmp_path)
    some = store_slices([cube()], ORTHOGONAL_PLAN, tmp_path, step=3)
    assert [(e.plane, e.index) for e in some.entries] == [
        ("axial", 0), ("axial", 3), ("coronal", 0), ("coronal", 3), ("sagittal", 0), ("sagittal", 3)
    ]  # fmt: skip
    kept = [whole.entries.index(entry) for entry in some.entries]
    np.testing.assert_array_equal(some.labels, whole.labels[kept])
    np.testing.assert_array_equal(some.images, whole.images[kept])


def test_what_does_not_change_a_slice_prepares_none_anew(tmp_path):
    store_slices([case("a")], PLAN, tmp_path)
    told = []
    network = NetworkPlan(widths=(4, 4), classes=4)
    other = PLAN.model_copy(update={"network": network, "largest_component": True})
    store_slices([case("a")], other, tmp_path, lambda done, total: told.append(done))
    assert told == []
