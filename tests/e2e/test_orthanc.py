"""A real archive takes source, SEG and SR, and gives them back as they were."""

from __future__ import annotations

import json
from email import message_from_bytes
from io import BytesIO

import highdicom
import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pynetdicom import AE, build_role, evt
from pynetdicom.sop_class import (
    ComprehensiveSRStorage,
    MRImageStorage,
    SegmentationStorage,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
)
from tests.dicom_checks import iod_errors
from tests.dicom_peers import archive, orthanc
from tests.dicom_sources import dicom_scan, oblique_grid, write_scan

from cardioseg.core.labels import ACDC
from cardioseg.core.measurement import Measurement
from cardioseg.core.volume import LabelMap
from cardioseg.io.dicom_network import Peer, send
from cardioseg.io.dicom_objects import Algorithm
from cardioseg.io.dicom_seg import write_seg
from cardioseg.io.dicom_sr import write_sr

KINDS = (MRImageStorage, SegmentationStorage, ComprehensiveSRStorage)


@pytest.fixture(scope="module")
def sent(tmp_path_factory):
    """Orthanc that was sent a cine's images, two SEGs and an SR; the files by instance UID."""
    folder = tmp_path_factory.mktemp("orthanc")
    grid = oblique_grid(signs=(1, -1, -1))
    scan = dicom_scan(grid, phases=2)
    paths = write_scan(scan, folder / "source")
    rng = np.random.default_rng(0)
    maps = [LabelMap(rng.integers(0, 4, grid.shape, np.uint8), grid, ACDC) for _ in range(2)]
    made_by = Algorithm("sax", "0123456789abcdef")
    ed, es = write_seg(maps, scan, [0, 1], folder / "a.seg.dcm", made_by)
    measured = [Measurement("ejection fraction", "LV cavity", 61.5, "%", 55.0, 68.0)]
    measured += [Measurement("volume", "LV cavity", 120.5, "ml", phase="ED")]
    write_sr(measured, scan, folder / "a.sr.dcm", made_by, {"ED": ed, "ES": es})
    paths += [ed.path, es.path, folder / "a.sr.dcm"]
    with archive("MOVED") as moved, orthanc(folder, {"MOVED": moved.port}) as running:
        send(paths, Peer("ORTHANC", "127.0.0.1", running.dicom), "CARDIOSEG")
        yield running, moved, {dcmread(path).SOPInstanceUID: path for path in paths}


def require_same(found: dict[str, Dataset], files) -> None:
    assert set(found) == set(files)
    for uid, path in files.items():
        stored = dcmread(path)
        # The file's meta information is the sender's own; all else is compared.
        assert found[uid].to_json_dict() == stored.to_json_dict(), path.name


def study_of(files) -> Dataset:
    query = Dataset()
    query.QueryRetrieveLevel = "STUDY"
    query.StudyInstanceUID = dcmread(next(iter(files.values()))).StudyInstanceUID
    return query


def test_it_lists_one_study_of_images_seg_and_sr(sent):
    running, _, files = sent
    (study,) = json.loads(running.get("/studies?expand"))
    assert study["PatientMainDicomTags"]["PatientID"] == "INVENTED-0815"
    series = [json.loads(running.get(f"/series/{each}")) for each in study["Series"]]
    counts = {s["MainDicomTags"]["Modality"]: len(s["Instances"]) for s in series}
    assert counts == {"MR": 12, "SEG": 2, "SR": 1}
    assert sum(counts.values()) == len(files)


def test_c_get_gives_back_what_was_stored(sent):
    running, _, files = sent
    found: dict[str, Dataset] = {}

    def keep(event) -> int:
        found[event.dataset.SOPInstanceUID] = event.dataset
        return 0x0000

    entity = AE(ae_title="PROBE")
    entity.add_requested_context(StudyRootQueryRetrieveInformationModelGet)
    for kind in KINDS:
        entity.add_requested_context(kind)
    association = entity.associate(
        "127.0.0.1",
        running.dicom,
        ae_title="ORTHANC",
        ext_neg=[build_role(kind, scp_role=True) for kind in KINDS],
        evt_handlers=[(evt.EVT_C_STORE, keep)],
    )
    assert association.is_established
    answers = association.send_c_get(study_of(files), StudyRootQueryRetrieveInformationModelGet)
    statuses = [status.Status for status, _ in answers]
    association.release()
    assert statuses[-1] == 0x0000
    require_same(found, files)


def test_c_move_sends_it_on(sent):
    running, moved, files = sent
    entity = AE(ae_title="PROBE")
    entity.add_requested_context(StudyRootQueryRetrieveInformationModelMove)
    association = entity.associate("127.0.0.1", running.dicom, ae_title="ORTHANC")
    answers = association.send_c_move(
        study_of(files), "MOVED", StudyRootQueryRetrieveInformationModelMove
    )
    statuses = [status.Status for status, _ in answers]
    association.release()
    assert statuses[-1] == 0x0000
    assert moved.wait_for(len(files), 30)
    require_same({each.SOPInstanceUID: each for each in moved.kept}, files)


def test_dicomweb_gives_back_what_was_stored(sent):
    running, _, files = sent
    if not running.web:
        pytest.skip("Orthanc's DICOMweb plugin is not installed (Debian package orthanc-dicomweb)")
    study = study_of(files).StudyInstanceUID
    series = json.loads(running.get(f"/dicom-web/studies/{study}/series", "application/dicom+json"))
    assert sorted(each["00080060"]["Value"][0] for each in series) == ["MR", "SEG", "SR"]
    answer = running.get(
        f"/dicom-web/studies/{study}", 'multipart/related; type="application/dicom"'
    )
    boundary = answer.splitlines()[0].removeprefix(b"--")
    head = b'Content-Type: multipart/related; boundary="' + boundary + b'"\r\n\r\n'
    parts = message_from_bytes(head + answer).get_payload()
    read = [dcmread(BytesIO(part.get_payload(decode=True))) for part in parts]
    require_same({each.SOPInstanceUID: each for each in read}, files)


def test_what_comes_back_still_says_the_same(sent, tmp_path):
    running, _, files = sent
    identifiers = json.loads(running.get("/instances"))
    assert len(identifiers) == len(files)
    for identifier in identifiers:
        data = running.get(f"/instances/{identifier}/file")
        read = dcmread(BytesIO(data))
        if read.Modality == "MR":
            continue
        path = tmp_path / f"{identifier}.dcm"
        path.write_bytes(data)
        assert iod_errors(path) == []
        if read.Modality == "SR":
            groups = highdicom.sr.srread(path).content.get_volumetric_roi_measurement_groups()
            assert [float(m.value) for g in groups for m in g.get_measurements()] == [120.5]
