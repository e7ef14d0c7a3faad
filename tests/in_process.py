"""The program in the test's own process: importing torch anew for each command takes seconds."""

from __future__ import annotations

import sys

from cardioseg.__main__ import main


def run(*arguments: object) -> int:
    """The exit code of `cardioseg ARGUMENTS`."""
    before, sys.argv = sys.argv, ["cardioseg", *map(str, arguments)]
    try:
        main()
    except SystemExit as left:
        return int(left.code or 0)
    finally:
        sys.argv = before
    return 0


def call(*arguments: object) -> None:
    """`cardioseg ARGUMENTS`, which must end well."""
    assert run(*arguments) == 0, arguments
