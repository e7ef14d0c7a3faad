"""Make the pictures of the documentation.

    python docs/make_pictures.py [ACDC [MODEL]]

Without the folder of ACDC only the phantoms are drawn. MODEL is the folder of `sax`'s
first step (docs/results/sax.md): the shipped weights have seen the patient that is shown.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import fmean

import numpy as np
from scipy import ndimage

import cardioseg
from cardioseg.core.case import Case
from cardioseg.core.labels import ACDC
from cardioseg.core.measurement import Measurement
from cardioseg.core.quality import Quality, Reason, Verdict
from cardioseg.core.volume import LabelMap
from cardioseg.evaluation import comparison_figure, png_bytes
from cardioseg.evaluation.observers import study_observers
from cardioseg.evaluation.observers_charts import agreement_chart
from cardioseg.evaluation.overlap import dice
from cardioseg.evaluation.readings import read_case
from cardioseg.evaluation.rendering import View, render
from cardioseg.inference.predictor import Predictor
from cardioseg.phantom import HARDER, cohort, congenital_case
from cardioseg.workflows.mesh import heart_meshes
from cardioseg.workflows.report import CaseContent, Frame, Origin, case_report
from cardioseg.workflows.report.pdf import find_browser

PICTURES = Path(__file__).parent / "pictures"
SHOWN = "patient030_frame01"
MODELLED = "patient009_frame01"
WORST = "patient030_frame12"
HARDER_SEED = 6


def draw_phantom() -> None:
    """One synthetic heart with its labels."""
    case = cohort(1, seed=0)[0]
    image, labels = case.pair()
    figure = comparison_figure(image, {"labels": labels})
    (PICTURES / "phantom.png").write_bytes(png_bytes(figure, dpi=90))


def draw_observers() -> None:
    """Three simulated observers of six synthetic hearts, and a simulated model."""
    cross = ndimage.generate_binary_structure(2, 1)[:, :, None]
    readings = []
    for case in cohort(6, seed=3)[::2]:
        labels = case.labels()
        grown = ndimage.grey_dilation(labels.array, footprint=cross)
        drawn = {
            "exact": labels.array,
            "shifted": np.roll(labels.array, 1, 0),
            "generous": np.where(labels.array == 0, grown, labels.array),
            "model": np.roll(labels.array, 2, 1),
        }
        maps = {name: LabelMap(array, labels.geometry, ACDC) for name, array in drawn.items()}
        readings += read_case(maps, case.id, case.subject)
    observers = ("exact", "shifted", "generous")
    study = study_observers(readings, observers, "model", np.random.default_rng(0))
    (PICTURES / "observers.png").write_bytes(png_bytes(agreement_chart(study), dpi=90))


def draw_report() -> None:
    """The page of a synthetic heart, as a browser shows it; left as it is without a browser."""
    browser = find_browser()
    if browser is None:
        print("no browser: docs/pictures/report.png is left as it is")
        return
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "page.html"
        page.write_text(case_report(_report_content()), encoding="utf-8")
        subprocess.run(
            [
                browser,
                "--headless",
                "--no-sandbox",
                "--hide-scrollbars",
                "--window-size=900,1500",
                f"--user-data-dir={folder}/profile",
                f"--screenshot={(PICTURES / 'report.png').resolve()}",
                page.as_uri(),
            ],
            check=True,
            capture_output=True,
        )


def _report_content() -> CaseContent:
    """Volumes are those of the phantom's own labels; verdict and reason are made up."""
    frames = []
    for case in cohort(1, seed=0):
        image, labels = case.pair()
        frames.append(Frame(case.phase, labels, image))
    large, small = (frame.labels.volume_ml("LV cavity") for frame in frames)
    values = (
        Measurement("end-diastolic volume", "LV cavity", large, "ml", phase="ED"),
        Measurement("end-systolic volume", "LV cavity", small, "ml", phase="ES"),
        Measurement("ejection fraction", "LV cavity", 100 * (large - small) / large, "%"),
        Measurement("cardiac output", "LV cavity", None, "l/min", note="no times in the file"),
    )
    reason = Reason(Verdict.REVIEW, "holes", "an example of a reason: look at the apex")
    quality = Quality(Verdict.REVIEW, {}, (reason,))
    return CaseContent("phantom_000", tuple(frames), values, quality, Origin("none: a phantom"))


def draw_first_step(acdc: str, model: str) -> None:
    """Validation cases of ACDC beside what `sax`'s first step answers: one, and the worst."""
    found = {c.id: c for c in cardioseg.read_dataset(f"acdc:{acdc}").cases}
    network = cardioseg.load_model(model)
    _draw_answer(found[SHOWN], "sax", network, "validation.png")
    _draw_answer(found[WORST], "sax", network, "sax-worst.png", title=WORST)


def draw_failed_phantom() -> None:
    """Where `whole-heart` errs most on the harder phantoms that chose its epoch."""
    network = cardioseg.load_model("whole-heart")
    cases = [congenital_case(HARDER_SEED, number, HARDER) for number in range(6)]

    def mean_dice(case: Case) -> float:
        image, reference = case.pair()
        labels = network.predict(image).labels
        names = [each.name for each in reference.scheme.structures]
        return fmean(dice(labels.mask(name), reference.mask(name)) or 0 for name in names)

    worst = min(cases, key=mean_dice)
    _draw_answer(worst, "whole-heart", network, "whole-heart-worst.png", title=worst.id)


def _draw_answer(case: Case, name: str, network: Predictor, file: str, title: str = "") -> None:
    """Image, reference, and a network's answer."""
    image, reference = case.pair()
    figure = comparison_figure(
        image,
        {"reference": reference, name: network.predict(image).labels},
        orientation_known=case.orientation_known,
    )
    if title:
        figure.suptitle(title, fontsize="small")
    (PICTURES / file).write_bytes(png_bytes(figure, dpi=90))


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
    draw_observers()
    draw_report()
    draw_failed_phantom()
    if len(sys.argv) > 1:
        draw_model(sys.argv[1])
    if len(sys.argv) > 2:
        draw_first_step(sys.argv[1], sys.argv[2])
