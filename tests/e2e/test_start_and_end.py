"""How the program starts, with one command, and ends: at once, all that has to be done done."""

from __future__ import annotations

import shlex
import subprocess
import sys
from importlib.metadata import version

import pytest
from typer.testing import CliRunner

from cardioseg.cli.app import app, asked_for

LEAVE = """
import atexit, sys, threading, time
from cardioseg.cli.leaving import leave
class Left:
    def __del__(self):
        print("taken apart")
left = Left()
atexit.register(print, "handler of atexit")
print("printed")
{more}
leave({code})
print("went on")
"""

PROGRAM = """
import sys
from cardioseg.__main__ import run
class Left:
    def __del__(self):
        print("taken apart")
left = Left()
sys.argv = ["cardioseg", "--version"]
run()
"""


def leaving(code: object, more: str = "") -> subprocess.CompletedProcess[str]:
    script = LEAVE.format(code=code, more=more)
    return subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.parametrize(("code", "exit_code"), [(None, 0), (0, 0), (3, 3), (130, 130)])
def test_handlers_run_and_output_is_written_but_nothing_is_taken_apart(
    code: int | None, exit_code: int
) -> None:
    done = leaving(code)
    assert done.stdout.splitlines() == ["printed", "handler of atexit"]
    assert done.returncode == exit_code, done.stderr


def test_a_thread_that_works_is_waited_for() -> None:
    worker = "threading.Thread(target=lambda: (time.sleep(0.5), print('worked'))).start()"
    done = leaving(0, worker)
    assert set(done.stdout.splitlines()) == {
        "printed", "went on", "worked", "handler of atexit", "taken apart"
    }  # fmt: skip


def test_words_for_a_code_are_left_to_the_interpreter() -> None:
    assert "went on" in leaving("'words'").stdout


def test_a_profiler_gets_its_word() -> None:
    done = leaving(0, "sys.setprofile(lambda *_: None)")
    assert "went on" in done.stdout


def test_the_program_leaves() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "taken apart" not in done.stdout
    assert done.stdout.strip() == version("cardioseg")


@pytest.mark.parametrize("stream", [1, 2])
def test_a_stream_that_is_closed_stops_nothing(stream: int) -> None:
    command = f"{shlex.quote(sys.executable)} -m cardioseg --version {stream}>&-"
    done = subprocess.run(
        command, shell=True, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0
    assert "Traceback" not in done.stderr


def test_an_output_that_nobody_reads_is_an_error_as_ever() -> None:
    program = [sys.executable, "-m", "cardioseg", "predict", "--help"]
    with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.wait(60) != 0


@pytest.mark.parametrize("name", ["predict", "cross-validate"])
def test_one_command_alone_reads_as_it_does_among_all(name: str) -> None:
    part = asked_for([name])
    assert [each.callback for each in part.registered_commands if each.callback] == [
        each.callback
        for each in app.registered_commands
        if each.callback and each.callback.__name__ == name.replace("-", "_")
    ]
    words = [CliRunner().invoke(each, [name, "--help"]).output for each in (part, app)]
    assert words[0] == words[1]
    assert f"cardioseg {name}" in words[0]


@pytest.mark.parametrize("first", [[], ["--help"], ["predcit"], ["--version"]])
def test_whoever_names_no_command_meets_them_all(first: list[str]) -> None:
    assert asked_for(first) is app
