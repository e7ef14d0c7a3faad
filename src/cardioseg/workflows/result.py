"""What segmenting one input gives: the value that every kind of output is written from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cardioseg.core.labels import LabelScheme
from cardioseg.core.measurement import Measurement
from cardioseg.core.quality import Quality
from cardioseg.core.scan import Scan, even_step
from cardioseg.core.volume import LabelMap
from cardioseg.evaluation.function import HeartFunction
from cardioseg.evaluation.volumetry import ONE_SLICE, is_one_slice
from cardioseg.inference.predictor import Provenance

if TYPE_CHECKING:
    from cardioseg.io.dicom import DicomScan


@dataclass(frozen=True, eq=False)
class Result:
    """One input, segmented.

    Parameters
    ----------
    name
        Name of its outputs; no identifier.
    scan
        The images.
    labels
        Label map of every frame that was segmented, by its index from 0, in the scheme to write.
    phases
        Indices of the frames that are written.
    provenance
        What made the labels.
    input_sha256
        Digest of the input: of the file, or over the sorted digests of a series' files.
    source
        The DICOM objects that the scan came from; None for other formats.
    function
        Volumes over time and what follows from them; None unless all frames of a cine were
        segmented.
    quality
        How far the labels can be trusted; None where it was not judged.
    """

    name: str
    scan: Scan
    labels: Mapping[int, LabelMap]
    phases: tuple[int, ...]
    provenance: Provenance
    input_sha256: str
    source: DicomScan | None = None
    function: HeartFunction | None = None
    quality: Quality | None = None

    @property
    def chosen(self) -> tuple[LabelMap, ...]:
        """Label maps of the frames that are written."""
        return tuple(self.labels[index] for index in self.phases)

    @property
    def named_frames(self) -> dict[str, int]:
        """Frames to look at: ED and ES of a whole cine, as far as they are written, by name.

        Where they are unknown, the first frame that is written, without a name.
        """
        if self.function is not None:
            named = {"ED": self.function.ed, "ES": self.function.es}
            found = {phase: i for phase, i in named.items() if i is not None and i in self.phases}
            if found:
                return found
        return {"": self.phases[0]}

    @property
    def frame_ms(self) -> float | None:
        """Time between the frames that are written; None where unknown or uneven."""
        times = self.scan.times_ms
        return even_step([times[index] for index in self.phases]) if times else None

    @property
    def notes(self) -> tuple[str, ...]:
        """What to know about the scan and about its function."""
        return (*self.scan.notes, *(self.function.notes if self.function else ()))

    @property
    def scheme(self) -> LabelScheme:
        """Scheme of the label maps."""
        return self.labels[self.phases[0]].scheme

    @property
    def measurements(self) -> tuple[Measurement, ...]:
        """Heart function of a cine, else the volume of each structure in each written frame."""
        if self.function is not None:
            return self.function.measurements
        return volumes(self.chosen)


def volumes(labels: Sequence[LabelMap]) -> tuple[Measurement, ...]:
    """The volume of each structure in each label map: all that can be measured without a cycle."""
    return tuple(_volume(each, s.name) for each in labels for s in each.scheme.structures)


def _volume(labels: LabelMap, structure: str) -> Measurement:
    if is_one_slice(labels.geometry):
        return Measurement("volume", structure, None, "ml", note=ONE_SLICE)
    return Measurement("volume", structure, round(labels.volume_ml(structure), 4), "ml")
