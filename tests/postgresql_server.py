"""A PostgreSQL server of the test's own: Debian's programs, a free port, a password, no trace."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

USER = "anna"
SECONDS = 60


def _programs() -> Path:
    """The folder of initdb and postgres: Debian keeps one a version, outside PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    named = shutil.which("postgres")
    if not found and named is None:
        pytest.skip("no PostgreSQL server: install Debian's postgresql")
    return Path(named).resolve().parent if named else found[-1].parent


def _account() -> dict[str, int]:
    """Who runs it: PostgreSQL refuses to be root's."""
    if os.getuid() != 0:
        return {}
    names = {each.pw_name: each for each in pwd.getpwall()}
    who = names.get("postgres") or names["nobody"]
    return {"user": who.pw_uid, "group": who.pw_gid}


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextmanager
def postgresql() -> Iterator[str]:
    """A running server's URL; the test is skipped with a reason where there is none to run."""
    psycopg = pytest.importorskip("psycopg", reason="the extra 'postgresql' is not installed")
    programs, account = _programs(), _account()
    # Not pytest's folder: another account could not enter it.
    folder = Path(tempfile.mkdtemp(prefix="cardioseg-postgresql-"))
    data, password, port = folder / "data", secrets.token_hex(16), _free_port()
    (folder / "password").write_text(password)
    if account:
        for path in (folder, folder / "password"):
            os.chown(path, account["user"], account["group"])
    quiet = {"stdout": subprocess.DEVNULL, "cwd": folder, "extra_groups": [], **account}
    if not account:
        del quiet["extra_groups"]
    server = None
    try:
        subprocess.run(
            [programs / "initdb", "--pgdata", data, "--username", USER, "--auth", "scram-sha-256",
             "--pwfile", folder / "password", "--encoding", "UTF8", "--locale", "C", "--no-sync"],
            check=True, **quiet,
        )  # fmt: skip
        server = subprocess.Popen(
            [programs / "postgres", "-D", data, "-p", str(port), "-c", "listen_addresses=127.0.0.1",
             "-c", "unix_socket_directories=", "-c", "fsync=off"],
            stderr=subprocess.DEVNULL, **quiet,
        )  # fmt: skip
        where = f"{USER}:{password}@127.0.0.1:{port}/postgres"
        deadline = time.monotonic() + SECONDS
        while True:
            try:
                psycopg.connect(f"postgresql://{where}").close()
                break
            except psycopg.OperationalError:
                if server.poll() is not None or time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
        yield f"postgresql+psycopg://{where}"
    finally:
        if server is not None:
            server.send_signal(signal.SIGINT)  # it ends without waiting for those who are connected
            server.wait(SECONDS)
        shutil.rmtree(folder, ignore_errors=True)
