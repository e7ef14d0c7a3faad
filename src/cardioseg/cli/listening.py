"""`listen`: a DICOM node that segments what it is sent."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from cardioseg.cli.console import fail, say, tell_which

if TYPE_CHECKING:
    from cardioseg.inference.segmenter import Segmenter
    from cardioseg.service.node import NodeOptions

_USAGE = 2
_MB = 10**6


def listen(
    port: Annotated[int, typer.Option("--port", help="Port; 0 takes a free one.")],
    ae_title: Annotated[str, typer.Option("--ae-title", help="Our AE title: 1 to 16 letters.")],
    model: Annotated[
        str, typer.Option("--model", help="Installed model, model folder, or baseline: otsu, ...")
    ] = "sax",
    host: Annotated[
        str, typer.Option("--host", help="Address; the default is reached from here only.")
    ] = "127.0.0.1",
    send_to: Annotated[
        list[str] | None,
        typer.Option(
            "--send-to",
            help="Where SEG and SR go, AE@HOST:PORT; of several the one that has the sender's "
            "AE title, else the first.",
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", help="Folder that keeps SEG and SR, one a job.")
    ] = None,
    quiet: Annotated[
        float, typer.Option("--quiet", help="Seconds of silence after which a study is whole.")
    ] = 5.0,
    max_mb: Annotated[
        int, typer.Option("--max-mb", help="Most that waiting studies may take, MB.")
    ] = 4000,
    max_associations: Annotated[
        int, typer.Option("--max-associations", help="Connections at once.")
    ] = 4,
) -> None:
    """Receive MR studies by C-STORE, segment their short-axis series, send SEG and SR.

    Runs until Ctrl-C. Log lines name jobs by random ids; images are deleted when their job ends.

    Example:
      cardioseg listen --port 11112 --ae-title CARDIOSEG --send-to ARCHIVE@127.0.0.1:4242
    """
    from cardioseg.io.dicom_network import parse_peer
    from cardioseg.service.node import NodeOptions
    from cardioseg.service.settings import is_loopback

    if not send_to and output is None:
        fail("nowhere to put results: give --send-to AE@HOST:PORT, --output FOLDER or both", _USAGE)
    if quiet < 0 or max_mb < 1 or max_associations < 1:
        fail("--quiet, --max-mb and --max-associations cannot be that small", _USAGE)
    if not is_loopback(host):
        say(f"warning: {host} may be reached from other machines, and DICOM asks for no password")
    options = NodeOptions(
        destinations=tuple(parse_peer(words) for words in send_to or ()),
        output=output,
        quiet_s=quiet,
        most_bytes=max_mb * _MB,
    )
    tell_which(model, baselines=True)
    _serve(_segmenter(model), (ae_title, host, port, max_associations), options)


def _segmenter(model: str) -> Segmenter:
    from cardioseg.baselines.folder import open_baseline
    from cardioseg.baselines.names import is_baseline
    from cardioseg.inference.predictor import load_model

    return open_baseline(model) if is_baseline(model) else load_model(model)


def _serve(segmenter: Segmenter, place: tuple[str, str, int, int], options: NodeOptions) -> None:
    """Listen until Ctrl-C or a request to end."""
    from functools import partial

    from cardioseg.io.dicom_network import Receiver, send
    from cardioseg.service.node import Node
    from cardioseg.service.place import server_folder
    from cardioseg.workflows.study_job import segment_study

    title, host, port, associations = place
    stop = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        stop.set()

    former = {each: signal.signal(each, end) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        with server_folder(None) as folder:
            node = Node(
                folder,
                partial(segment_study, segmenter),
                lambda paths, peer: send(paths, peer, title),
                options,
                say,
            )
            with Receiver(title, (host, port), node, associations) as receiver:
                say(f"listening as {title} on {host}:{receiver.port}; Ctrl-C ends")
                node.run(stop)
    finally:
        for each, handler in former.items():
            signal.signal(each, handler)
    say("stopped; received files are deleted")
