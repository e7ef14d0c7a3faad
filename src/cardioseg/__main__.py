"""Run the program: `cardioseg`, or `python -m cardioseg`."""

from __future__ import annotations

from cardioseg.cli.app import main
from cardioseg.cli.leaving import leave

__all__ = ["main", "run"]


def run() -> None:
    """Run the program and end the process."""
    try:
        main()
    except SystemExit as ended:
        leave(ended.code)
        raise


if __name__ == "__main__":
    run()
