"""Work in several processes: order, errors, a process that dies, a parent that is killed."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cardioseg.errors import ProcessError
from cardioseg.workflows.processes import in_processes

PARENT = """
import subprocess
from cardioseg.workflows.processes import in_processes

if __name__ == "__main__":
    asked = in_processes(subprocess.getoutput, ["echo $PPID", "echo $PPID; sleep 1", "sleep 60"], 2)
    print(next(asked), flush=True)
    print(next(asked), flush=True)
    next(asked)
"""


@pytest.mark.parametrize("processes", [1, 2, 9])
def test_what_is_made_comes_in_the_order_of_the_pieces(processes: int) -> None:
    pieces = ["sleep 0.3; echo first", "echo second", "echo third"]
    made = list(in_processes(subprocess.getoutput, pieces, processes))
    assert made == ["first", "second", "third"]


def test_one_process_is_this_one_and_several_are_others() -> None:
    def askers(processes: int) -> set[str]:
        return set(in_processes(subprocess.getoutput, ["echo $PPID"] * 3, processes))

    assert askers(1) == {str(os.getpid())}
    assert str(os.getpid()) not in askers(2)


def test_an_error_of_the_work_is_told_as_it_is() -> None:
    made = in_processes(math.sqrt, [4.0, -1.0, 9.0], 2)
    assert next(made) == 2
    with pytest.raises(ValueError, match="domain"):
        next(made)


def test_a_process_that_dies_is_told() -> None:
    with pytest.raises(ProcessError, match="one of 2 processes ended before its work was done"):
        list(in_processes(os._exit, [1, 1], 2))


def test_processes_end_with_the_parent(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        children = {int(parent.stdout.readline()) for _ in range(2)}
        parent.send_signal(signal.SIGKILL)
    until = time.monotonic() + 20
    while any(_is_running(each) for each in children) and time.monotonic() < until:
        time.sleep(0.05)
    assert not any(_is_running(each) for each in children)


def _is_running(process: int) -> bool:
    state = Path(f"/proc/{process}/stat")
    try:
        return state.read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
