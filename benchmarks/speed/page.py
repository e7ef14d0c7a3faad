"""Make docs/performance.md anew from the JSON files of a folder: its tables and its plots.

    python -m benchmarks.speed.page
    python -m benchmarks.speed.page --results bench-output

The first refreshes the page from its own files, docs/results/speed. The second leaves it as it is:
another folder's page is written into that folder, as performance.md. What stands between `<!-- NAME
-->` and `<!-- end -->` is replaced by the table, or the plot, of that name; the rest of the page is
written by hand. Plots go beside the JSON files.
"""

from __future__ import annotations

import argparse
import os
import re
from pathlib import Path

from benchmarks.speed.plots import write_plots
from benchmarks.speed.results import Results, read_results
from benchmarks.speed.tables import TABLES

from cardioseg.io.atomic import write_text

_BLOCK = re.compile(r"<!-- (?P<name>[a-z0-9 -]+) -->\n.*?<!-- end -->", re.DOTALL)


def filled(page: str, results: Results, plots: dict[str, str]) -> str:
    """A page with its blocks made anew.

    Parameters
    ----------
    page
        Markdown with blocks.
    results
        What was measured.
    plots
        Path of each plot as the page links it, by name; `plot NAME` is its block.

    Raises
    ------
    SystemExit
        If a block's name is unknown.
    """

    def block(match: re.Match[str]) -> str:
        name = match["name"]
        if name.startswith("plot "):
            path = plots.get(name.removeprefix("plot "), "")
            content = f"![{name.removeprefix('plot ')}]({path})\n" if path else ""
        elif name in TABLES:
            content = f"\n{TABLES[name](results)}\n\n"
        else:
            raise SystemExit(f"error: no table {name!r}; choose from {', '.join(TABLES)}")
        return f"<!-- {name} -->\n{content}<!-- end -->"

    return _BLOCK.sub(block, page)


def target_of(results: Path, page: Path) -> Path:
    """Where a folder's page is written: over the page only if they belong together.

    Parameters
    ----------
    results
        Folder of the JSON files.
    page
        The page whose words are taken; its own files are in results/speed beside it.

    Examples
    --------
    >>> page = Path("docs/performance.md")
    >>> target_of(Path("docs/results/speed"), page) == page
    True
    >>> target_of(Path("bench-output"), page).name
    'performance.md'
    """
    own = (page.parent / "results" / "speed").resolve()
    return page if results.resolve() == own else results / page.name


def main() -> None:
    """Write plots and page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--results", type=Path, default=Path("docs/results/speed"))
    parser.add_argument("--page", type=Path, default=Path("docs/performance.md"))
    options = parser.parse_args()
    results = read_results(options.results)
    target = target_of(options.results, options.page)
    plots = {
        path.stem: Path(os.path.relpath(path, target.parent)).as_posix()
        for path in write_plots(results, options.results)
    }
    text = options.page.read_text(encoding="utf-8")
    write_text(target, filled(text, results, plots))
    print(target)


if __name__ == "__main__":
    main()
