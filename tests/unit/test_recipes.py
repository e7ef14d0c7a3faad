"""The job scripts of the documentation run, and name options that there are."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from cardioseg.cli.app import app
from cardioseg.scale.shards import shard_named

SCALE = Path(__file__).parents[2] / "docs" / "scale.md"


def options_of(command: str) -> set[str]:
    """What the command takes."""
    found = typer.main.get_command(app).commands[command].params
    return {option for each in found for option in each.opts}


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script")
def test_each_job_of_the_array_takes_its_share(tmp_path: Path) -> None:
    scripts = re.findall(r"```sh\n(#!/bin/bash\n.*?)```", SCALE.read_text(), re.DOTALL)
    (script,) = [each for each in scripts if "--array" in each]
    told = tmp_path / "cardioseg"
    told.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    told.chmod(0o755)
    environment = {
        "PATH": f"{tmp_path}:{os.environ['PATH']}", "INPUTS": "/the hearts", "OUT": "/out",
        "SLURM_ARRAY_TASK_COUNT": "64",
    }  # fmt: skip
    shares = set()
    for number in (1, 64):
        done = subprocess.run(
            ["bash", "-c", script], capture_output=True, text=True, check=True,
            env={**environment, "SLURM_ARRAY_TASK_ID": str(number)},
        )  # fmt: skip
        command, inputs, *words = done.stdout.splitlines()
        assert (command, inputs) == ("predict", "/the hearts")
        assert {each for each in words if each.startswith("--")} <= options_of("predict")
        assert "--resume" in words, "a job that is queued again goes on"
        shares.add(shard_named(words[words.index("--shard") + 1]))
    assert {(each.number, each.count) for each in shares} == {(1, 64), (64, 64)}


def test_every_option_of_the_documentation_is_there() -> None:
    cohorts, _, search = SCALE.read_text().partition("## Search on many workers")
    for command, text in (("predict", cohorts), ("tune", search)):
        joined = text.replace("\\\n", " ")
        lines = re.findall(rf"cardioseg {command} .*", joined)
        named = {option for line in lines for option in re.findall(r" (--[a-z-]+)", line)}
        assert named
        assert named <= options_of(command), command
