"""nibabel's header classes, imported without the pydicom that they hardly need.

nibabel imports pydicom for one kind of header extension, DICOM attributes (code 2); that takes
twice as long as the rest of it. Where this module is the first to import nibabel, such an extension
is plain bytes, as for those who have no pydicom.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def _without_pydicom() -> Iterator[None]:
    """In the block an import of pydicom fails, unless it was imported before."""
    if "pydicom" in sys.modules:
        yield
        return
    sys.modules["pydicom"] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules["pydicom"]


with _without_pydicom():
    from nibabel.nifti1 import Nifti1Header
    from nibabel.nifti2 import Nifti2Header
    from nibabel.spatialimages import HeaderDataError

# nibabel's headers have no types.
NIFTI_1: Any = Nifti1Header
NIFTI_2: Any = Nifti2Header

__all__ = ["NIFTI_1", "NIFTI_2", "HeaderDataError"]
