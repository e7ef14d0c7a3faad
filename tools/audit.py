"""Known vulnerabilities of what the lock file pins; failing where nobody could be asked.

    python tools/audit.py requirements.lock

pip-audit leaves out what it cannot look up and still ends well. So a version that is known to be
vulnerable is asked about first: where that is not found, no answer means anything.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from sbom import read_lock

KNOWN = "jinja2==2.10"
"""PYSEC-2019-217 (CVE-2019-10906): escaping its sandbox."""


class CouldNotLookError(Exception):
    """The audit did not ask, or had no answer: neither good nor bad."""


def ask(requirements: str) -> dict[str, list[str]]:
    """Ids of vulnerabilities by distribution.

    Raises
    ------
    CouldNotLookError
        If pip-audit has no answer, or leaves out one of the distributions.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "requirements.txt"
        path.write_text(requirements)
        command = [sys.executable, "-m", "pip_audit", "--disable-pip", "--no-deps",
                   "--format", "json", "--requirement", str(path)]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    return answers(done.stdout, requirements.count("=="), done.stderr)


def answers(told: str, wanted: int, words: str = "") -> dict[str, list[str]]:
    """What pip-audit's JSON says, which must be about every distribution."""
    try:
        parts = json.loads(told)["dependencies"]
    except (ValueError, KeyError, TypeError) as error:
        last = words.strip().splitlines()[-1:] or ["no words"]
        raise CouldNotLookError(f"pip-audit gave no answer ({last[0][:200]})") from error
    left_out = [each["name"] for each in parts if "skip_reason" in each or "vulns" not in each]
    if left_out or len(parts) != wanted:
        raise CouldNotLookError(
            f"pip-audit looked at {len(parts) - len(left_out)} of {wanted}; left out: {left_out}"
        )
    return {each["name"]: [str(v["id"]) for v in each["vulns"]] for each in parts if each["vulns"]}


def main() -> None:
    parts = read_lock(Path(sys.argv[1]).read_text(encoding="utf-8"))
    try:
        if not ask(f"{KNOWN}\n"):
            raise CouldNotLookError(f"{KNOWN} is known to be vulnerable, and was not found")
        found = ask("".join(f"{each.name}=={each.version}\n" for each in parts))
    except (CouldNotLookError, subprocess.TimeoutExpired) as error:
        sys.exit(f"could not look: {error}")
    for name, ids in found.items():
        print(f"{name}: {', '.join(ids)}")
    print(f"{len(parts)} distributions looked up, {len(found)} with known vulnerabilities")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
