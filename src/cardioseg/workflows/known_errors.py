"""The measured errors that come with the program, by the model that they were measured on."""

from __future__ import annotations

from importlib.resources import files

from cardioseg.evaluation.measured_errors import MeasuredErrors
from cardioseg.inference.predictor import Predictor
from cardioseg.inference.quality.calibration import calibration_of
from cardioseg.inference.segmenter import Segmenter

SAX_IDS = ("eed940b4b8efb964", "6d8ba9400c2e9138")
"""The network that was measured (70 patients), and the shipped one that went on from it (80)."""


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
    >>> errors_of_model("6d8ba9400c2e9138").errors[0].patients
    10
    >>> errors_of_model("another") is None
    True
    """
    if model_id not in SAX_IDS:
        return None
    text = (files("cardioseg.workflows") / "measured" / "sax.json").read_text(encoding="utf-8")
    return MeasuredErrors.from_json(text)


def why_unmeasured(segmenter: Segmenter) -> str:
    """Why answers have no expected Dice and no 95 % intervals although the model's were measured.

    They were measured on answers as the plan makes them; with another plane, other pieces or the
    mean of mirrorings they are others. Empty where nothing is left out.
    """
    if not isinstance(segmenter, Predictor) or segmenter.is_as_planned:
        return ""
    measured = {
        "expected Dice": calibration_of(segmenter.model),
        "95 % intervals": errors_of_model(segmenter.model.id),
    }
    left_out = [f"no {name}" for name, known in measured.items() if known is not None]
    if not left_out:
        return ""
    return (
        f"{' and '.join(left_out)}: measured with the plane and the pieces of the model's plan, "
        "without mirrors; for them leave out --plane, --mirrors and "
        "--largest-component/--all-components"
    )
