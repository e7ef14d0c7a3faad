"""Inputs by URL, through fsspec: listed, and each fetched just before it is read."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from cardioseg.datasets.layout import IMAGE_SUFFIXES, picture_stem, stem
from cardioseg.errors import DatasetError, FormatError, MissingExtraError, first_line
from cardioseg.io.picture import PICTURE_SUFFIXES
from cardioseg.workflows.inputs import (
    SKIPPED_ENDINGS,
    Input,
    gather_images,
    is_plain_name,
    require_distinct,
)

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

DICOM_SUFFIXES = (".zip", ".dcm")
HEADERS_ALONE = (".nhdr", ".mhd")
"""Headers whose data lies in another file."""

_LOCAL = ("file://", "local://")


def gather(words: Iterable[str]) -> tuple[Input, ...]:
    """Inputs among paths and URLs.

    A folder's URL means the images in it as :func:`cardioseg.workflows.inputs.gather_images` finds
    them in a local one; `*` in a URL stands for any letters of names. Of DICOM, zips and single
    files are inputs where they are named.

    Raises
    ------
    DatasetError
        If a URL cannot be listed, holds no image, or a name in it cannot be a file's.
    MissingExtraError
        If fsspec or the protocol's own package is not installed.
    """
    found: list[Input] = []
    for word in words:
        local = next((word.removeprefix(each) for each in _LOCAL if word.startswith(each)), word)
        found += _listed(word) if "://" in local else gather_images([Path(local)])
    require_distinct(found)
    return tuple(found)


@contextmanager
def fetched(each: Input) -> Iterator[Input]:
    """An input on this machine: a remote one in a private temporary folder, removed at the end.

    Raises
    ------
    FormatError
        If it cannot be fetched.
    """
    if not each.url:
        yield each
        return
    suffix = _suffix(each.path.name)
    if suffix in HEADERS_ALONE:
        raise FormatError(
            f"{each.where}: a header whose data is in another file cannot be fetched; store it as "
            "one file (.nrrd, .mha)"
        )
    with tempfile.TemporaryDirectory(prefix="cardioseg-") as folder:
        # A name from outside becomes no path: only its suffix, which is one of ours.
        path = Path(folder) / f"input{suffix}"
        files, key = _opened(each)
        try:
            files.get_file(key, str(path))
        except Exception as error:  # each protocol has errors of its own, of no common base
            raise FormatError(f"{each.where}: cannot be fetched: {_reason(error, each)}") from None
        yield replace(each, path=path)


def _listed(url: str) -> list[Input]:
    whole = Input("", Path(), url=url)
    files, key = _opened(whole)
    try:
        if "*" in key:
            return _named(whole, key, sorted(str(each) for each in files.glob(key)))
        if _suffix(_file_name(key)):
            if not files.exists(key):
                raise DatasetError(f"{whole.where}: there is no such file")
            return _named(whole, key, [key])
        below = sorted(str(each) for each in files.find(key))
    except DatasetError:
        raise
    except Exception as error:  # each protocol has errors of its own, of no common base
        raise DatasetError(f"{whole.where}: cannot be listed: {_reason(error, whole)}") from None
    images, pictures = (
        [each for each in below if _wanted(of(Path(_file_name(each))))]
        for of in (stem, picture_stem)
    )
    return _named(whole, key, images or pictures)


def _wanted(name: str) -> bool:
    return bool(name) and not name.endswith(SKIPPED_ENDINGS)


def _named(whole: Input, root: str, keys: list[str]) -> list[Input]:
    """Inputs of the keys of a listing; each name is checked, since anybody may have chosen it."""
    found = []
    for key in keys:
        file = _file_name(key)
        suffix = _suffix(file)
        name = file.removesuffix(suffix)
        url = whole.url if key == root else _url_of(whole.url, root, key)
        each = Input(name, Path(file), suffix in DICOM_SUFFIXES, url=url)
        if not suffix:
            raise DatasetError(
                f"{each.where}: not a file of an image format (.nii, .nii.gz, .nrrd, .mha, .png), "
                "nor DICOM (.zip, .dcm)"
            )
        if not is_plain_name(name):
            raise DatasetError(f"{each.where!r}: its name cannot be a file's here; rename it")
        found.append(each)
    if not found:
        raise DatasetError(
            f"{whole.where}: no image here (looked for .nii, .nii.gz, .nrrd, .mha and, where there "
            "is no other, .png); zips of DICOM are named one by one or with *, such as /*.zip"
        )
    return found


def _url_of(url: str, root: str, key: str) -> str:
    """The URL of a key below a root, where `url` is the root's: with its host and what opens it.

    Examples
    --------
    >>> _url_of("s3://heap/hearts/", "heap/hearts", "heap/hearts/a.nii.gz")
    's3://heap/hearts/a.nii.gz'
    >>> _url_of("zip://*.nii::file:///hearts.zip", "*.nii", "a.nii")
    'zip://a.nii::file:///hearts.zip'
    >>> _url_of("zip://::file:///hearts.zip", "", "a.nii")
    'zip://a.nii::file:///hearts.zip'
    >>> _url_of("https://host/hearts/", "https://host/hearts/", "https://host/hearts/a.nii")
    'https://host/hearts/a.nii'
    """
    outer, chained, inner = url.partition("::")
    protocol, _, rest = outer.partition("://")
    # The protocol's own slashes stay: a whole archive's root is empty.
    whole = f"{protocol}://{rest.rstrip('/')}"
    return whole.removesuffix(root.rstrip("/")) + key + chained + inner


def _file_name(key: str) -> str:
    """The last part of a key; of a web address without its query."""
    whole = key.partition("?")[0] if key.startswith(("http://", "https://")) else key
    return PurePosixPath(whole).name


def _suffix(name: str) -> str:
    known = (*IMAGE_SUFFIXES, *PICTURE_SUFFIXES, *DICOM_SUFFIXES)
    return next((each for each in known if name.endswith(each)), "")


def _opened(each: Input) -> tuple[AbstractFileSystem, str]:
    """File system and key of a URL."""
    try:
        from fsspec.core import url_to_fs
    except ImportError as error:
        raise MissingExtraError(f"{each.where}: reading by URL", "scale") from error
    try:
        files, key = url_to_fs(each.url)
    except ImportError as error:
        raise DatasetError(
            f"{each.where}: this kind of URL needs a package of its own: {first_line(error)}"
        ) from None
    except Exception as error:
        raise DatasetError(f"{each.where}: cannot be opened: {_reason(error, each)}") from None
    return files, str(key)


def _reason(error: Exception, each: Input) -> str:
    # A library may spell the URL in its own way, such as with %2F as a slash.
    told = re.sub(r"://\S*@", "://***@", first_line(error).replace(each.url, each.where))
    told = re.sub(r"(://[^\s?]*\?)\S*", r"\1***", told)
    return f"{told}; check the URL, your access and the network, then go on with --resume"
