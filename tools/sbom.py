"""The parts of an installation as CycloneDX JSON, from the lock file and what is installed.

    python tools/sbom.py --lock requirements.lock --output sbom.json

A component has its version and the SHA-256 of every file that it may be installed from; licence and
description come from what is installed. A distribution that is installed in another version
than the lock file's is refused: the list would not be of this installation.
"""

from __future__ import annotations

import argparse
import json
import re
import uuid
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

_PINNED = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


@dataclass(frozen=True)
class Pinned:
    """One line of a lock file: a distribution, its version, and the digests of its files."""

    name: str
    version: str
    sha256: tuple[str, ...]


def read_lock(text: str) -> tuple[Pinned, ...]:
    """The distributions of a lock file.

    Raises
    ------
    ValueError
        If one has no hash, or there is none.
    """
    found = []
    for block in re.split(r"\n(?=[A-Za-z0-9])", text):
        pinned = _PINNED.match(block)
        if pinned is None:
            continue
        hashes = tuple(_HASH.findall(block))
        if not hashes:
            raise ValueError(f"{pinned[1]}: no hash in the lock file; make it again: make lock")
        found.append(Pinned(normal(pinned[1]), pinned[2], hashes))
    if not found:
        raise ValueError("no distribution in the lock file")
    return tuple(found)


def normal(name: str) -> str:
    """A distribution's name as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def sbom(parts: tuple[Pinned, ...], name: str) -> dict[str, object]:
    """A CycloneDX 1.5 document; the same parts give the same bytes."""
    own = distribution(name)
    components = [_component(each) for each in parts]
    digest = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps([own.version, components]))
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{digest}",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": f"pkg:pypi/{name}@{own.version}",
                "name": name,
                "version": own.version,
                "purl": f"pkg:pypi/{name}@{own.version}",
                "licenses": _licences(name),
            }
        },
        "components": components,
        "dependencies": [
            {
                "ref": f"pkg:pypi/{name}@{own.version}",
                "dependsOn": [str(each["bom-ref"]) for each in components],
            }
        ],
    }


def _component(part: Pinned) -> dict[str, object]:
    purl = f"pkg:pypi/{part.name}@{part.version}"
    component: dict[str, object] = {
        "type": "library",
        "bom-ref": purl,
        "name": part.name,
        "version": part.version,
        "purl": purl,
        "hashes": [{"alg": "SHA-256", "content": each} for each in part.sha256],
    }
    try:
        installed = distribution(part.name).version
    except PackageNotFoundError:
        return component  # of another system or Python: a marker leaves it out here
    if installed != part.version:
        raise ValueError(
            f"{part.name}: {installed} is installed, the lock file has {part.version}; install "
            "with the lock file, or make it again: make lock"
        )
    return {**component, "licenses": _licences(part.name)}


def _licences(name: str) -> list[dict[str, object]]:
    metadata = distribution(name).metadata
    expression = metadata.get("License-Expression")
    if expression:
        return [{"expression": expression}]
    trove = [each for each in metadata.get_all("Classifier", []) if each.startswith("License ::")]
    names = [each.rpartition(" :: ")[2] for each in trove]
    told = names or [(metadata.get("License") or "").splitlines()[0:1] or ["not told"]][0]
    return [{"license": {"name": str(each)}} for each in told]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lock", type=Path, default=Path("requirements.lock"))
    parser.add_argument("--output", type=Path, default=Path("sbom.json"))
    arguments = parser.parse_args()
    document = sbom(read_lock(arguments.lock.read_text(encoding="utf-8")), "cardioseg")
    arguments.output.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    print(f"{len(document['components'])} components in {arguments.output}")  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
