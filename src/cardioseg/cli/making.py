"""`demo`, `phantom` and `export`: things made from nothing, or from a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cardioseg.cli.console import Bar, result, tell_which
from cardioseg.errors import MissingExtraError

if TYPE_CHECKING:
    from cardioseg.training.fit import Step


def demo(
    output: Annotated[Path, typer.Option(help="Folder for the result.")] = Path("demo-output"),
    seed: Annotated[int, typer.Option(help="Seed of hearts and network.", min=0)] = 0,
) -> None:
    """Train a small network on synthetic hearts, segment unseen ones, and write a page to open.

    Nothing is downloaded. Phantoms are not patients: the figures say that the program works, not
    how well it does on real scans.

    Example:
      cardioseg demo --output demo-output
    """
    try:
        from cardioseg.workflows.demo import run_demo
    except ImportError as error:
        raise MissingExtraError("the demo trains a network, which", "train") from error

    with Bar("training") as bar:

        def show(step: Step) -> None:
            done = (step.epoch - 1) * step.steps + step.step
            bar.show(done, step.epochs * step.steps, f"epoch {step.epoch}, loss {step.loss:.3f}")

        finished = run_demo(output, seed, bar.tell, show)
    result(finished.table)
    result(f"\nSynthetic hearts, not patients. Open {finished.page}")


def phantom(
    output: Annotated[Path, typer.Option(help="Folder for the data set.")],
    count: Annotated[int, typer.Option(help="Subjects, or scans.", min=1, max=10_000)] = 10,
    seed: Annotated[int, typer.Option(help="Seed.", min=0)] = 0,
    whole_heart: Annotated[
        bool, typer.Option("--whole-heart", help="Whole-heart volumes of malformed hearts.")
    ] = False,
    from_labels: Annotated[
        Path | None,
        typer.Option(help="Folder of label maps (1 myocardium, 2 blood pool) to take hearts from."),
    ] = None,
    leave_out: Annotated[
        list[str] | None, typer.Option(help="Leave out label maps with this in their name.")
    ] = None,
    validation: Annotated[
        int, typer.Option(help="Whole-heart phantoms for validation.", min=0, max=10_000)
    ] = 0,
) -> None:
    """Write synthetic hearts: short-axis stacks in ACDC's layout, whole hearts in nnU-Net's.

    Short-axis stacks are read as `--data acdc:OUTPUT`, whole hearts as `--data nnunet:OUTPUT`.
    With --validation, OUTPUT/split.json parts the scans: those for validation are phantoms whose
    shapes and contrasts lie beyond those for training.

    Examples:
      cardioseg phantom --output phantoms --count 20

      cardioseg phantom --whole-heart --output hearts --count 160 --validation 6

      cardioseg phantom --from-labels LABELS --leave-out pat4 --output hearts --count 120
    """
    if not (whole_heart or from_labels):
        if validation or leave_out:
            raise typer.BadParameter("--validation and --leave-out go with whole hearts")
        from cardioseg.workflows.phantoms import write_phantoms

        with Bar("phantoms") as bar:
            cases = write_phantoms(output, count, seed, bar.show)
        result(f"{cases} cases of {count} subjects written to {output}; read them as acdc:{output}")
        return
    if leave_out and from_labels is None:
        raise typer.BadParameter("--leave-out goes with --from-labels: add it")
    from cardioseg.engines.engine import usable_cores
    from cardioseg.workflows.whole_hearts import WholeHearts, write_whole_hearts

    wanted = WholeHearts(count, validation, seed, from_labels, tuple(leave_out or ()))
    with Bar("whole hearts") as bar:
        cases = write_whole_hearts(output, wanted, bar.show, usable_cores())
    result(f"{cases} scans written to {output}; read them as nnunet:{output}")


def export(
    model: Annotated[str, typer.Argument(help="Installed model or model folder.")],
    output: Annotated[Path | None, typer.Option(help="The .onnx file to write.")] = None,
    script: Annotated[
        bool,
        typer.Option("--script", help="Write run_exported.py beside it: runs without cardioseg."),
    ] = False,
    bundle: Annotated[Path | None, typer.Option(help="Folder for a MONAI Bundle.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the files.")] = False,
) -> None:
    """Write a model as one ONNX file, preparation and labels described in its metadata.

    Examples:
      cardioseg export sax --output sax.onnx

      cardioseg export sax --output sax.onnx --script

      cardioseg export sax --bundle sax-bundle
    """
    from cardioseg.model import open_model
    from cardioseg.workflows.bundle import write_bundle
    from cardioseg.workflows.export import SCRIPT, require_absent, write_export, write_script

    if output is None and (bundle is None or script):
        raise typer.BadParameter("name the .onnx file with --output, or a folder with --bundle")
    tell_which(model)
    opened = open_model(model)
    if output is not None:
        beside = output.with_name(SCRIPT)
        require_absent((output, beside) if script else (output,), force=force)
        write_export(opened, output)
        if script:
            write_script(beside)
        result(f"{output}: {output.stat().st_size / 1e6:.1f} MB")
    if bundle is not None:
        write_bundle(opened, bundle, force=force)
        result(f"{bundle}: MONAI Bundle of {opened.name}")
