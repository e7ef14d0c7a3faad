"""Scalars of each epoch for TensorBoard; the extra `tensorboard`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from cardioseg.errors import MissingExtraError

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


class TensorBoardLog:
    """Writes one scalar for each number of an epoch's record.

    Parameters
    ----------
    folder
        Where the event file goes; `tensorboard --logdir FOLDER` shows it.

    Raises
    ------
    MissingExtraError
        If TensorBoard is not installed.
    """

    def __init__(self, folder: Path) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter as Writer
        except ImportError as error:
            raise MissingExtraError("--tensorboard", "tensorboard") from error
        self._folder, self._open = folder, Writer

    @cached_property
    def _writer(self) -> SummaryWriter:
        """Opened with the first record: a run that cannot start leaves no file."""
        return self._open(str(self._folder))

    def __call__(self, record: Mapping[str, float]) -> None:
        """Write the record of one epoch, at once."""
        epoch = int(record["epoch"])
        for name, value in record.items():
            if name != "epoch":
                self._writer.add_scalar(name.replace(" ", "_"), value, epoch)
        self._writer.flush()
