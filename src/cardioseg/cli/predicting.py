"""`predict` and `scores`: label maps and probabilities from images."""

from __future__ import annotations

import time
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cardioseg.cli.console import EXIT_SOME_FAILED, Bar, fail, result, result_json, say, tell_which
from cardioseg.cli.gathering import gather_files, gather_places

if TYPE_CHECKING:
    from cardioseg.workflows.choice import Choice
    from cardioseg.workflows.inputs import Input
    from cardioseg.workflows.outcome import Outcome
    from cardioseg.workflows.segment import Wanted
    from cardioseg.workflows.work import Reach, Run

Inputs = Annotated[
    list[Path],
    typer.Argument(
        help="NIfTI files, folders of them, or DICOM: a folder, a file or a zip.", metavar="INPUT"
    ),
]
Places = Annotated[
    list[str],
    typer.Argument(
        help="NIfTI files, folders of them, DICOM (a folder, a file or a zip), or URLs: s3://...",
        metavar="INPUT",
    ),
]
ModelName = Annotated[
    str,
    typer.Option("--model", help="Installed model, model folder ./NAME, or baseline: otsu, ..."),
]
Output = Annotated[Path, typer.Option("--output", help="Folder for the results.")]
EngineName = Annotated[str, typer.Option("--engine", help="auto, onnx, openvino or torch.")]
PlaneName = Annotated[
    str,
    typer.Option(
        "--plane",
        help="native, axial, sagittal, coronal, or orthogonal (the mean of the three anatomical "
        "planes); default: the model's.",
    ),
]
SplitFile = Annotated[
    Path | None, typer.Option("--split", help="JSON file with the subjects of each part.")
]
Part = Annotated[
    str | None,
    typer.Option("--part", help="With --split: training, validation or test; default: validation."),
]
Force = Annotated[
    bool,
    typer.Option(
        "--force",
        help="Do all anew: overwrite, and remove what else earlier runs made of an input.",
    ),
]
Mirrors = Annotated[bool, typer.Option("--mirrors", help="Average four mirrorings: 4 x the time.")]
Largest = Annotated[
    bool | None,
    typer.Option(
        "--largest-component/--all-components",
        help="Keep one heart, one piece of each structure (of a short axis' blood pool all); "
        "default: as the model's plan says.",
    ),
]
Locate = Annotated[
    bool,
    typer.Option(
        "--locate/--whole-slices",
        help="Find the heart in a few slices and read only its surroundings in the others, with "
        "models trained on parts of slices.",
    ),
]
SeriesName = Annotated[
    str,
    typer.Option(
        "--series",
        help="Of several DICOM series: number, part of a description, UID, or numbers that join "
        "series of one slice each, such as 5-9,12.",
    ),
]
OutputName = Annotated[
    str,
    typer.Option(
        "--name",
        help="Name of the outputs of one input; default: the file's or DICOM folder's own name, so "
        "give one where that names a patient.",
    ),
]
Resume = Annotated[
    bool, typer.Option("--resume", help="Go on: skip what an earlier run in OUTPUT finished.")
]
ShardName = Annotated[
    str,
    typer.Option("--shard", metavar="K/N", help="Take the K-th of N shares of the inputs only."),
]
OnRay = Annotated[bool, typer.Option("--ray", help="Several inputs at a time, on Ray.")]
Workers = Annotated[
    int, typer.Option("--workers", min=0, help="With --ray: how many; without it, one a core.")
]
RayAddress = Annotated[
    str, typer.Option("--ray-address", help="With --ray: a cluster's; else Ray is started here.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def predict(
    inputs: Places,
    output: Output,
    model: ModelName = "sax",
    engine: EngineName = "auto",
    scheme: Annotated[str, typer.Option("--scheme", help="Merge the labels into this one.")] = "",
    plane: PlaneName = "",
    series: SeriesName = "",
    phase: Annotated[
        str, typer.Option("--phase", help="Frames of a cine: all, ed, es, or a number from 1.")
    ] = "all",
    write: Annotated[
        str, typer.Option("--write", help="Kinds of output, separated by commas: nifti, json, ...")
    ] = "nifti",
    name: OutputName = "",
    split: SplitFile = None,
    part: Part = None,
    mirrors: Mirrors = False,
    largest_component: Largest = None,
    locate: Locate = True,
    quality: Annotated[
        bool, typer.Option("--quality/--no-quality", help="Judge each answer and say so.")
    ] = True,
    force: Force = False,
    resume: Resume = False,
    shard: ShardName = "",
    ray: OnRay = False,
    workers: Workers = 0,
    ray_address: RayAddress = "",
    as_json: AsJson = False,
) -> None:
    """Segment images: OUTPUT/NAME.nii.gz holds the labels, on the input's own grid.

    A folder of DICOM is one input. Volumes and what else is measured go to NAME.json.

    Examples:
      cardioseg predict scan.nii.gz --model sax --output out

      cardioseg predict FOLDER --model sax --output out --scheme myocardium_blood

      cardioseg predict DICOM_DIR --model sax --output out --series 5 --write nifti,json

      cardioseg predict FOLDER --model otsu --output out

      cardioseg predict s3://BUCKET/HEARTS --output out --ray --workers 8 --resume
    """
    from cardioseg.core.labels import scheme_named
    from cardioseg.workflows.abreast import threads_for_two, two_at_a_time
    from cardioseg.workflows.choice import Choice
    from cardioseg.workflows.inputs import specified
    from cardioseg.workflows.known_errors import why_unmeasured
    from cardioseg.workflows.outputs import kinds_named
    from cardioseg.workflows.places import require_apart
    from cardioseg.workflows.predict import prediction
    from cardioseg.workflows.segment import Wanted
    from cardioseg.workflows.work import Start, one_by_one, run_task

    if force and resume:
        raise typer.BadParameter("--force does all anew, --resume skips what is done: choose one")
    if not ray and (workers or ray_address):
        raise typer.BadParameter("--workers and --ray-address go with --ray: add it")
    chosen = scheme_named(scheme) if scheme else None
    wanted = Wanted(kinds_named(write), phase, chosen, quality)
    files = specified(gather_places(inputs, split, part), name, series)
    share = ""
    if shard:
        from cardioseg.scale.shards import shard_named

        own = shard_named(shard)
        # Of all inputs: those of two shares may clash as well as those of one.
        require_apart(wanted.kinds, files)
        files, share = own.of(files), own.name
        if not files:
            say("no input in this share")
    tell_which(model, baselines=True)
    choice = Choice(model, engine, plane, mirrors, largest_component, locate)
    half = None if ray else threads_for_two(choice, files)
    segmenter = choice.opened(half)
    unmeasured = why_unmeasured(segmenter)
    if unmeasured:
        say(f"note: {unmeasured}")
    task = prediction(segmenter, output, wanted, _reach(files))
    run: Run = two_at_a_time if half else one_by_one
    if ray:
        run = _on_ray(choice, wanted, output, workers, ray_address)
    started = time.monotonic()
    with Bar("segmenting") as bar:
        outcomes = run_task(task, files, output, Start(force, resume, share), run, bar.show)
    _finish(outcomes, output, time.monotonic() - started, as_json, unmeasured)


def scores(
    inputs: Inputs,
    output: Output,
    model: ModelName = "sax",
    engine: EngineName = "auto",
    plane: PlaneName = "",
    series: SeriesName = "",
    name: OutputName = "",
    split: SplitFile = None,
    part: Part = None,
    mirrors: Mirrors = False,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Write class probabilities: OUTPUT/NAME.nii.gz, float32, classes on the fourth axis.

    Example:
      cardioseg scores scan.nii.gz --model sax --output scores
    """
    from cardioseg.baselines.names import is_baseline
    from cardioseg.workflows.choice import Choice
    from cardioseg.workflows.inputs import specified
    from cardioseg.workflows.predict import predict_score_files

    tell_which(model, baselines=True)
    if is_baseline(model):
        fail(f"{model}: a classical baseline gives labels, no probabilities; use `predict`")
    files = specified(gather_files(inputs, split, part), name, series)
    choice = Choice(model, engine, plane, mirrors, largest_component=False, locate=False)
    predictor = choice.network()
    started = time.monotonic()
    with Bar("scoring") as bar:
        outcomes = predict_score_files(predictor, files, output, force=force, watch=bar.show)
    _finish(outcomes, output, time.monotonic() - started, as_json)


def _reach(files: tuple[Input, ...]) -> Reach:
    if not any(each.url for each in files):
        return nullcontext
    from cardioseg.scale.remote import fetched

    return fetched


def _on_ray(choice: Choice, wanted: Wanted, output: Path, workers: int, address: str) -> Run:
    from cardioseg.scale.cluster import Pool
    from cardioseg.scale.cohort import on_ray

    return on_ray(choice, wanted, output, Pool(workers, address))


def _tell(outcomes: tuple[Outcome, ...], told: str) -> None:
    """Reasons for verdicts, and notes on function, each once; none that was told before."""
    from cardioseg.workflows.hearts import named

    notes: dict[str, list[str]] = {}
    for outcome in outcomes:
        for reason in outcome.quality.reasons if outcome.quality else ():
            say(f"{reason.verdict}: {outcome.name}: {reason.words}")
        for note in outcome.notes:
            notes.setdefault(note, []).append(outcome.name)
    for note, names in notes.items():
        if note != told:
            say(f"note: {named(names)}: {note}")


def _finish(
    outcomes: tuple[Outcome, ...], output: Path, seconds: float, as_json: bool, told: str = ""
) -> None:
    failed = [outcome for outcome in outcomes if outcome.error]
    for outcome in failed:
        say(f"error: {outcome.error}")
    _tell(outcomes, told)
    done, skipped = len(outcomes) - len(failed), sum(outcome.skipped for outcome in outcomes)
    if skipped:
        say(f"{skipped} of {len(outcomes)} were done by an earlier run")
    if as_json:
        result_json(
            [
                {
                    "name": o.name,
                    "seconds": round(o.seconds, 3),
                    "error": o.error,
                    "verdict": o.quality.verdict if o.quality else None,
                    "skipped": o.skipped,
                }
                for o in outcomes
            ]
        )
    elif done:
        result(f"{done - skipped} of {len(outcomes)} written to {output} in {seconds:.1f} s")
    if failed and done:
        fail(f"{len(failed)} of {len(outcomes)} files failed", EXIT_SOME_FAILED)
    if failed:
        raise SystemExit(1)
