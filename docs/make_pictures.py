"""Make the pictures of the documentation.

    python docs/make_pictures.py [ACDC MODEL]

Without the folder of ACDC only the phantoms are drawn. MODEL is the folder of `sax`'s
first step (docs/results/sax.md): the shipped weights have seen the patient that is shown.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cardioseg
from cardioseg.evaluation import comparison_figure, png_bytes
from cardioseg.phantom import cohort

PICTURES = Path(__file__).parent / "pictures"
SHOWN = "patient030_frame01"


def draw_phantom() -> None:
    """One synthetic heart with its labels."""
    case = cohort(1, seed=0)[0]
    image, labels = case.pair()
    figure = comparison_figure(image, {"labels": labels})
    (PICTURES / "phantom.png").write_bytes(png_bytes(figure, dpi=90))


def draw_validation(acdc: str, model: str) -> None:
    """A validation case of ACDC: image, reference, and what the model answers."""
    case = next(c for c in cardioseg.read_dataset(f"acdc:{acdc}").cases if c.id == SHOWN)
    image, reference = case.pair()
    labels = cardioseg.load_model(model).predict(image).labels
    figure = comparison_figure(
        image,
        {"reference": reference, "sax": labels},
        orientation_known=case.orientation_known,
    )
    (PICTURES / "validation.png").write_bytes(png_bytes(figure, dpi=90))


if __name__ == "__main__":
    PICTURES.mkdir(exist_ok=True)
    draw_phantom()
    if len(sys.argv) > 2:
        draw_validation(sys.argv[1], sys.argv[2])
