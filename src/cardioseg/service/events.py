"""A job's progress as server-sent events."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import anyio

from cardioseg.service.jobs import Job
from cardioseg.service.messages import JobView
from cardioseg.service.problems import ProblemError

MEDIA_TYPE = "text/event-stream"

_POLL_SECONDS = 0.2
_PING_SECONDS = 10.0


async def job_events(look: Callable[[], Job], view: Callable[[Job], JobView]) -> AsyncIterator[str]:
    """A `job` event at every change, and the end of the stream with the job's.

    A job that is deleted ends the stream with a `gone` event. A comment is sent where nothing
    happens, so that a connection that is dead is noticed.
    """
    shown, quiet = None, 0.0
    while True:
        try:
            job = look()
        except ProblemError:
            yield "event: gone\ndata: {}\n\n"
            return
        message = (await anyio.to_thread.run_sync(view, job)).model_dump_json()
        key = (job.version, job.state)
        if key != shown or quiet >= _PING_SECONDS:
            yield f"event: job\ndata: {message}\n\n"
            shown, quiet = key, 0.0
        if not job.is_at_work:
            return
        await anyio.sleep(_POLL_SECONDS)
        quiet += _POLL_SECONDS
