"""A template and its values become one HTML page; every value is escaped."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version

from cardioseg.workflows.report.messages import Message, Words


def render_page(template: str, values: Mapping[str, object], words: Words) -> str:
    """Render one of this package's templates.

    Parameters
    ----------
    template
        Its file name.
    values
        What it shows; a name that it wants and does not get is an error.
    words
        The language.

    Returns
    -------
    str
        HTML.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("cardioseg.workflows.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    shared = {"words": words, "say": words.say, "m": Message, "version": version("cardioseg")}
    return environment.get_template(template).render(**shared, **values)
