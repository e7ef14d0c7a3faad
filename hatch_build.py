"""Take NiiVue from npm into the package: for `make viewer`, and when a wheel is built."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PACKAGE = "@niivue/niivue@0.69.0"
MEMBER = "package/dist/niivue.umd.js"
SHA256 = "47b896b77ec4a5be3ef1949c33ad393b6f45629921f326c279000bcf51bdb4af"
STATIC = Path(__file__).parent / "src" / "cardioseg" / "service" / "static"
VENDOR = STATIC / "vendor"
TIMEOUT_S = 120


class ViewerError(Exception):
    """NiiVue could not be had, and why."""


def vendor_viewer() -> Path:
    """Put NiiVue and its licence into static/vendor; what is there and whole stays.

    Raises
    ------
    ViewerError
        If npm is absent or fails, or sends another file than the one that was checked.
    """
    target = VENDOR / "niivue.umd.js"
    if not target.is_file() or hashlib.sha256(target.read_bytes()).hexdigest() != SHA256:
        data = _from_npm()
        if hashlib.sha256(data).hexdigest() != SHA256:
            raise ViewerError(f"{PACKAGE}: not the file that was checked; its SHA-256 differs")
        VENDOR.mkdir(exist_ok=True)
        target.write_bytes(data)
    # The npm package has no licence file, so the project keeps its text.
    shutil.copyfile(STATIC / "NIIVUE-LICENSE.txt", VENDOR / "LICENSE.txt")
    return target


def _from_npm() -> bytes:
    npm = shutil.which("npm")
    if npm is None:
        raise ViewerError("npm is not installed")
    with tempfile.TemporaryDirectory() as folder:
        command = [npm, "pack", "--silent", "--pack-destination", folder, PACKAGE]
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=TIMEOUT_S, cwd=folder)
        except (subprocess.SubprocessError, OSError) as error:
            raise ViewerError(f"npm pack {PACKAGE} failed; is there a network?") from error
        (archive,) = Path(folder).glob("*.tgz")
        with tarfile.open(archive) as packed:
            member = packed.extractfile(MEMBER)
            return b"" if member is None else member.read()


class CustomBuildHook(BuildHookInterface):
    """Vendors NiiVue before a wheel is built; a build without it is whole but shows no images."""

    def initialize(self, version: str, build_data: dict[str, object]) -> None:
        """Hatch calls this; an editable install leaves it to `make viewer`."""
        if version == "editable" or self.target_name != "wheel":
            return
        try:
            vendor_viewer()
        except ViewerError as error:
            self.app.display_warning(f"the wheel has no viewer: {error}")


if __name__ == "__main__":
    try:
        print(vendor_viewer())
    except ViewerError as error:
        sys.exit(f"no viewer: {error}")
