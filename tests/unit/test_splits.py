"""Parts by subject, and what leaks."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest

from cardioseg.core.case import Case
from cardioseg.core.geometry import Geometry
from cardioseg.core.volume import Volume
from cardioseg.data.leakage import require_no_leak, same_people
from cardioseg.data.looks import Looks
from cardioseg.data.splits import (
    Split,
    folds,
    read_split,
    share_counts,
    split_by_shares,
    split_by_subject,
)
from cardioseg.errors import DatasetError, LeakageError
from cardioseg.prepare.fingerprint import fingerprint
from cardioseg.prepare.plan import NetworkPlan
from cardioseg.workflows.parts import people_of

SUBJECTS = [f"s{n:02d}" for n in range(11)]


def _case(name: str, subject: str, array: np.ndarray) -> Case:
    grid = Geometry(array.shape, np.diag([1.5, 1.5, 8.0, 1.0]))
    return Case(name, subject, partial(Volume, array, grid))


def _random(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(40, 30, 3)).astype(np.float32)


def test_subjects_with_one_image_are_one_person() -> None:
    first, second, third = (_random(seed) for seed in range(3))
    cases = [
        _case("a1", "a", first),
        _case("b1", "b", second),
        _case("c1", "c", first[::-1].copy()),
        _case("c2", "c", third),
        _case("d1", "d", third),
        _case("e1", "e", _random(9)),
    ]
    assert same_people(cases) == (("a", "c", "d"), ("b",), ("e",))


def test_it_is_said_why_all_subjects_are_one_person() -> None:
    images = [_random(seed) for seed in range(3)]
    frames = [_case(f"mouse_t00{n}", f"mouse_t00{n}", each) for n, each in enumerate(images)]
    with pytest.raises(DatasetError, match=r"3 subjects are frames of one scan, mouse, by their"):
        people_of(frames, print, Looks())
    copies = [_case(name, name, images[0]) for name in "ab"]
    with pytest.raises(DatasetError, match="2 subjects hold the same image"):
        people_of(copies, print, Looks())


@pytest.mark.parametrize("seed", range(5))
def test_a_split_covers_every_subject_once_and_is_seeded(seed: int) -> None:
    split = split_by_subject(SUBJECTS, np.random.default_rng(seed))
    assert sorted(split.training + split.validation) == SUBJECTS
    assert split == split_by_subject(SUBJECTS[::-1], np.random.default_rng(seed))


@pytest.mark.parametrize("total", [*range(3, 40), 2136])
@pytest.mark.parametrize("shares", [(7, 2, 1), (1535, 389, 212), (1, 1, 98)])
def test_counts_by_shares_add_up_and_leave_no_part_empty(
    total: int, shares: tuple[int, int, int]
) -> None:
    counts = share_counts(total, shares)
    assert sum(counts) == total
    assert min(counts) >= 1
    exact = [total * share / sum(shares) for share in shares]
    if min(exact) >= 1:
        assert all(abs(c - e) < 1 for c, e in zip(counts, exact, strict=True))


def test_too_few_for_the_parts_are_refused() -> None:
    with pytest.raises(DatasetError, match="2 cannot be split into 3 parts"):
        split_by_shares(["a", "b"], (7, 2, 1), np.random.default_rng(0))


def test_a_split_by_shares_is_seeded_and_covers_every_subject_once() -> None:
    split = split_by_shares(SUBJECTS, (7, 2, 1), np.random.default_rng(1))
    assert sorted(split.training + split.validation + split.test) == SUBJECTS
    assert split == split_by_shares(SUBJECTS[::-1], (7, 2, 1), np.random.default_rng(1))
    assert split != split_by_shares(SUBJECTS, (7, 2, 1), np.random.default_rng(2))


def test_every_subject_is_validated_in_exactly_one_fold() -> None:
    parts = folds(SUBJECTS, 4, np.random.default_rng(0))
    assert sorted(s for part in parts for s in part.validation) == SUBJECTS
    assert all(not set(p.training) & set(p.validation) for p in parts)
    with pytest.raises(DatasetError, match="folds"):
        folds(SUBJECTS, 12, np.random.default_rng(0))


def test_a_subject_in_two_parts_is_refused() -> None:
    with pytest.raises(DatasetError, match="s01"):
        Split(("s00", "s01"), ("s01",))


def test_a_split_is_read_back_as_written(tmp_path: Path) -> None:
    split = Split(("a", "b"), ("c",))
    path = tmp_path / "split.json"
    path.write_text(split.to_json())
    assert read_split(path) == split


@pytest.mark.parametrize(
    "text", ["", "[]", '{"training": ["a"]}', '{"training": 1, "validation": []}']
)
def test_a_broken_split_file_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "split.json"
    path.write_text(text)
    with pytest.raises(DatasetError, match=r"split\.json"):
        read_split(path)


def test_a_part_that_names_an_absent_subject_is_refused() -> None:
    case = _case("a_frame01", "a", _random(0))
    with pytest.raises(DatasetError, match="zz"):
        Split(("zz",), ("a",)).cases([case], "training")


def test_the_same_subject_in_two_parts_leaks() -> None:
    first, second = _case("a_1", "a", _random(0)), _case("a_2", "a", _random(1))
    with pytest.raises(LeakageError, match="subject a"):
        require_no_leak({"training": [first], "validation": [second]})
    require_no_leak({"training": [first, second], "validation": []})


@pytest.mark.parametrize("turn", [lambda a: a, lambda a: a[::-1], lambda a: a.transpose(1, 0, 2)])
def test_the_same_image_under_another_name_leaks_even_mirrored(turn) -> None:
    image = _random(0)
    copy = np.ascontiguousarray(turn(image))
    with pytest.raises(LeakageError, match="same image"):
        require_no_leak(
            {"training": [_case("a", "a", image)], "validation": [_case("b", "b", copy)]}
        )


def test_a_fingerprint_gives_a_plan_that_covers_the_images() -> None:
    cases = [_case(f"c{n}", f"c{n}", _random(n)) for n in range(3)]
    facts = fingerprint(cases)
    assert facts.spacing_mm == (1.5, 1.5, 1.5)
    assert facts.extent_mm == (60.0, 60.0, 60.0)
    plan = facts.plan(NetworkPlan(widths=(4, 8, 16), classes=4), "acdc")
    assert plan.spacing_mm == 1.5
    assert plan.size == (40, 40)
    with pytest.raises(DatasetError, match="no cases"):
        fingerprint([])


def test_the_fingerprint_of_orthogonal_planes_is_of_each_plane():
    grid = Geometry((10, 20, 30), np.diag([1.0, 2.0, 3.0, 1.0]))
    case = Case("c", "c", load_image=lambda: Volume(np.ones(grid.shape), grid))
    facts = fingerprint([case], "orthogonal")
    assert facts.slices == (30, 20, 10)
    assert facts.extent_mm == (40, 90, 90)
    assert facts.spacing_mm == pytest.approx((2**0.5, 3**0.5, 6**0.5))
