"""CAMUS: 2-D echocardiography, two apical views of each patient at ED and ES."""

from __future__ import annotations

import re
import warnings
from functools import partial
from pathlib import Path

from cardioseg.core.case import Case
from cardioseg.core.labels import CAMUS, LabelScheme
from cardioseg.core.volume import LabelMap, Volume
from cardioseg.datasets.layout import images_matching, require_folder, wrong_layout
from cardioseg.errors import DatasetError, ReadWarning
from cardioseg.io.images import read_labels, read_volume

CITATION = "Leclerc et al., IEEE TMI 2019, doi:10.1109/TMI.2019.2900516"
LICENSE = "CC BY-NC-SA 4.0"

_FILE = re.compile(r"(patient\d+)_([24]CH)_(ED|ES)(_gt)?")


def read_camus(folder: str | Path) -> tuple[Case, ...]:
    """List the pictures of a CAMUS folder, up to four of each patient; no image is opened.

    Each picture is one slice, 1 mm deep. Its rows go away from the probe, not towards a side of the
    patient: the orientation counts as unknown. The sequences (`_half_sequence`), whose third axis
    is time and not depth, are left out. `Info_2CH.cfg` and `Info_4CH.cfg` (quality, frame numbers)
    are not needed. Names, numbers and the two axes of the files are those that public programs
    which read the set rely on; no file of it was at hand.

    Parameters
    ----------
    folder
        Holds, at any depth, `patient0001/patient0001_2CH_ED.nii.gz` and
        `patient0001_2CH_ED_gt.nii.gz`; MetaImage (`.mhd`), as the challenge had it, is read too.

    Returns
    -------
    tuple of Case
        Sorted by id, such as `patient0001_2CH_ED`; both views and both phases of a patient share
        the subject. The test part came without labels at first.

    Raises
    ------
    DatasetError
        If the folder has another layout, or a file is there twice or in another patient's folder.

    References
    ----------
    Leclerc et al., IEEE TMI 2019, doi:10.1109/TMI.2019.2900516

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     (Path(name) / "patient0007").mkdir()
    ...     (Path(name) / "patient0007" / "patient0007_4CH_ES.nii.gz").touch()
    ...     [(case.id, case.subject, case.phase) for case in read_camus(name)]
    [('patient0007_4CH_ES', 'patient0007', 'ES')]
    """
    root = require_folder(folder, "CAMUS")
    files = images_matching(root, _FILE)
    cases = []
    for name, path in files.items():
        match = _FILE.fullmatch(name)
        if match is None or match[4]:
            continue
        if path.parent.name.startswith("patient") and path.parent.name != match[1]:
            raise DatasetError(f"{path}: a file of another patient; move it to its folder")
        labels = files.get(f"{name}_gt")
        cases.append(
            Case(
                id=name,
                subject=match[1],
                load_image=partial(_image, path),
                load_labels=partial(_labels, labels, CAMUS) if labels else None,
                phase=match[3],
                orientation_known=False,
            )
        )
    if not cases:
        raise wrong_layout(root, "patientNNNN/patientNNNN_2CH_ED.nii.gz")
    return tuple(cases)


# That a picture has no depth is how this set is: it is not told for every file.
def _image(path: Path) -> Volume:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ReadWarning)
        return read_volume(path)


def _labels(path: Path, scheme: LabelScheme) -> LabelMap:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ReadWarning)
        return read_labels(path, scheme)
