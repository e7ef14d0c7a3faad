"""Run a command and tell, as JSON, its exit code, seconds and peak memory; a script, not a module.

A small process has to start it: Linux counts what its parent holds, where that is more, to a
child's peak.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time


def main() -> None:
    started = time.perf_counter()
    process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    facts = {"code": process.returncode, "seconds": seconds, "peak_mb": used.ru_maxrss / 1024}
    print(json.dumps({**facts, "cpu_seconds": used.ru_utime + used.ru_stime}))


if __name__ == "__main__":
    main()
