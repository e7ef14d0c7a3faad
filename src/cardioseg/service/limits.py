"""How much the service takes, keeps and waits for."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from cardioseg.prepare.plan import FrozenModel

MIB = 1 << 20

Count = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Limits(FrozenModel):
    """Every limit of the service.

    Parameters
    ----------
    upload_mb
        Bytes of one upload, in MiB.
    unpacked_mb
        Bytes that an upload may unpack to or that its header may claim, as stored or as the 32-bit
        numbers that are computed with, in MiB.
    files
        Entries of a zip.
    ratio
        Unpacked over packed bytes, of a zip and of each of its entries. Deflate reaches 1032;
        real series stay below 20.
    job_seconds
        Time for one job once it runs.
    waiting
        Jobs that may wait in the queue.
    kept
        Jobs that are kept at once, finished ones included.
    kept_mb
        Bytes of all jobs together, in MiB.
    keep_minutes
        Minutes after the last upload, result or correction until a job is deleted.
    corrections
        Entries in the record of one job's corrections.

    Examples
    --------
    >>> Limits(upload_mb=1).upload_bytes
    1048576
    """

    upload_mb: Positive = 512
    unpacked_mb: Positive = 2048
    files: Count = 10_000
    ratio: Positive = 200
    job_seconds: Positive = 900
    waiting: Count = 40
    kept: Count = 100
    kept_mb: Positive = 8192
    keep_minutes: Positive = 60
    corrections: Count = 2000

    @property
    def upload_bytes(self) -> int:
        """Bytes of one upload."""
        return int(self.upload_mb * MIB)

    @property
    def unpacked_bytes(self) -> int:
        """Bytes that an upload may unpack to."""
        return int(self.unpacked_mb * MIB)

    @property
    def kept_bytes(self) -> int:
        """Bytes of all jobs together."""
        return int(self.kept_mb * MIB)
