"""Damaged on purpose: whatever a byte says, the answer is a scan or an error in words."""

from __future__ import annotations

import random
import warnings
from pathlib import Path

import pytest
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, RLELossless
from tests.dicom_series import noise, oblique, write_enhanced, write_series

from cardioseg.errors import CardiosegError
from cardioseg.io.dicom import choose_series, find_series, read_series

GRID = oblique((20, 18, 2))
HEADER_BYTES = 1500
FIRST_BYTE = 132


def written(folder: Path, kind: str) -> Path:
    if kind == "enhanced":
        return write_enhanced(folder / "a.dcm", noise(GRID, 2), GRID).parent
    if kind == "packed":
        return write_series(
            folder,
            noise(GRID),
            GRID,
            lambda dataset, t, k: dataset.compress(RLELossless, generate_instance_uid=False),
        )
    syntax = ExplicitVRLittleEndian if kind == "plain" else DeflatedExplicitVRLittleEndian
    return write_series(folder, noise(GRID), GRID, syntax=syntax)


@pytest.mark.parametrize("kind", ["plain", "deflated", "packed", "enhanced"])
def test_changed_and_missing_bytes_raise_only_our_errors(tmp_path, kind: str) -> None:
    rng = random.Random(7)
    path = sorted(written(tmp_path, kind).iterdir())[0]
    whole, read, refused = path.read_bytes(), 0, 0
    for _ in range(150):
        data = bytearray(whole)
        for _ in range(rng.choice((1, 3, 20))):
            data[rng.randrange(FIRST_BYTE, min(HEADER_BYTES, len(data)))] = rng.randrange(256)
        if rng.random() < 0.2:
            data = data[: rng.randrange(len(data))]
        path.write_bytes(data)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                read_series(choose_series(find_series(tmp_path)))
                read += 1
            except CardiosegError:
                refused += 1
    assert refused > 20
    assert read + refused == 150
