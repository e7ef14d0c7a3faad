"""`serve`: the HTTP API and the viewer's page."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from cardioseg.cli.console import fail, result, say, tell_which


def serve(
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            help="Installed model, model folder or baseline; may be given several times; the first "
            "is the default. Without it: all installed models.",
        ),
    ] = None,
    host: Annotated[
        str, typer.Option("--host", help="Address; other than this machine needs CARDIOSEG_TOKEN.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0: a free one.")] = 8000,
    workers: Annotated[
        int, typer.Option("--workers", min=1, max=64, help="Jobs that run at once.")
    ] = 1,
    keep_minutes: Annotated[
        float, typer.Option("--keep-minutes", help="Minutes until an unused job is deleted.")
    ] = 60,
    upload_mb: Annotated[float, typer.Option("--upload-mb", help="Largest upload, in MiB.")] = 512,
    unpacked_mb: Annotated[
        float, typer.Option("--unpacked-mb", help="Largest scan once unpacked, in MiB.")
    ] = 2048,
    job_seconds: Annotated[
        float, typer.Option("--job-seconds", help="Longest time for one scan.")
    ] = 900,
    jobs: Annotated[
        Path | None,
        typer.Option(
            "--jobs",
            help="Folder that keeps jobs over a restart; without it they end with the server.",
        ),
    ] = None,
) -> None:
    """Serve the page and the HTTP API: upload, segment, look, correct, download.

    Only this machine is answered, unless --host says otherwise and the environment variable
    CARDIOSEG_TOKEN holds a token. Ctrl-C ends it and removes all uploads and results, unless
    --jobs names a folder for them.

    Examples:
      cardioseg serve

      cardioseg serve --model sax --model otsu --port 8080
    """
    from pydantic import ValidationError

    from cardioseg.errors import first_problem
    from cardioseg.service.limits import Limits
    from cardioseg.service.offers import default_models
    from cardioseg.service.page import HOW_TO_GET_VIEWER, has_viewer
    from cardioseg.service.run import run_service
    from cardioseg.service.settings import TOKEN_VARIABLE, Settings

    try:
        limits = Limits(
            upload_mb=upload_mb,
            unpacked_mb=unpacked_mb,
            job_seconds=job_seconds,
            keep_minutes=keep_minutes,
        )
    except ValidationError as error:
        fail(first_problem(error))
    settings = Settings(
        models=tuple(model or default_models()),
        host=host,
        port=port,
        token=os.environ.get(TOKEN_VARIABLE, ""),
        workers=workers,
        limits=limits,
        jobs=jobs,
    )
    for each in model or ():
        tell_which(each, baselines=True)
    if not has_viewer():
        say(f"warning: {HOW_TO_GET_VIEWER}")
    run_service(settings, say, lambda url: result(f"serving at {url} (Ctrl-C ends it)"))
