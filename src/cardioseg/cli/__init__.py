"""The command line: options in, lines and exit codes out; every command is one call of a workflow."""

from __future__ import annotations

from cardioseg.cli.app import main

__all__ = ["main"]
