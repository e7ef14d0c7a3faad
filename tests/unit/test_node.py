"""The DICOM node's bookkeeping: when a study is whole, what is refused, deleted, sent and told."""

from __future__ import annotations

import queue
import threading
import time
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.uid import MRImageStorage
from pynetdicom import AE, AllStoragePresentationContexts, evt
from tests.dicom_peers import archive
from tests.dicom_series import noise, oblique, write_series

from cardioseg.errors import FormatError, NetworkError, WriteError
from cardioseg.io.dicom_network import (
    Peer,
    Receiver,
    Uids,
    _entity,
    _store,
    parse_peer,
    require_title,
    send,
)
from cardioseg.service import node as node_module
from cardioseg.service.node import Node, NodeOptions

ARCHIVE, SCANNER = Peer("ARCHIVE", "127.0.0.1", 4242), Peer("SCANNER", "127.0.0.1", 104)


def uids(study: str, instance: str, series: str = "7") -> Uids:
    return Uids(study, f"{study}.{series}", f"{study}.{series}.{instance}")


class Bench:
    """A node with a work and a peer that only note what they are given."""

    def __init__(self, tmp_path: Path, work=None, send=None, **options) -> None:
        self.folder = tmp_path / "temporary"
        self.folder.mkdir()
        self.lines: list[str] = []
        self.worked: list[list[bytes]] = []
        self.sent: list[tuple[list[str], Peer]] = []
        self.done = threading.Event()
        settings = {"quiet_s": 0.05, "retry_s": 0.01, "destinations": (ARCHIVE, SCANNER), **options}
        self.node = Node(
            self.folder, work or self.work, send or self.send, NodeOptions(**settings), self.tell
        )
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.node.run, args=(self.stop,), daemon=True)
        self.thread.start()

    def work(self, incoming, output, job, tell):
        self.worked.append([path.read_bytes() for path in sorted(incoming.glob("*.dcm"))])
        tell("series 1 of 1: segmented")
        output.mkdir()
        (output / f"{job}.seg.dcm").write_bytes(b"SEG")
        return (output / f"{job}.seg.dcm",)

    def send(self, paths, peer):
        self.sent.append(([path.read_text() for path in paths], peer))

    def tell(self, line):
        self.lines.append(line)
        if "ended after" in line or "deleted" in line:
            self.done.set()

    def wait(self):
        assert self.done.wait(5), self.lines
        self.stop.set()
        self.thread.join(5)


@pytest.fixture
def bench(tmp_path, monkeypatch):
    monkeypatch.setattr(node_module, "STEP_S", 0.01)
    made = []

    def make(**options):
        made.append(Bench(tmp_path, **options))
        return made[-1]

    yield make
    for each in made:
        each.stop.set()
        each.thread.join(5)


def test_a_study_is_worked_on_when_its_associations_have_ended(bench):
    it = bench()
    assert it.node.receive(1, "SCANNER", uids("1.2.3", "1"), b"one")
    assert it.node.receive(2, "SCANNER", uids("1.2.3", "2"), b"two")
    it.node.released(1)
    time.sleep(0.2)
    assert it.worked == []
    it.node.released(2)
    it.wait()
    assert it.worked == [[b"one", b"two"]]
    assert list(it.folder.iterdir()) == []


def test_results_go_to_the_peer_that_has_the_senders_title_else_to_the_first(bench):
    it = bench()
    it.node.receive(1, "SCANNER", uids("1.2.3", "1"), b"one")
    it.node.released(1)
    assert it.done.wait(5)
    it.done.clear()
    it.node.receive(2, "ELSEWHERE", uids("1.2.3", "1"), b"one")
    it.node.released(2)
    it.wait()
    assert it.sent == [(["SEG"], SCANNER), (["SEG"], ARCHIVE)]


def test_log_lines_name_the_job_and_nothing_of_the_study(bench):
    it = bench()
    it.node.receive(1, "SCANNER", uids("1.2.3.4.5", "1"), b"Probe^Invented")
    it.node.released(1)
    it.wait()
    jobs = {line.split(":")[0] for line in it.lines}
    assert len(jobs) == 1
    assert not any(words in line for line in it.lines for words in ("1.2.3.4.5", "Probe"))


def test_what_goes_beyond_the_limit_is_refused(bench):
    it = bench(most_bytes=5, quiet_s=60.0)
    assert it.node.receive(1, "SCANNER", uids("1.2.3", "1"), b"1234")
    assert not it.node.receive(1, "SCANNER", uids("1.2.3", "2"), b"56")
    assert it.node.receive(1, "SCANNER", uids("9.9.9", "1"), b"5")
    assert not it.node.receive(2, "SCANNER", uids("9.9.9", "2"), b"6")


def test_a_study_whose_connection_was_broken_is_not_worked_on(bench):
    it = bench()
    it.node.receive(1, "SCANNER", uids("1.2.3", "1"), b"one")
    it.node.broken(1)
    it.wait()
    assert it.worked == []
    assert "not whole: a connection was broken; deleted, send it again" in it.lines[-1]
    assert list(it.folder.iterdir()) == []


@pytest.mark.parametrize("quiet_s", [0.05, 0.3])
def test_a_study_that_is_sent_again_after_a_break_is_worked_on(bench, quiet_s):
    """Whether or not its first part has been deleted by then."""
    it = bench(quiet_s=quiet_s)
    it.node.receive(1, "SCANNER", uids("1.2.3", "1"), b"one")
    it.node.broken(1)
    time.sleep(0.15)
    for number in (1, 2):
        it.node.receive(2, "SCANNER", uids("1.2.3", f"{number}"), b"new")
    it.done.clear()
    it.node.released(2)
    it.wait()
    assert [each[-2:] for each in it.worked] == [[b"new", b"new"]]


def test_only_an_association_that_began_after_a_break_makes_up_for_it(bench):
    it = bench(quiet_s=0.2)
    for number in (1, 2):
        it.node.receive(number, "SCANNER", uids("1.2.3", f"{number}"), b"one")
    it.node.broken(1)
    it.node.released(2)
    it.wait()
    assert it.worked == []


def test_what_is_left_of_a_deleted_study_is_not_whole_without_the_rest(bench):
    it = bench()
    it.node.receive(1, "SCANNER", uids("1.2.3", "1"), b"one")
    it.node.broken(1)
    assert it.done.wait(5)
    it.done.clear()
    it.node.receive(2, "SCANNER", uids("1.2.3", "2"), b"two")
    it.node.released(2)
    it.wait()
    assert it.worked == []
    assert "not whole: 1 objects are missing" in it.lines[-1]


def test_a_study_with_a_refused_object_waits_for_it(bench):
    it = bench(most_bytes=5, quiet_s=0.2)
    assert it.node.receive(1, "SCANNER", uids("9.9.9", "9"), b"1234")
    assert not it.node.receive(2, "SCANNER", uids("1.2.3", "1"), b"12")
    it.node.released(1)
    assert it.done.wait(5)
    it.done.clear()
    assert it.node.receive(2, "SCANNER", uids("1.2.3", "2"), b"34")
    assert it.node.receive(2, "SCANNER", uids("1.2.3", "1"), b"12")
    it.node.released(2)
    it.wait()
    assert it.worked == [[b"1234"], [b"34", b"12"]]


def test_a_study_with_a_refused_object_is_not_worked_on_without_it(bench):
    it = bench(most_bytes=5)
    assert it.node.receive(1, "SCANNER", uids("1.2.3", "1"), b"1234")
    assert not it.node.receive(1, "SCANNER", uids("1.2.3", "2"), b"56")
    it.node.released(1)
    it.wait()
    assert it.worked == []
    assert "not whole: 1 objects are missing; deleted, send it again" in it.lines[-1]


def test_an_object_that_cannot_be_written_is_refused_and_leaves_nothing(bench, monkeypatch):
    it = bench()
    assert it.node.receive(1, "SCANNER", uids("1.2.3", "1"), b"one")
    written = Path.write_bytes

    def full(path, data):
        written(path, data[:1])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        assert not it.node.receive(1, "SCANNER", uids("1.2.3", "2"), b"two")
        assert not it.node.receive(1, "SCANNER", uids("4.5.6", "3"), b"one")
    assert [path.read_bytes() for path in it.folder.rglob("*.dcm")] == [b"one"]
    it.node.released(1)
    it.wait()
    assert it.worked == []


def send_part(it, association, objects):
    """One association; ended when the node has done with it."""
    it.done.clear()
    for series, instance in objects:
        data = f"{series}{instance}".encode()
        it.node.receive(association, "SCANNER", uids("1.2.3", instance, series), data)
    it.node.released(association)
    assert it.done.wait(5), it.lines


def test_a_later_part_of_a_series_that_was_worked_on_is_left_out(bench):
    it = bench()
    send_part(it, 1, [("a", "1"), ("a", "2")])
    send_part(it, 2, [("a", "3"), ("b", "1"), ("a", "4")])
    assert it.worked == [[b"a1", b"a2"], [b"b1"]]
    assert any("left out 1 series of which another part was worked on" in e for e in it.lines)
    send_part(it, 3, [("a", "1"), ("a", "2")])
    assert "nothing to send" in "".join(it.lines[-3:])
    assert len(it.worked) == 2
    assert list(it.folder.iterdir()) == []
    send_part(it, 4, [("a", f"{number}") for number in range(1, 6)])
    assert it.worked[2:] == [[b"a1", b"a2", b"a3", b"a4", b"a5"]]


def test_what_was_worked_on_is_forgotten_after_a_while_but_not_while_more_comes(bench):
    it = bench(oldest_s=0.3)
    send_part(it, 1, [("a", "1"), ("a", "2")])
    time.sleep(0.2)
    it.node.receive(2, "SCANNER", uids("1.2.3", "3", "a"), b"a3")
    time.sleep(0.2)
    it.done.clear()
    it.node.released(2)
    assert it.done.wait(5), it.lines
    assert it.worked == [[b"a1", b"a2"]]
    time.sleep(0.5)
    send_part(it, 3, [("a", "3")])
    assert it.worked == [[b"a1", b"a2"], [b"a3"]]


def test_a_study_that_never_ends_is_deleted(bench):
    it = bench(oldest_s=0.1)
    it.node.receive(1, "SCANNER", uids("1.2.3", "1"), b"one")
    it.wait()
    assert it.worked == []
    assert list(it.folder.iterdir()) == []


def test_a_study_that_is_whole_may_wait_longer_than_the_oldest_age(bench):
    worked = []

    def slow(incoming, output, job, tell):
        time.sleep(0.4)
        worked.append(job)
        return ()

    it = bench(work=slow, oldest_s=0.2, quiet_s=0.0)
    for number in (1, 2):
        it.node.receive(number, "SCANNER", uids(f"1.2.{number}", "1"), b"one")
    for number in (1, 2):
        it.node.released(number)
    deadline = time.monotonic() + 5
    while len(worked) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(worked) == 2, it.lines
    assert not any("never whole" in line for line in it.lines)


@pytest.mark.parametrize(
    ("error", "told", "untold"),
    [
        (FormatError("no DICOM file"), "failed: no DICOM file", "xyz"),
        (RuntimeError("Probe^Invented"), "failed: RuntimeError", "Probe"),
    ],
)
def test_a_study_that_fails_is_told_and_deleted_and_the_next_one_is_done(
    bench, error, told, untold
):
    def broken(incoming, output, job, tell):
        raise error

    it = bench(work=broken)
    it.node.receive(1, "SCANNER", uids("1.2.3", "1"), b"one")
    it.node.released(1)
    it.wait()
    assert any(told in line for line in it.lines)
    assert not any(untold in line for line in it.lines)
    assert list(it.folder.iterdir()) == []
    assert it.sent == []


def test_sending_is_tried_again(bench):
    tries = []

    def refused_once(paths, peer):
        tries.append(peer)
        if len(tries) == 1:
            raise NetworkError("ARCHIVE: cannot be reached")

    it = bench(send=refused_once)
    it.node.receive(1, "X", uids("1.2.3", "1"), b"one")
    it.node.released(1)
    it.wait()
    assert len(tries) == 2
    assert any("attempt 1 of 3" in line for line in it.lines)
    assert any("1 objects sent to ARCHIVE" in line for line in it.lines)


def test_results_are_kept_where_that_is_asked_for(bench, tmp_path):
    it = bench(output=tmp_path / "kept", destinations=())
    it.node.receive(1, "X", uids("1.2.3", "1"), b"one")
    it.node.released(1)
    it.wait()
    (folder,) = (tmp_path / "kept").iterdir()
    assert [path.read_bytes() for path in folder.iterdir()] == [b"SEG"]


def test_results_that_cannot_be_kept_are_sent_all_the_same(bench, tmp_path, monkeypatch):
    def full(path, data):
        raise WriteError(f"{path}: cannot be written: No space left on device")

    monkeypatch.setattr(node_module, "write_bytes", full)
    it = bench(output=tmp_path / "kept")
    it.node.receive(1, "X", uids("1.2.3", "1"), b"one")
    it.node.released(1)
    it.wait()
    assert it.sent == [(["SEG"], ARCHIVE)]
    assert any("not kept: " in line and "No space left" in line for line in it.lines)
    assert not any("failed" in line for line in it.lines)


@pytest.mark.parametrize("words", ["", "ARCHIVE", "ARCHIVE@host", "@h:1", "A@h:99999", "A@h:0"])
def test_what_is_no_peer_is_told(words):
    with pytest.raises(NetworkError):
        parse_peer(words)


@pytest.mark.parametrize("title", ["", "   ", "SEVENTEEN_LETTERS", "BACK\\SLASH", "É"])
def test_what_is_no_title_is_told(title):
    with pytest.raises(NetworkError, match="AE title"):
        require_title(title)


def objects(folder: Path, count: int) -> list[Path]:
    grid = oblique((4, 3, count))
    write_series(folder, noise(grid), grid)
    return sorted(folder.iterdir())


def test_a_peer_that_aborts_between_objects_is_told_as_one_that_may_be_tried_again(tmp_path):
    came = []

    def aborted(event):
        came.append(event)
        event.assoc.abort()
        return 0x0000

    entity = AE(ae_title="ARCHIVE")
    entity.supported_contexts = AllStoragePresentationContexts
    server = entity.start_server(
        ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, aborted)]
    )
    peer = Peer("ARCHIVE", "127.0.0.1", server.socket.getsockname()[1])
    paths = objects(tmp_path, 3)
    association = _entity("SENDER")
    association.add_requested_context(MRImageStorage)
    try:
        with pytest.raises(NetworkError):
            send(paths, peer, "SENDER")
        ended = association.associate(peer.host, peer.port, ae_title=peer.title)
        ended.abort()
        with pytest.raises(NetworkError, match="ARCHIVE: has ended the association"):
            _store(ended, paths[0], peer)
    finally:
        entity.shutdown()
    assert len(came) == 1


class Notes:
    """A sink that notes how associations end, and takes everything."""

    def __init__(self) -> None:
        self.objects: list[str] = []
        self.ends: queue.Queue[str] = queue.Queue()

    def receive(self, association, sender, uids, data):
        self.objects.append(uids)
        return True

    def released(self, association):
        self.ends.put("released")

    def broken(self, association):
        self.ends.put("broken")


@pytest.mark.parametrize("ending", ["released", "aborted", "cut", "unreadable"])
def test_how_an_association_ends_is_told(tmp_path, ending):
    notes = Notes()
    paths = objects(tmp_path, 2)
    entity = AE(ae_title="SCANNER")
    entity.add_requested_context(MRImageStorage)
    with Receiver("NODE", ("127.0.0.1", 0), notes) as receiver:
        association = entity.associate("127.0.0.1", receiver.port, ae_title="NODE")
        statuses = []
        for path in paths:
            image = dcmread(path)
            if ending == "unreadable" and path == paths[0]:
                del image.StudyInstanceUID
            statuses.append(association.send_c_store(image).Status)
        if ending == "aborted":
            association.abort()
        elif ending == "cut":
            association.dul.socket.close()
        else:
            association.release()
        assert notes.ends.get(timeout=10) == ("released" if ending == "released" else "broken")
    assert statuses[1] == 0x0000
    assert (statuses[0] == 0xC000) == (ending == "unreadable")
    last = dcmread(paths[1])
    assert notes.objects[-1] == Uids(
        last.StudyInstanceUID, last.SeriesInstanceUID, last.SOPInstanceUID
    )


def test_more_objects_than_an_association_has_contexts_are_sent(tmp_path):
    with archive() as results:
        send(objects(tmp_path, 2) * 70, Peer("ARCHIVE", "127.0.0.1", results.port), "SENDER")
        assert results.wait_for(140, 5)


def test_an_address_of_version_6_is_a_peer():
    assert parse_peer("A B@[::1]:104") == Peer("A B", "::1", 104)
