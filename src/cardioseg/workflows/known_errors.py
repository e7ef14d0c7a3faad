"""The measured errors that come with the program, by the model that they were measured on."""

from __future__ import annotations

from importlib.resources import files

from cardioseg.evaluation.measured_errors import MeasuredErrors

SAX_IDS = ("b9135ec52f986941", "fd84b47cd0ff39a8", "00cae5ba02f523f1")
"""The network that was measured (70 patients), and the shipped one that went on from it (80),
before and after its plan said which windows it may be given."""


def errors_of_model(model_id: str) -> MeasuredErrors | None:
    """Errors of a model's volumes, mass and ejection fractions, for 95 % intervals.

    Parameters
    ----------
    model_id
        As `predict` writes it into run.json.

    Returns
    -------
    MeasuredErrors or None
        None for a model of which nothing was measured: then there are no intervals.

    Examples
    --------
    >>> errors_of_model("00cae5ba02f523f1").errors[0].patients
    10
    >>> errors_of_model("another") is None
    True
    """
    if model_id not in SAX_IDS:
        return None
    text = (files("cardioseg.workflows") / "measured" / "sax.json").read_text(encoding="utf-8")
    return MeasuredErrors.from_json(text)
