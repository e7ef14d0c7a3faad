"""Make the pictures of the documentation.

    python docs/make_pictures.py [ACDC [MODEL]]

Without the folder of ACDC only the phantoms are drawn. MODEL is the folder of `sax`'s
first step (docs/results/sax.md): the shipped weights have seen the patient that is shown.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cardioseg
from cardioseg.evaluation import comparison_figure, png_bytes
from cardioseg.evaluation.rendering import View, render
from cardioseg.phantom import cohort
from cardioseg.workflows.mesh import heart_meshes

PICTURES = Path(__file__).parent / "pictures"
SHOWN = "patient030_frame01"
MODELLED = "patient009_frame01"


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


def draw_model(acdc: str) -> None:
    """The printed heart of docs/meshes.md, turned upright: the copy of ACDC has lost its poses."""
    case = next(c for c in cardioseg.read_dataset(f"acdc:{acdc}").cases if c.id == MODELLED)
    _, labels = case.pair()
    turned = labels.geometry.affine.copy()
    turned[1:3] = -turned[1:3]
    upright = cardioseg.LabelMap(
        labels.array, cardioseg.Geometry(labels.geometry.shape, turned), labels.scheme
    )
    views = (View("", 0.0, 12.0), View("", 75.0, 20.0), View("", 180.0, 25.0))
    render([each.mesh for each in heart_meshes(upright)], PICTURES / "model.png", views)


if __name__ == "__main__":
    PICTURES.mkdir(exist_ok=True)
    draw_phantom()
    if len(sys.argv) > 1:
        draw_model(sys.argv[1])
    if len(sys.argv) > 2:
        draw_validation(sys.argv[1], sys.argv[2])
