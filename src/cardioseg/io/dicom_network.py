"""DICOM over the network: objects sent by C-STORE, objects received by C-STORE, C-ECHO answered."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from pydicom import dcmread
from pydicom.uid import (
    EnhancedMRImageStorage,
    LegacyConvertedEnhancedMRImageStorage,
    MRImageStorage,
)
from pynetdicom import AE, ALL_TRANSFER_SYNTAXES, evt
from pynetdicom.pdu import A_RELEASE_RQ

from cardioseg.errors import NetworkError

VERIFICATION = "1.2.840.10008.1.1"
SUCCESS = 0x0000
OUT_OF_RESOURCES = 0xA700
CANNOT_UNDERSTAND = 0xC000

ACCEPTED = (MRImageStorage, EnhancedMRImageStorage, LegacyConvertedEnhancedMRImageStorage)
"""What the node takes: MR images; all else is refused when the association is made."""

TIMEOUT_S = 30.0

_UID_TAGS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")

_PEER = re.compile(r"(?P<title>[^@]+)@(?P<host>\[[0-9a-fA-F:]+\]|[^:@]+):(?P<port>\d{1,5})")
_TITLE = re.compile(r"[ -\[\]-~]{1,16}")


@dataclass(frozen=True)
class Peer:
    """A DICOM node: its AE title and address.

    Raises
    ------
    NetworkError
        If the title is not 1 to 16 plain letters, or the port not 1 to 65535.
    """

    title: str
    host: str
    port: int

    def __post_init__(self) -> None:
        require_title(self.title)
        if not 1 <= self.port <= 65535:
            raise NetworkError(f"port {self.port}: choose 1 to 65535")


def parse_peer(words: str) -> Peer:
    """A peer from AE@HOST:PORT.

    Raises
    ------
    NetworkError
        If the words are not of that form.

    Examples
    --------
    >>> parse_peer("ARCHIVE@127.0.0.1:4242")
    Peer(title='ARCHIVE', host='127.0.0.1', port=4242)
    """
    found = _PEER.fullmatch(words)
    if found is None:
        raise NetworkError(
            f"{words!r}: a DICOM node is named AE@HOST:PORT, as ARCHIVE@10.0.0.5:104"
        )
    return Peer(found["title"], found["host"].strip("[]"), int(found["port"]))


def require_title(title: str) -> None:
    """Refuse what is no AE title.

    Raises
    ------
    NetworkError
        If it is empty, longer than 16 letters, or holds a backslash or what is not ASCII.
    """
    if not _TITLE.fullmatch(title) or not title.strip():
        raise NetworkError(f"AE title {title!r}: 1 to 16 ASCII letters, without a backslash")


def send(paths: Sequence[Path], peer: Peer, title: str) -> None:
    """Store objects at a peer, in one association.

    Parameters
    ----------
    paths
        DICOM files.
    peer
        Where they go.
    title
        Our own AE title.

    Raises
    ------
    NetworkError
        If the peer cannot be reached, refuses the association or an object.
    """
    headers = [dcmread(path, stop_before_pixels=True) for path in paths]
    entity = _entity(title)
    # Each once: an association has no more than 128.
    contexts = ((each.SOPClassUID, each.file_meta.TransferSyntaxUID) for each in headers)
    for kind, syntax in dict.fromkeys(contexts):
        entity.add_requested_context(kind, syntax)
    association = entity.associate(peer.host, peer.port, ae_title=peer.title)
    if not association.is_established:
        raise NetworkError(
            f"{peer.title} at {peer.host}:{peer.port}: cannot be reached or refuses; check title, "
            "address and port, and that the node knows ours"
        )
    try:
        for path in paths:
            _store(association, path, peer)
    finally:
        association.release()


def _store(association: Any, path: Path, peer: Peer) -> None:
    try:
        status = association.send_c_store(path)
    except ValueError as error:
        raise NetworkError(f"{peer.title}: does not take this kind of object") from error
    except RuntimeError as error:
        raise NetworkError(f"{peer.title}: has ended the association") from error
    code = status.Status if status else None
    # Bxxx are warnings: stored, with something coerced.
    if code != SUCCESS and (code is None or code >> 12 != 0xB):
        told = "no answer" if code is None else f"status {code:04X}"
        raise NetworkError(f"{peer.title}: has not stored an object ({told})")


def _entity(title: str) -> Any:
    entity = AE(ae_title=title)
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = TIMEOUT_S
    entity.connection_timeout = TIMEOUT_S
    return entity


@dataclass(frozen=True)
class Uids:
    """What an object's header says it is, and belongs to."""

    study: str
    series: str
    instance: str


class Sink(Protocol):
    """Where received objects go; called from the threads of the associations."""

    def receive(self, association: int, sender: str, uids: Uids, data: bytes) -> bool:
        """Take one object as a DICOM file's bytes; False if there is no room for it."""
        ...

    def released(self, association: int) -> None:
        """An association has ended as it should: its sender has sent all."""
        ...

    def broken(self, association: int) -> None:
        """An association has ended otherwise, or with an object that could not be read."""
        ...


class Receiver:
    """A storage SCP, listening from the block's beginning to its end.

    Parameters
    ----------
    title
        Our AE title; callers must name it.
    address
        Host and port; port 0 takes a free one.
    sink
        Where objects go.
    associations
        How many may be open at once; further ones are refused.

    Raises
    ------
    NetworkError
        If the title is none, or the address cannot be listened on.
    """

    def __init__(
        self, title: str, address: tuple[str, int], sink: Sink, associations: int = 4
    ) -> None:
        require_title(title)
        self._address, self._sink = address, sink
        self._released: set[int] = set()
        self._unreadable: set[int] = set()
        self._entity = _entity(title)
        self._entity.maximum_associations = associations
        self._entity.require_called_aet = True
        for kind in ACCEPTED:
            self._entity.add_supported_context(kind, ALL_TRANSFER_SYNTAXES)
        self._entity.add_supported_context(VERIFICATION)
        self._server: Any = None

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return int(self._server.socket.getsockname()[1])

    def __enter__(self) -> Receiver:
        handlers = [
            (evt.EVT_C_STORE, self._stored),
            (evt.EVT_PDU_RECV, self._told),
            (evt.EVT_CONN_CLOSE, self._ended),
        ]
        try:
            self._server = self._entity.start_server(
                self._address, block=False, evt_handlers=handlers
            )
        except OSError as error:
            host, port = self._address
            raise NetworkError(
                f"{host}:{port}: cannot be listened on: {error.strerror or error}; "
                "choose another port (--port) or address (--host)"
            ) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._entity.shutdown()

    def _stored(self, event: Any) -> int:
        data = event.encoded_dataset()
        sender = str(event.assoc.requestor.ae_title)
        try:
            header = dcmread(io.BytesIO(data), specific_tags=list(_UID_TAGS))
            uids = Uids(
                str(header.StudyInstanceUID),
                str(header.get("SeriesInstanceUID", "")),
                str(header.SOPInstanceUID),
            )
        except Exception:
            # Whatever a peer sends must not end the node.
            self._unreadable.add(id(event.assoc))
            return CANNOT_UNDERSTAND
        taken = self._sink.receive(id(event.assoc), sender, uids, data)
        return SUCCESS if taken else OUT_OF_RESOURCES

    def _told(self, event: Any) -> None:
        # In the thread that also closes the connection: a handler of the release may come later.
        if isinstance(event.pdu, A_RELEASE_RQ):
            self._released.add(id(event.assoc))

    def _ended(self, event: Any) -> None:
        association = id(event.assoc)
        well = association in self._released and association not in self._unreadable
        self._released.discard(association)
        self._unreadable.discard(association)
        if well:
            self._sink.released(association)
        else:
            self._sink.broken(association)
