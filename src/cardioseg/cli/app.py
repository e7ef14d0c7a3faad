"""The program: its commands, and what happens when one ends early."""

from __future__ import annotations

import inspect as inspect_module
import os
import signal
import sys
from collections.abc import Callable
from copy import copy
from types import FrameType
from typing import Annotated

import typer
from typer.main import get_command_name

from cardioseg.cli.classical import baseline
from cardioseg.cli.console import (
    EXIT_BAD_INPUT,
    EXIT_INTERRUPTED,
    result,
    say,
    told_warnings,
)
from cardioseg.cli.converting import convert
from cardioseg.cli.facts import info, inspect, models
from cardioseg.cli.functioning import function
from cardioseg.cli.listening import listen
from cardioseg.cli.making import demo, export, phantom
from cardioseg.cli.measuring import compare, evaluate
from cardioseg.cli.meshing import mesh
from cardioseg.cli.observing import observers
from cardioseg.cli.predicting import predict, scores
from cardioseg.cli.quantising import quantise
from cardioseg.cli.reporting import report
from cardioseg.cli.serving import serve
from cardioseg.cli.training import cross_validate, reproduce, train
from cardioseg.cli.tuning import tune
from cardioseg.errors import CardiosegError, is_out_of_memory

app = typer.Typer(
    name="cardioseg",
    help="Segment the heart in cardiac MR: volumes in, label maps, tables and pictures out.",
    epilog="Start with: cardioseg demo.  Not a medical device.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        result(version("cardioseg"))
        raise typer.Exit


@app.callback()
def _program(
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", callback=_version, is_eager=True),
    ] = False,
) -> None:
    pass


def _help(command: Callable[..., None]) -> str:
    """A command's docstring, its examples kept as they are laid out."""
    words, _, examples = (inspect_module.getdoc(command) or "").partition("\n\nExample")
    return f"{words}\n\n\b\nExample{examples}".replace("\n\n  ", "\n  ") if examples else words


for _command in (
    demo,
    predict,
    inspect,
    serve,
    listen,
    report,
    mesh,
    function,
    evaluate,
    compare,
    observers,
    train,
    tune,
    cross_validate,
    reproduce,
    baseline,
    scores,
    phantom,
    convert,
    export,
    quantise,
    models,
    info,
):
    app.command(help=_help(_command))(_command)


def asked_for(first: list[str]) -> typer.Typer:
    """The program, or of its commands only the one that the first word asks for.

    Typer reads the signatures of all commands that it knows, though one will run.
    """
    part = copy(app)
    part.registered_commands = [
        each
        for each in app.registered_commands
        if each.callback and first == [get_command_name(each.callback.__name__)]
    ]
    return part if part.registered_commands else app


def main() -> None:
    """Run the program: exit code 0 done, 1 bad input, 2 usage, 3 some files failed, 130 Ctrl-C."""
    # numpy's matrix products here are small: threads of their own only wait, and take the cores
    # from the network's. Read when numpy is first imported, which no module above does.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    former = signal.signal(signal.SIGINT, _interrupt)
    try:
        with told_warnings():
            asked_for(sys.argv[1:2])()
    except CardiosegError as error:
        say(f"error: {error}")
        sys.exit(EXIT_BAD_INPUT)
    except SystemExit as ended:
        if ended.code == EXIT_INTERRUPTED:  # what Typer makes of Ctrl-C
            say("interrupted; what was finished is whole")
        raise
    except OSError as error:
        # A file or folder that no step could name better: gone meanwhile, or not to be read.
        named = f"{error.filename}: " if error.filename else ""
        say(
            f"error: {named}{error.strerror or error}; change permissions, free space or name "
            "another place; what was finished is whole"
        )
        sys.exit(EXIT_BAD_INPUT)
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        say(
            "error: out of memory; close other programs, or take a smaller image, batch or patch; "
            "what was finished is whole"
        )
        sys.exit(EXIT_BAD_INPUT)
    finally:
        signal.signal(signal.SIGINT, former)


def _interrupt(number: int, frame: FrameType | None) -> None:
    """End in order; a second Ctrl-C ends at once, since every file is whole or not there."""
    signal.signal(signal.SIGINT, lambda *_: os._exit(EXIT_INTERRUPTED))
    raise KeyboardInterrupt
