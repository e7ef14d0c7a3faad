"""Run the program: `python -m cardioseg`."""

from __future__ import annotations

from cardioseg.cli.app import main

__all__ = ["main"]

if __name__ == "__main__":
    main()
