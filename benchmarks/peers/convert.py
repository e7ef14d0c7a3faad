"""A data set in ACDC's layout as nnU-Net's raw folder, with the split that every arm uses."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from benchmarks.peers.files import write_json

from cardioseg.core.labels import ACDC
from cardioseg.data.splits import Split
from cardioseg.errors import DatasetError
from cardioseg.workflows.inputs import Input, gather_images, gather_labels

DATASET_ID = 27
DATASET = f"Dataset{DATASET_ID:03d}_ACDC"
ENDING = ".nii.gz"


def write_raw(acdc: Path, split: Split, raw: Path) -> tuple[str, ...]:
    """Copy the labelled frames of the split's training and validation subjects.

    Parameters
    ----------
    acdc
        Folder with ACDC's patients.
    split
        Which subjects; others are left out.
    raw
        nnU-Net's folder of data sets (`nnUNet_raw`); `Dataset027_ACDC` is made in it.

    Returns
    -------
    tuple of str
        Case names, such as `patient002_frame01`, sorted.

    Raises
    ------
    DatasetError
        If a subject has no labelled frame, or a file is not gzipped NIfTI.
    """
    cases = labelled(acdc, (*split.training, *split.validation))
    folder = raw / DATASET
    for part in ("imagesTr", "labelsTr"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for image, labels in cases:
        for path in (image.path, labels.path):
            if not path.name.endswith(ENDING):
                raise DatasetError(f"{path}: gzip it; the peers read {ENDING} files")
        shutil.copyfile(image.path, folder / "imagesTr" / f"{image.name}_0000{ENDING}")
        shutil.copyfile(labels.path, folder / "labelsTr" / f"{image.name}{ENDING}")
    names = tuple(image.name for image, _ in cases)
    write_json(folder / "dataset.json", description(len(names)))
    return names


def labelled(acdc: Path, subjects: Sequence[str]) -> tuple[tuple[Input, Input], ...]:
    """Image and label file of every labelled frame of these subjects, sorted by name."""
    wanted = set(subjects)
    labels = {each.name: each for each in gather_labels(acdc)}
    images = [each for each in gather_images([acdc]) if each.subject in wanted]
    found = sorted(
        ((each, labels[each.name]) for each in images if each.name in labels),
        key=lambda pair: pair[0].name,
    )
    missing = sorted(wanted - {image.subject for image, _ in found})
    if missing:
        raise DatasetError(
            f"{acdc}: {len(missing)} subjects of the split have no labelled frame, "
            f"{missing[0]} first"
        )
    return tuple(found)


def description(count: int) -> dict[str, object]:
    """nnU-Net's dataset.json; the numbers of the labels are those of the scheme `acdc`."""
    labels = {structure.name: structure.value for structure in ACDC.structures}
    return {
        "channel_names": {"0": "cineMRI"},
        "labels": {"background": 0, **labels},
        "numTraining": count,
        "file_ending": ENDING,
    }


def fold(split: Split, names: Sequence[str]) -> list[dict[str, list[str]]]:
    """nnU-Net's splits_final.json: one fold, both frames of a patient in one part."""
    parts = {"train": set(split.training), "val": set(split.validation)}
    return [
        {
            part: [name for name in names if Input(name, Path(name)).subject in subjects]
            for part, subjects in parts.items()
        }
    ]
