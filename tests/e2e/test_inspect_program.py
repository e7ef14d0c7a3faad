"""`cardioseg inspect` on a data set, as a script calls it: exit codes, JSON, --fix."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from cardioseg.__main__ import main
from cardioseg.core.labels import ACDC
from cardioseg.core.volume import LabelMap
from cardioseg.io.nifti import read_labels, write_labels
from cardioseg.workflows.phantoms import write_phantoms


@pytest.fixture(scope="module")
def hearts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hearts")
    write_phantoms(folder, 1, seed=0)
    return folder


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["cardioseg", "inspect", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def test_a_clean_set_ends_with_0(hearts, monkeypatch, capsys) -> None:
    assert run(monkeypatch, f"acdc:{hearts}") == 0
    assert "nothing found that is wrong" in capsys.readouterr().out


def test_a_fault_ends_with_3_and_fix_writes_a_copy(hearts, monkeypatch, capsys, tmp_path) -> None:
    shutil.copytree(hearts, tmp_path / "hearts")
    hearts = tmp_path / "hearts"
    path = next(hearts.rglob("*frame01_gt.nii.gz"))
    right = read_labels(path, ACDC)
    swapped = np.array([0, 3, 2, 1], np.uint8)[right.array]
    write_labels(LabelMap(swapped, right.geometry, ACDC), path)
    damaged = path.read_bytes()
    assert run(monkeypatch, f"acdc:{hearts}", "--json", "--fix", str(tmp_path / "copy")) == 3
    told = json.loads(capsys.readouterr().out)
    assert [f["kind"] for f in told["findings"]] == ["label-convention"]
    assert told["copy"]["repaired"] == ["patient001_frame01"]
    assert path.read_bytes() == damaged, "the set itself was changed"
    assert run(monkeypatch, f"nnunet:{tmp_path / 'copy'}") == 0
    mended = read_labels(tmp_path / "copy" / "labelsTr" / "patient001_frame01.nii.gz", ACDC)
    assert np.array_equal(mended.array, right.array)


def test_fix_needs_a_data_set(hearts, monkeypatch, capsys, tmp_path) -> None:
    path = next(hearts.rglob("*frame01.nii.gz"))
    assert run(monkeypatch, str(path), "--fix", str(tmp_path / "copy")) == 1
    assert "--fix repairs a data set" in capsys.readouterr().err
