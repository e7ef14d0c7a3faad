"""The demo: synthetic hearts, a small network, unseen hearts segmented, and a page to open."""

from __future__ import annotations

import shutil
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cardioseg.core.labels import ACDC
from cardioseg.datasets import read_dataset
from cardioseg.errors import OutputExistsError
from cardioseg.evaluation import (
    Report,
    box_plots,
    comparison_figure,
    learning_curves,
    png_bytes,
)
from cardioseg.evaluation.tables import summary_table
from cardioseg.inference.predictor import load_model
from cardioseg.io.atomic import is_empty, make_folder, write_bytes, write_text
from cardioseg.io.images import read_labels, read_volume
from cardioseg.training.config import read_config
from cardioseg.training.fit import Step, Watch
from cardioseg.workflows.evaluate import EvaluationOptions, evaluate_files
from cardioseg.workflows.inputs import gather_images
from cardioseg.workflows.phantoms import write_phantoms
from cardioseg.workflows.predict import predict_files
from cardioseg.workflows.train import Listener, train

TRAINING_SUBJECTS = 16
HELD_OUT_SUBJECTS = 4
PAGE = "index.html"
TOLD_METRICS = ("dice", "hd95_mm", "volume_error_ml")
MARK = ".cardioseg-demo"

_CAPTION = (
    "These hearts are synthetic: phantoms, not patients. The figures show that the program works; "
    "they say nothing about real scans."
)


@dataclass(frozen=True)
class Demo:
    """A finished demo: its page and its table."""

    page: Path
    table: str


def run_demo(
    output: Path,
    seed: int,
    tell: Callable[[str], None] = lambda line: None,
    watch: Callable[[Step], None] = lambda step: None,
) -> Demo:
    """Make a cohort, train preset `tiny`, segment held-out hearts, and write tables and pictures.

    Parameters
    ----------
    output
        Folder; a former demo in it is replaced, anything else is refused.
    seed
        Seed of the hearts and of the network.
    tell, watch
        Called with lines for a person, and after every step of the training.

    Raises
    ------
    OutputExistsError
        If `output` holds something that is not a demo.
    """
    _clear(output)
    tell(f"making {TRAINING_SUBJECTS + HELD_OUT_SUBJECTS} synthetic hearts")
    write_phantoms(output / "training-hearts", TRAINING_SUBJECTS, seed)
    write_phantoms(output / "unseen-hearts", HELD_OUT_SUBJECTS, seed + 1_000_003)
    config = read_config("tiny").model_copy(update={"seed": seed})
    dataset = read_dataset(f"acdc:{output / 'training-hearts'}")
    trained = train(
        config, dataset, "subjects", output / "run", listener=Listener(tell, Watch(step=watch))
    )
    tell("segmenting unseen hearts")
    images = gather_images([output / "unseen-hearts"])
    predict_files(load_model(trained.model.folder), images, output / "labels")
    report = evaluate_files(
        output / "labels", output / "unseen-hearts", EvaluationOptions(ACDC), output / "report"
    ).report
    figures = _figures(output, report, [dict(line) for line in trained.progress.history])
    told = [s for s in report.summaries() if s.metric in TOLD_METRICS]
    table = summary_table(told, "volume")
    write_text(output / PAGE, _page(table, figures))
    return Demo(output / PAGE, table)


def _clear(output: Path) -> None:
    """An empty folder; only a former demo is removed."""
    if not is_empty(output):
        if not (output / MARK).is_file():
            raise OutputExistsError(
                f"{output}: is not empty and holds no demo; name another folder (--output)"
            )
        shutil.rmtree(output)
    make_folder(output)
    write_text(output / MARK, "A folder that `cardioseg demo` wrote and may replace.\n")


def _figures(output: Path, report: Report, history: list[dict[str, float]]) -> dict[str, bytes]:
    """The pictures of the page by their titles, also written as files."""
    case = report.cases[0]
    images = {each.name: each.path for each in gather_images([output / "unseen-hearts"])}
    labels = {
        "reference": read_labels(images[case].with_name(f"{case}_gt.nii.gz"), ACDC),
        "network": read_labels(output / "labels" / f"{case}.nii.gz", ACDC),
    }
    figures = {
        "An unseen synthetic heart": comparison_figure(read_volume(images[case]), labels),
        "Dice by structure": box_plots({"network": report}, "dice"),
        "Learning curves": learning_curves(history),
    }
    drawn = {title: png_bytes(figure) for title, figure in figures.items()}
    for name, data in zip(("heart.png", "dice.png", "learning.png"), drawn.values(), strict=True):
        write_bytes(output / name, data)
    return drawn


def _page(table: str, figures: dict[str, bytes]) -> str:
    """One self-contained HTML page."""
    from importlib import resources

    from jinja2 import Environment

    template = resources.files("cardioseg.workflows").joinpath("demo.html.j2").read_text("utf-8")
    header, _, *body = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in table.splitlines()
        if line.startswith("|")
    ]
    return (
        Environment(autoescape=True)
        .from_string(template)
        .render(
            caption=_CAPTION,
            header=header,
            body=body,
            figures={title: b64encode(data).decode() for title, data in figures.items()},
        )
    )
