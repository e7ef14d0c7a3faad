"""What the DICOM node makes of a series: SEG and SR, or a report that says why there is no SEG."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from tests.dicom_hearts import ring_cine
from tests.dicom_sources import dicom_scan, oblique_grid, write_scan

from cardioseg.core.labels import ACDC, LabelScheme
from cardioseg.core.volume import LabelMap, Volume
from cardioseg.errors import FormatError
from cardioseg.inference.predictor import Prediction, Provenance
from cardioseg.service.person import ENGINE
from cardioseg.workflows import dicom_outputs
from cardioseg.workflows.result import Result
from cardioseg.workflows.study_job import segment_study

MADE = Provenance("drawn", "0" * 16, "none", "native", False, False, 0.0)


@dataclass(frozen=True)
class Drawn:
    """Answers with a disc of blood, within a ring of muscle or without one."""

    has_wall: bool
    scheme: LabelScheme = ACDC
    settings: Mapping[str, str | bool] = field(default_factory=dict)

    def predict(self, volume: Volume) -> Prediction:
        array = np.where(volume.array > 700, 3, 0)
        if self.has_wall:
            array[volume.array < 250] = 2
        return Prediction(LabelMap(array.astype(np.uint8), volume.geometry, ACDC), MADE)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study")
    write_scan(ring_cine(), folder)
    return folder


def comments(report: Dataset) -> list[str]:
    return [
        item.TextValue
        for item in report.ContentSequence
        if item.ConceptNameCodeSequence[0].CodeMeaning == "Comment"
    ]


def numbers(item: Dataset) -> int:
    """Numeric values below a content item."""
    below = item.get("ContentSequence", ())
    return (item.get("ValueType") == "NUM") + sum(numbers(each) for each in below)


def test_a_rejected_series_has_no_seg_and_its_report_no_value(study: Path, tmp_path: Path) -> None:
    lines: list[str] = []
    (path,) = segment_study(Drawn(False), study, tmp_path, "job", lines.append)
    report = dcmread(path)
    assert report.Modality == "SR"
    assert report.CompletionFlag == "PARTIAL"
    assert numbers(report) == 0
    told = comments(report)
    assert told[0] == "quality: reject"
    assert any(each.startswith("reject: ") and "myocardium" in each for each in told)
    assert "series 1 of 1: quality: reject" in lines
    assert any("no SEG" in line for line in lines)


def test_a_series_to_review_is_sent_and_says_so(study: Path, tmp_path: Path) -> None:
    lines: list[str] = []
    written = segment_study(Drawn(True), study, tmp_path, "job", lines.append)
    objects = [dcmread(path) for path in written]
    assert sorted(each.Modality for each in objects) == ["SEG", "SEG", "SR"]
    (report,) = (each for each in objects if each.Modality == "SR")
    assert numbers(report) > 0
    assert comments(report)[0] == "quality: review"
    assert "series 1 of 1: quality: review" in lines


def test_a_series_whose_report_fails_has_no_seg_either(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*given: object) -> None:
        raise FormatError("the report cannot be written")

    monkeypatch.setattr(dicom_outputs, "write_sr", refused)
    lines: list[str] = []
    assert segment_study(Drawn(True), study, tmp_path, "job", lines.append) == ()
    assert lines == ["series 1 of 1: left out: the report cannot be written"]
    assert list(tmp_path.iterdir()) == []


def result() -> Result:
    scan = dicom_scan(oblique_grid())
    grid = scan.scan.frames[0].geometry
    labels = LabelMap(np.full(grid.shape, 3, np.uint8), grid, ACDC)
    made = Provenance(
        "otsu, corrected by a person", "x-corrected", ENGINE, "native", False, False, 0.0
    )
    return Result("heart", scan.scan, {0: labels}, (0,), made, "", source=scan)


def test_labels_that_a_person_corrected_say_so(tmp_path: Path) -> None:
    dicom_outputs.write_seg_of(result(), tmp_path)
    for segment in dcmread(tmp_path / "heart.seg.dcm").SegmentSequence:
        assert segment.SegmentAlgorithmType == "SEMIAUTOMATIC"
        assert segment.SegmentAlgorithmName == "cardioseg otsu, corrected by a person"
        (family,) = segment.SegmentationAlgorithmIdentificationSequence[
            0
        ].AlgorithmFamilyCodeSequence
        assert family.CodeMeaning == "Histogram Analysis"


@pytest.mark.parametrize("lacking", ["DerivationImageSequence", "TrackingID"])
def test_a_report_beside_a_seg_of_another_program_does_not_refer_to_it(
    tmp_path: Path, lacking: str
) -> None:
    dicom_outputs.write_seg_of(result(), tmp_path)
    path = tmp_path / "heart.seg.dcm"
    seg = dcmread(path)
    for item in seg.PerFrameFunctionalGroupsSequence:
        if lacking in item:
            item.DerivationImageSequence = []
    for segment in seg.SegmentSequence:
        segment.pop(lacking, None)
    seg.save_as(path)
    dicom_outputs.write_sr_of(result(), tmp_path)
    report = dcmread(tmp_path / "heart.sr.dcm")
    assert str(seg.SOPInstanceUID) not in str(report)
