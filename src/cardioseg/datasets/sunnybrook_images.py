"""Which DICOM series a Sunnybrook contour belongs to: told by names alone, no image is opened."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from cardioseg.errors import DatasetError

TABLE = "scd_patientdata.csv"

_FILE = re.compile(r"(.*?)(\d+)\.dcm", re.IGNORECASE)
_SHORT_AXIS = "CINESAX"


class ImageFolders:
    """The images below a folder, and the table that says whose they are.

    Parameters
    ----------
    root
        The data set's folder.

    Raises
    ------
    DatasetError
        If the table is there and not a CSV with the columns PatientID and OriginalID.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._files: dict[tuple[Path, str], dict[int, Path]] = {}
        for path in sorted(root.rglob("*")):
            match = _FILE.fullmatch(path.name)
            if match and not path.name.startswith("."):
                self._files.setdefault((path.parent, match[1]), {})[int(match[2])] = path
        self._patients = _patients(root)

    def series_of(self, name: str, numbers: Sequence[int], *, alone: bool) -> dict[int, Path]:
        """The files of a patient's images of those numbers.

        Parameters
        ----------
        name
            The contours' folder, such as `SC-HF-I-01`.
        numbers
            Numbers of the images.
        alone
            Whether it is the only patient, whose images may lie anywhere.

        Raises
        ------
        DatasetError
            If no series has them all, or several do.
        """
        known = {_plain(name), *self._patients.get(_plain(name), ())}
        fits = {
            place: files
            for place, files in self._files.items()
            if set(numbers) <= set(files) and (alone or known & self._above(place[0]))
        }
        short = {k: v for k, v in fits.items() if _SHORT_AXIS in k[0].name.upper()}
        chosen = short or fits
        if len(chosen) == 1:
            (files,) = chosen.values()
            return {number: files[number] for number in numbers}
        if chosen:
            places = ", ".join(str(folder / f"{stem}*.dcm") for folder, stem in sorted(chosen))
            raise DatasetError(f"{name}: several series have its images: {places}; keep one")
        raise DatasetError(
            f"{self._root}: no series has the {len(numbers)} images of {name}'s contours, number "
            f"{numbers[0]} first; {TABLE} (PatientID, OriginalID) names the folder of each patient"
        )

    def _above(self, folder: Path) -> set[str]:
        """Names of the folders around an image, the data set's own left out."""
        return {_plain(part) for part in folder.relative_to(self._root).parts}


def _plain(name: str) -> str:
    """A name without leading zeros in its last number: the table has SC-HF-I-1 for SC-HF-I-01."""
    return re.sub(r"0*(\d+)$", r"\1", name)


def _patients(root: Path) -> Mapping[str, set[str]]:
    """Folders of images by the patient's original id, both without leading zeros."""
    found: dict[str, set[str]] = {}
    for path in sorted(root.rglob(TABLE)):
        try:
            with path.open(encoding="utf-8-sig", newline="") as stream:
                for row in csv.DictReader(stream):
                    found.setdefault(_plain(row["OriginalID"]), set()).add(_plain(row["PatientID"]))
        except (OSError, UnicodeDecodeError, KeyError, csv.Error) as error:
            raise DatasetError(
                f"{path}: not a CSV with the columns PatientID and OriginalID: {error}"
            ) from error
    return found
