"""Ray for one command: a local one that only this program can reach, or a cluster by address."""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

from cardioseg.engines.engine import usable_cores
from cardioseg.errors import ClusterError, ConfigError, MissingExtraError, first_line

if TYPE_CHECKING:
    from types import ModuleType

OBJECT_STORE_BYTES = 100 * 2**20
"""What passes between processes are names and outcomes; Ray's least is 75 MiB."""

LONGEST_TEMPORARY = 40
"""Ray's sockets lie below its folder, and a socket's path has 107 letters at most on Linux."""

_LOCAL_ENVIRONMENT = {
    # Ray asks this where it would bind to all interfaces; its name tells of other systems only.
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "RAY_AUTH_MODE": "token",
    "RAY_BACKEND_LOG_LEVEL": "fatal",
}


@dataclass(frozen=True)
class Pool:
    """How many workers, and where.

    Parameters
    ----------
    workers
        How many; 0 takes one a core.
    address
        Of a running Ray cluster, such as `head:6379`; empty starts Ray on this machine.
    """

    workers: int = 0
    address: str = ""


@dataclass(frozen=True)
class Connected:
    """A Ray to work on: workers, threads of each, and whether they are on this machine only."""

    workers: int
    threads: int
    is_local: bool


@contextmanager
def connected(pool: Pool) -> Iterator[Connected]:
    """Start or join a Ray; one that this process has already is used and left.

    A local Ray listens on this machine's own address only, and wants a secret that is drawn anew;
    it has no dashboard, reports no usage, and its folder is removed.

    Raises
    ------
    MissingExtraError
        If Ray is not installed.
    ClusterError
        If it cannot be started or joined.
    ConfigError
        If there are more workers than the cluster has cores.
    """
    is_local = not pool.address
    running = sys.modules.get("ray")
    if running is not None and running.is_initialized():
        yield _connected(pool, running, is_local)
        return
    # Before Ray is imported: it settles then where it listens.
    with _environment(is_local), _temporary(is_local) as folder:
        ray = _ray()
        try:
            _start(ray, pool, folder)
            yield _connected(pool, ray, is_local)
        finally:
            ray.shutdown()


def _start(ray: ModuleType, pool: Pool, folder: str | None) -> None:
    try:
        if pool.address:
            ray.init(address=pool.address, log_to_driver=False, logging_level=logging.ERROR)
            return
        ray.init(
            address="local",
            num_cpus=max(usable_cores(), pool.workers),
            include_dashboard=False,
            object_store_memory=OBJECT_STORE_BYTES,
            log_to_driver=False,
            logging_level=logging.ERROR,
            _temp_dir=folder,
        )
    except Exception as error:  # Ray's share no base with those of what it calls
        named = f" at {pool.address}" if pool.address else ""
        raise ClusterError(
            f"Ray{named} cannot be used: {first_line(error)}; check --ray-address, or leave "
            "out --ray to predict in one process"
        ) from error
    address = ray.util.get_node_ip_address()
    if not ip_address(address).is_loopback:
        raise ClusterError(
            f"Ray listens on {address}, which others reach; let cardioseg import Ray first, or "
            "start a cluster yourself and name it with --ray-address"
        )


def _connected(pool: Pool, ray: ModuleType, is_local: bool) -> Connected:
    cores = int(ray.cluster_resources().get("CPU", 1))
    workers = pool.workers or cores
    if workers > cores:
        raise ConfigError(
            f"--workers {workers}: this Ray has {cores} cores; take as many workers at most"
        )
    own = min(cores, usable_cores()) if is_local else cores
    return Connected(workers, max(1, own // workers), is_local)


def _ray() -> ModuleType:
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise MissingExtraError("--ray", "scale") from error
    # Set before its first data set: it tells settings and every failed block with a traceback.
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)
    module: ModuleType = ray
    return module


@contextmanager
def _environment(is_local: bool) -> Iterator[None]:
    """What Ray reads from the environment, for as long as it runs."""
    wanted = {"RAY_USAGE_STATS_ENABLED": "0"}
    if is_local:
        wanted |= {**_LOCAL_ENVIRONMENT, "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    former = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in former.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _temporary(is_local: bool) -> Iterator[str | None]:
    """A private folder for Ray's logs and sockets; None where Ray's own place must do."""
    if not is_local or len(tempfile.gettempdir()) > LONGEST_TEMPORARY:
        yield None
        return
    folder = Path(tempfile.mkdtemp(prefix="cardioseg-ray-"))
    try:
        yield str(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
