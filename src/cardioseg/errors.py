"""Every error that cardioseg raises on purpose: what is wrong, where, and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import ValidationError


class CardiosegError(Exception):
    """Base of all errors that a user can cause and mend; the program exits with code 1."""


class GeometryError(CardiosegError):
    """A grid that cannot be, or two grids that should be one."""


class FormatError(CardiosegError):
    """A file that cannot be read as what it claims to be, or cannot be written."""


class WriteError(FormatError):
    """A file or folder that cannot be written: a full disk, a read-only folder, a name taken."""


class LabelError(CardiosegError):
    """A label value outside its scheme, or a scheme that does not exist."""


class DatasetError(CardiosegError):
    """A data set folder that does not have the layout that its reader expects."""


class PlanError(CardiosegError):
    """A plan with an unknown key, a missing key or a value out of range."""


class ConfigError(CardiosegError):
    """A training configuration that cannot be used."""


class LeakageError(CardiosegError):
    """The same subject or the same image in two parts of a split."""


class DivergenceError(CardiosegError):
    """A training whose loss is not a number any more."""


class ModelError(CardiosegError):
    """A model folder that is missing, incomplete or changed."""


class OutputExistsError(CardiosegError):
    """An output is already there and would be overwritten."""


class NetworkError(CardiosegError):
    """A DICOM node that cannot be reached, refuses, or a port that is taken."""


class ProcessError(CardiosegError):
    """One of several processes that work together ended early or does not answer."""


class ClusterError(CardiosegError):
    """Workers that cannot be started, reached, or that all ended."""


class MissingExtraError(CardiosegError):
    """A feature that needs an optional dependency.

    Parameters
    ----------
    feature
        What the user asked for.
    extra
        Name of the extra to install.
    """

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f"{feature} needs the extra '{extra}': pip install 'cardioseg[{extra}]'")


class ReadWarning(UserWarning):
    """A file was read, but its header contradicts itself or leaves something open."""


class PlaneWarning(UserWarning):
    """A volume whose voxels do not suit the planes that a model reads."""


def version_problem(found: object, known: int) -> str:
    """What is wrong with a file of another format version, and what to do.

    Examples
    --------
    >>> version_problem(2, known=1)
    'format version 2; this program reads 1: install a newer cardioseg'
    """
    newer = isinstance(found, int) and found > known
    advice = "install a newer cardioseg" if newer else "make the file again with this program"
    return f"format version {found!r}; this program reads {known}: {advice}"


def first_problem(error: ValidationError) -> str:
    """The first problems of a pydantic validation, as one line that names the keys."""
    problems = error.errors(include_url=False, include_context=False)
    told = [
        f"{'.'.join(str(part) for part in problem['loc']) or 'document'}: {problem['msg']}"
        for problem in problems[:3]
    ]
    more = f" (and {len(problems) - 3} more)" if len(problems) > 3 else ""
    return "; ".join(told) + more


def first_line(error: BaseException, most: int = 200) -> str:
    """The first line of an error's words, shortened, or its kind where it has none.

    Examples
    --------
    >>> first_line(ValueError("no such key")), first_line(KeyError())
    ('no such key', 'KeyError')
    """
    lines = str(error).splitlines()
    return lines[0][:most] if lines else type(error).__name__


_NO_MEMORY = ("allocate memory", "bad allocation", "bad_alloc", "failed to allocate")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory has ended; PyTorch and ONNX Runtime say so in words only.

    Examples
    --------
    >>> is_out_of_memory(MemoryError()), is_out_of_memory(RuntimeError("can't allocate memory"))
    (True, True)
    """
    words = str(error).lower()
    return isinstance(error, MemoryError) or any(each in words for each in _NO_MEMORY)
