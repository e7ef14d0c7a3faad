"""DICOM nodes for tests, on loopback and free ports: one that keeps what it gets, and Orthanc."""

from __future__ import annotations

import json
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pydicom import Dataset
from pynetdicom import AE, AllStoragePresentationContexts, evt
from pynetdicom.sop_class import MRImageStorage, Verification
from tests.dicom_checks import program


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@dataclass
class Archive:
    """A storage SCP that keeps data sets in memory."""

    title: str
    port: int = 0
    kept: list[Dataset] = field(default_factory=list)
    came: threading.Condition = field(default_factory=threading.Condition)

    def store(self, event) -> int:
        dataset = event.dataset
        dataset.file_meta = event.file_meta
        with self.came:
            self.kept.append(dataset)
            self.came.notify_all()
        return 0x0000

    def wait_for(self, count: int, timeout_s: float) -> bool:
        with self.came:
            return self.came.wait_for(lambda: len(self.kept) >= count, timeout_s)


@contextmanager
def archive(title: str = "ARCHIVE") -> Iterator[Archive]:
    made = Archive(title)
    entity = AE(ae_title=title)
    entity.supported_contexts = AllStoragePresentationContexts
    server = entity.start_server(
        ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, made.store)]
    )
    made.port = server.socket.getsockname()[1]
    try:
        yield made
    finally:
        entity.shutdown()


def send_images(paths: list[Path], port: int, called: str, calling: str = "SCANNER") -> list[int]:
    """C-STORE files; the statuses."""
    entity = AE(ae_title=calling)
    entity.add_requested_context(MRImageStorage)
    association = entity.associate("127.0.0.1", port, ae_title=called)
    assert association.is_established
    try:
        return [association.send_c_store(path).Status for path in paths]
    finally:
        association.release()


def echo(port: int, called: str) -> int | None:
    """C-ECHO; the status, or None where the association is refused."""
    entity = AE(ae_title="PROBE")
    entity.add_requested_context(Verification)
    association = entity.associate("127.0.0.1", port, ae_title=called)
    if not association.is_established:
        return None
    try:
        return association.send_c_echo().Status
    finally:
        association.release()


@dataclass(frozen=True)
class Orthanc:
    """A running Orthanc: its two ports, and whether its DICOMweb plugin is there."""

    dicom: int
    http: int
    web: bool

    def get(self, path: str, accept: str = "*/*") -> bytes:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.http}{path}", headers={"Accept": accept}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.read()


PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")


@contextmanager
def orthanc(folder: Path, peers: dict[str, int]) -> Iterator[Orthanc]:
    """Orthanc with an empty storage, listening on loopback only, ended with the block.

    Parameters
    ----------
    folder
        For its configuration, storage and log.
    peers
        Ports of nodes that it may move objects to, by AE title.
    """
    binary = program("Orthanc")
    place = Orthanc(free_port(), free_port(), PLUGIN.exists())
    settings = {
        "Name": "test",
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "storage"),
        "Plugins": [str(PLUGIN)] if place.web else [],
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "HttpServerEnabled": True,
        "HttpPort": place.http,
        "DicomServerEnabled": True,
        "DicomAet": "ORTHANC",
        "DicomPort": place.dicom,
        "DicomAlwaysAllowGet": True,
        "DicomAlwaysAllowMove": True,
        "DicomAlwaysAllowFind": True,
        "DicomModalities": {t: [t, "127.0.0.1", port] for t, port in peers.items()},
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
        "ConcurrentJobs": 1,
        "HttpThreadsCount": 4,
    }
    path = folder / "orthanc.json"
    path.write_text(json.dumps(settings))
    with (folder / "orthanc.log").open("wb") as log:
        process = subprocess.Popen([binary, str(path)], stdout=log, stderr=subprocess.STDOUT)
        try:
            _wait_until_up(place, process, folder / "orthanc.log")
            yield place
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)


def _wait_until_up(place: Orthanc, process: subprocess.Popen, log: Path) -> None:
    for _ in range(300):
        if process.poll() is not None:
            raise AssertionError(f"Orthanc ended by itself: {log.read_text()[-2000:]}")
        try:
            place.get("/system")
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
        else:
            return
    raise AssertionError(f"Orthanc does not answer: {log.read_text()[-2000:]}")
