"""Near copies are found whatever was done to them, other hearts are not; one reading serves all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from cardioseg.core.case import Case
from cardioseg.core.geometry import Geometry
from cardioseg.core.labels import ACDC
from cardioseg.core.volume import LabelMap, Volume
from cardioseg.data.leakage import same_people
from cardioseg.data.looks import Looks, data_digest
from cardioseg.data.near import ISOTROPIC, PICTURE, STACK, near_pairs, thumbnail
from cardioseg.datasets import read_dataset
from cardioseg.errors import DatasetError
from cardioseg.training.config import TrainConfig
from cardioseg.workflows.parts import people_of, prepared_parts

Array = NDArray[np.float32]
NOISE = np.random.default_rng(0)


def chest(subject: int, phase: str) -> Case:
    """Organs that stay where they are around a heart that is smaller at ES; slices of 8 mm."""
    rng = np.random.default_rng(subject)
    organs = ndimage.gaussian_filter(rng.normal(size=(96, 88, 9)), (2.0, 2.0, 0.7))
    middle = 44 + rng.uniform(-6, 6, (2, 1, 1))
    distance = np.hypot(*(np.mgrid[:96, :88] - middle))[..., None]
    radius = 12.0 if phase == "ED" else 8.0
    labels = np.where(distance < radius, 3, np.where(distance < radius + 5, 2, 0))
    labels = np.repeat(labels, 9, axis=2).astype(np.uint8)
    organs *= 0.3 / organs.std()
    array = np.select([labels == 3, labels == 2], [1.0, 0.2], 0.5 + organs)
    image = stack(array + rng.normal(0, 0.02, array.shape))
    name = f"chest{subject}"
    reference = LabelMap(labels, image.geometry, ACDC)
    return Case(f"{name}_{phase}", name, lambda: image, lambda: reference, phase=phase)


@pytest.fixture(scope="module")
def hearts() -> tuple[Case, ...]:
    """ED and ES of five people."""
    return tuple(chest(subject, phase) for subject in range(5) for phase in ("ED", "ES"))


def stack(array: Array) -> Volume:
    grid = Geometry(array.shape, np.diag([1.5, 1.5, 8.0, 1.0]))
    return Volume(np.ascontiguousarray(array, np.float32), grid)


COPIES: dict[str, Callable[[Array], Array]] = {
    "itself": lambda a: a,
    "mirrored": lambda a: a[::-1],
    "turned": lambda a: np.rot90(a, axes=(0, 1)),
    "upside down": lambda a: a[:, :, ::-1],
    "noisy": lambda a: a + NOISE.normal(0, 0.2 * a.std(), a.shape),
    "brighter": lambda a: 3 * a + 40,
    "of eight bits": lambda a: np.round(255 * np.clip(a / np.percentile(a, 99), 0, 1)),
    "of larger voxels": lambda a: ndimage.zoom(a, (0.7, 0.7, 1), order=1),
    "cropped by two voxels": lambda a: a[2:-2, 2:-2],
    "without its last slice": lambda a: a[:, :, :-1],
}


@pytest.mark.parametrize("name", list(COPIES))
def test_a_copy_is_near_whatever_was_done_to_it(name: str, hearts: tuple[Case, ...]) -> None:
    for case in hearts[::2]:
        array = case.image().array
        pictures = [thumbnail(stack(each)) for each in (array, COPIES[name](array))]
        assert list(near_pairs(pictures[:1], pictures[1:])) == [(0, 0)]


def test_other_hearts_are_not_near_and_frames_of_one_are(hearts: tuple[Case, ...]) -> None:
    pictures = [thumbnail(case.image()) for case in hearts]
    found = {(hearts[i].subject, hearts[j].subject) for i, j in near_pairs(pictures, pictures)}
    assert found == {(case.subject, case.subject) for case in hearts}
    pairs = set(near_pairs(pictures, pictures))
    assert all((n, n + 1) in pairs for n in range(0, len(hearts), 2))


def test_frames_under_other_subjects_names_are_one_person(hearts: tuple[Case, ...]) -> None:
    apart = [replace(case, id=f"c{n}", subject=f"s{n}") for n, case in enumerate(hearts)]
    expected = tuple((f"s{n}", f"s{n + 1}") for n in range(0, len(hearts), 2))
    assert same_people(apart) == expected


def test_where_all_look_like_one_the_remedy_is_for_who_has_looked(
    hearts: tuple[Case, ...],
) -> None:
    two = [
        replace(case, id=name, subject=name) for case, name in zip(hearts[:2], "ab", strict=True)
    ]
    with pytest.raises(DatasetError, match=r"2 subjects show nearly .*allow_near_duplicates"):
        people_of(two, print, Looks())


def test_voxels_without_a_longest_side_are_compared_in_every_pose() -> None:
    array = ndimage.gaussian_filter(NOISE.normal(size=(30, 26, 24)), 1.5)
    other = ndimage.gaussian_filter(NOISE.normal(size=(30, 26, 24)), 1.5)
    volumes = [
        Volume(np.ascontiguousarray(each, np.float32), Geometry(each.shape, np.eye(4)))
        for each in (array, array.transpose(2, 0, 1)[::-1], other)
    ]
    pictures = [thumbnail(volume) for volume in volumes]
    assert {each.shape for each in pictures} == {ISOTROPIC}
    assert [pair for pair in near_pairs(pictures, pictures) if pair[0] < pair[1]] == [(0, 1)]


def test_pictures_are_compared_with_pictures() -> None:
    grid = Geometry((80, 70, 1), np.eye(4))
    array = ndimage.gaussian_filter(NOISE.normal(size=(80, 70, 1)), (1.5, 1.5, 0))
    flat, deep = Volume(np.float32(array), grid), stack(np.repeat(array, 9, axis=2))
    pictures = [thumbnail(flat), thumbnail(deep), thumbnail(Volume(np.float32(array[::-1]), grid))]
    assert [each.shape for each in pictures] == [PICTURE, STACK, PICTURE]
    assert [pair for pair in near_pairs(pictures, pictures) if pair[0] < pair[1]] == [(0, 2)]


@pytest.mark.parametrize("array", [np.full((40, 40, 9), 7.0), NOISE.normal(size=(31, 40, 9))])
def test_what_tells_nothing_is_near_to_nothing(array: Array) -> None:
    """One value everywhere, or fewer pixels than a thumbnail has cells."""
    picture = thumbnail(stack(array))
    assert not picture.any()
    assert list(near_pairs([picture], [picture])) == []


def test_a_case_is_read_once_to_look_at_and_once_to_prepare(
    hearts: tuple[Case, ...], tmp_path: Path
) -> None:
    """The split, the leak check, the cache's name and the data's digest share one reading."""
    read: Counter[str] = Counter()

    def counted(case: Case) -> Case:
        def image() -> Volume:
            read[case.id] += 1
            return case.image()

        return replace(case, load_image=image)

    cases = tuple(counted(case) for case in hearts)
    plan = {
        "spacing_mm": 5.0,
        "size": [32, 32],
        "scheme": "acdc",
        "network": {"widths": [2, 4], "classes": 4},
    }
    config = TrainConfig.model_validate({"plan": plan})
    looks = Looks()
    prepared_parts(config, cases, "subjects", tmp_path, lambda line: None, looks)
    data_digest(looks, cases)
    assert set(read.values()) == {2}
    prepared_parts(config, cases, "subjects", tmp_path, lambda line: None, looks)
    assert set(read.values()) == {2}, "prepared and looked at before"
    prepared_parts(config, cases, "subjects", tmp_path, lambda line: None, Looks())
    assert set(read.values()) == {3}, "another run looks once, and finds the slices prepared"


def test_real_frames_of_one_patient_are_near_and_of_two_are_not(acdc_root: Path) -> None:
    """patient074 and patient076 are one person in this copy; the rest are themselves."""
    wanted = {f"patient{n:03d}" for n in (2, 36, 56, 62, 67, 72, 74, 76, 91, 98)}
    cases = [c for c in read_dataset(f"acdc:{acdc_root}").cases if c.subject in wanted]
    pictures = [thumbnail(case.image()) for case in cases]
    found = {
        tuple(sorted({cases[i].subject, cases[j].subject}))
        for i, j in near_pairs(pictures, pictures)
        if i < j
    }
    there = {case.subject for case in cases}
    twins = {("patient074", "patient076")} if {"patient074", "patient076"} <= there else set()
    assert found == {(subject,) for subject in there} | twins
