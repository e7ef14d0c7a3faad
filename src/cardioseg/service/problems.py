"""A refusal: the status, a short stable code for programs, and plain words for a person."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path


class ProblemError(Exception):
    """Something that the service refuses; it is answered as JSON and the server goes on.

    Parameters
    ----------
    status
        HTTP status, 400 to 599.
    code
        Short and stable, such as `too_large`; the page translates it.
    message
        What is wrong and what to do, in English, without a path or a name of the client's.
    details
        What a program needs to go on, such as the series to choose from.
    """

    def __init__(
        self, status: int, code: str, message: str, details: Mapping[str, object] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.details = dict(details or {})


def no_space() -> ProblemError:
    """The refusal where the server's disk takes no more."""
    return ProblemError(
        507, "no_space", "the server cannot store it now; try again later, or tell its operator"
    )


@contextmanager
def storing() -> Iterator[None]:
    """Answer 507 where the server's disk is full or cannot be written: not the client's fault."""
    try:
        yield
    except OSError as error:
        raise no_space() from error


def without_path(words: str, path: Path) -> str:
    """An error's words, with the server's own path replaced: a client has no use for it.

    Examples
    --------
    >>> without_path("/srv/a/upload.nii: truncated", Path("/srv/a/upload.nii"))
    'the upload: truncated'
    """
    told = words
    for each in (path, path.parent):
        told = told.replace(str(each), "the upload")
    return told
