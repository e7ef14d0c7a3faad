"""`cardioseg listen`: a study comes in over the network, SEG and SR go to another node."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import highdicom
import numpy as np
import pytest
from tests.dicom_hearts import ring_cine
from tests.dicom_peers import archive, echo, free_port, send_images
from tests.dicom_sources import dicom_scan, oblique_grid, write_scan

IDENTITY = ("Probe", "INVENTED", "ACC-4711", "Doctor", "19700101")
PATIENCE_S = 120


@pytest.fixture(scope="module")
def heart():
    return ring_cine()


class Listener:
    """The program, its port, and the lines that it has told."""

    def __init__(self, process: subprocess.Popen) -> None:
        self.process = process
        self.lines: list[str] = []
        self.told = threading.Condition()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        for line in self.process.stderr:
            with self.told:
                self.lines.append(line.strip())
                self.told.notify_all()

    def wait_for(self, pattern: str) -> re.Match[str]:
        def found():
            return next(filter(None, (re.search(pattern, line) for line in self.lines)), None)

        with self.told:
            self.told.wait_for(lambda: found() or self.process.poll() is not None, PATIENCE_S)
            match = found()
        assert match, self.lines
        return match

    @property
    def port(self) -> int:
        return int(self.wait_for(r"listening as CARDIOSEG on 127.0.0.1:(\d+)")[1])


@contextmanager
def listening(temporary, *options):
    command = [sys.executable, "-m", "cardioseg", "listen", "--port", "0"]
    command += ["--ae-title", "CARDIOSEG", "--model", "otsu", "--quiet", "0.5", *options]
    temporary.mkdir(exist_ok=True)
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(temporary)},
    )
    listener = Listener(process)
    try:
        yield listener
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(10)
        listener.reader.join(10)
        process.stdout.close()
        process.stderr.close()


def test_a_study_sent_to_it_comes_back_as_seg_and_sr(heart, tmp_path):
    images = write_scan(heart, tmp_path / "images")
    kept, temporary = tmp_path / "kept", tmp_path / "temporary"
    with (
        archive("RESULTS") as results,
        listening(
            temporary, "--send-to", f"RESULTS@127.0.0.1:{results.port}", "--output", str(kept)
        ) as node,
    ):
        assert echo(node.port, "CARDIOSEG") == 0x0000
        assert echo(node.port, "SOMEBODY") is None
        assert set(send_images(images, node.port, "CARDIOSEG")) == {0x0000}
        node.wait_for("objects sent to RESULTS")
        job = node.wait_for(r"job (\w+): ended after")[1]
        node.process.send_signal(signal.SIGINT)
        assert node.process.wait(30) == 0
        node.wait_for("stopped")
        assert results.wait_for(3, 1)
    assert sorted(each.Modality for each in results.kept) == ["SEG", "SEG", "SR"]
    source = heart.sources[0][0].dataset
    own = {s.sop_instance_uid for slices in heart.sources for s in slices}
    for each in results.kept:
        assert each.StudyInstanceUID == source.StudyInstanceUID
        assert each.PatientID == source.PatientID
    for each in results.kept[:2]:
        listed = each.ReferencedSeriesSequence[0].ReferencedInstanceSequence
        assert {item.ReferencedSOPInstanceUID for item in listed} < own
        assert np.count_nonzero(each.pixel_array) > 100
    groups = highdicom.sr.ComprehensiveSR.from_dataset(
        results.kept[2]
    ).content.get_volumetric_roi_measurement_groups()
    names = {m.name.meaning for group in groups for m in group.get_measurements()}
    assert {"Left Ventricular ED Volume", "Left Ventricular ES Volume"} <= names
    assert list(temporary.iterdir()) == []
    assert len(list((kept / job).iterdir())) == 3
    told = "\n".join([*node.lines, *(path.name for path in kept.rglob("*"))])
    assert not any(words in told for words in (*IDENTITY, str(source.StudyInstanceUID)))


@contextmanager
def receiving(heart, folder):
    """A node that has received half a study and waits for the rest."""
    images = write_scan(heart, folder / "images")
    with listening(folder / "temporary", *waiting(folder)) as node:
        send_images(images[:3], node.port, "CARDIOSEG")
        node.wait_for("receiving")
        yield node


def waiting(folder):
    return "--output", str(folder / "kept"), "--quiet", "600"


def test_ctrl_c_ends_it_while_a_study_is_coming(heart, tmp_path):
    temporary = tmp_path / "temporary"
    with receiving(heart, tmp_path) as node:
        assert len(list(temporary.rglob("*.dcm"))) == 3
        node.process.send_signal(signal.SIGINT)
        assert node.process.wait(30) == 0
    assert list(temporary.iterdir()) == []


def test_the_next_one_deletes_what_a_killed_one_left(heart, tmp_path):
    temporary = tmp_path / "temporary"
    with receiving(heart, tmp_path) as node:
        node.process.kill()
        node.process.wait(30)
    assert len(list(temporary.rglob("*.dcm"))) == 3
    with listening(temporary, *waiting(tmp_path)) as node:
        assert node.port
        assert list(temporary.rglob("*.dcm")) == []


def test_more_than_its_limit_is_refused(heart, tmp_path):
    source = write_scan(heart, tmp_path / "images")
    options = ("--output", str(tmp_path / "kept"), "--quiet", "600", "--max-mb", "1")
    size = source[0].stat().st_size
    images = source * (1_000_000 // (size * len(source)) + 2)
    with listening(tmp_path / "temporary", *options) as node:
        statuses = send_images(images, node.port, "CARDIOSEG")
    assert statuses[0] == 0x0000
    assert statuses[-1] == 0xA700


def test_what_is_not_a_short_axis_stack_is_left_out(heart, tmp_path):
    scan = dicom_scan(oblique_grid((40, 40, 2)))
    images = write_scan(scan, tmp_path / "images")
    kept = tmp_path / "kept"
    with listening(tmp_path / "temporary", "--output", str(kept)) as node:
        send_images(images, node.port, "CARDIOSEG")
        node.wait_for("left out: fewer than 4 slices")
        node.wait_for("nothing to send")
    assert not kept.exists()


def run(*options):
    command = [sys.executable, "-m", "cardioseg", "listen", *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)


def test_wrong_options_are_told(tmp_path):
    nowhere = run("--port", "0", "--ae-title", "CARDIOSEG")
    assert (nowhere.returncode, "--send-to" in nowhere.stderr) == (2, True)
    output = ("--output", str(tmp_path))
    title = run("--port", "0", "--ae-title", "SEVENTEEN_LETTERS", "--model", "otsu", *output)
    assert (title.returncode, "AE title" in title.stderr) == (1, True)


def test_a_port_that_is_taken_is_told(tmp_path):
    with archive("OTHER") as other:
        taken = run(
            "--port",
            str(other.port),
            "--ae-title",
            "A",
            "--model",
            "otsu",
            "--output",
            str(tmp_path),
        )
    assert taken.returncode == 1
    assert "choose another port" in taken.stderr


def test_a_destination_that_is_down_is_told_and_the_node_lives(heart, tmp_path):
    images = write_scan(heart, tmp_path / "images")
    nobody = f"NOBODY@127.0.0.1:{free_port()}"
    with listening(tmp_path / "temporary", "--send-to", nobody) as node:
        send_images(images, node.port, "CARDIOSEG")
        node.wait_for("not sent, attempt 1 of 3: NOBODY at 127.0.0.1")
        time.sleep(0.1)
        assert echo(node.port, "CARDIOSEG") == 0x0000
