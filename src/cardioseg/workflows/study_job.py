"""One received study: each of its short-axis series segmented, as SEG and SR."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from cardioseg.core.geometry import Geometry
from cardioseg.core.quality import Verdict
from cardioseg.errors import CardiosegError
from cardioseg.inference.segmenter import Segmenter
from cardioseg.io.atomic import make_folder
from cardioseg.io.dicom import Series, find_series, read_series
from cardioseg.workflows.inputs import Opened
from cardioseg.workflows.judging import quality_lines
from cardioseg.workflows.outputs import SEG, SR
from cardioseg.workflows.places import files_of
from cardioseg.workflows.segment import Wanted, segment

FEWEST_SLICES = 4
"""Fewer parallel slices are long-axis views or scouts."""

OBLIQUE_DEGREES = 15.0
"""A short-axis stack is steeper than this against each of the body's axes; axial, coronal and
sagittal stacks are not."""

Tell = Callable[[str], None]


def segment_study(
    segmenter: Segmenter, incoming: Path, output: Path, job: str, tell: Tell
) -> tuple[Path, ...]:
    """Segment every short-axis series of a folder.

    Parameters
    ----------
    segmenter
        Model and engine, or a classical baseline.
    incoming
        Folder with the study's images.
    output
        Folder for the results; created if needed.
    job
        Name of the results, and all that is told of whose they are.
    tell
        Called with lines for the log, without identifiers.

    Returns
    -------
    tuple of Path
        SEG and SR of each series; of a cine the SEGs of ED and ES. A series that the quality gate
        rejects has no SEG, and its SR says why and holds no value.

    Raises
    ------
    FormatError
        If the folder holds no DICOM object.
    """
    make_folder(output)
    found = find_series(incoming)
    for number, series in enumerate(found, start=1):
        which, name = f"series {number} of {len(found)}", f"{job}-{number}"
        try:
            told = _segment_series(segmenter, series, output, name)
        except CardiosegError as error:
            # A SEG goes out with the report that says how far to rely on it, or not at all.
            for path in files_of((SEG, SR), output, name):
                path.unlink()
            told = (f"left out: {error}",)
        for line in told:
            tell(f"{which}: {line}")
    return tuple(sorted(output.glob("*.dcm")))


def why_not_short_axis(geometry: Geometry) -> str:
    """Why a stack is no short-axis stack; empty if it may be one.

    Examples
    --------
    >>> why_not_short_axis(Geometry((64, 64, 10), np.diag([1.5, 1.5, 8.0, 1.0])))
    'parallel to a plane of the body'
    """
    if geometry.shape[2] < FEWEST_SLICES:
        return f"fewer than {FEWEST_SLICES} slices"
    if geometry.native_axis != 2:
        return "slices are not the longest side of its voxels"
    steepest = float(np.abs(geometry.directions[:, 2]).max())
    if steepest > np.cos(np.radians(OBLIQUE_DEGREES)):
        return "parallel to a plane of the body"
    return ""


def _segment_series(
    segmenter: Segmenter, series: Series, output: Path, name: str
) -> tuple[str, ...]:
    """Segment one series if it is a short-axis stack; what to say of it."""
    if series.unfit or series.modality != "MR":
        return (f"left out: {series.unfit or 'not MR'}",)
    source = read_series(series)
    reason = why_not_short_axis(source.scan.frames[0].geometry)
    if reason:
        return (f"left out: {reason}",)
    opened = Opened(source.scan, source, series.digest())
    result = segment(segmenter, name, opened, Wanted(), lambda done, total: None)
    function = result.function
    if function is not None:
        named = [index for index in (function.ed, function.es) if index is not None]
        if not named:
            return ("left out: no heart was found in any frame",)
        result = replace(result, phases=tuple(dict.fromkeys(named)))
    elif not result.chosen[0].array.any():
        return ("left out: no heart was found",)
    quality = result.quality
    if quality is not None and quality.verdict is Verdict.REJECT:
        # A SEG would show contours that nobody should rely on; the report says why there is none.
        from cardioseg.workflows.dicom_outputs import write_sr_of

        write_sr_of(result, output, withhold=True)
        return ("rejected: a report without values, and no SEG", *quality_lines(quality))
    SEG.write(result, output)
    SR.write(result, output)
    frames = f"segmented, {len(source.scan.frames)} frames"
    return (frames, *quality_lines(quality))
