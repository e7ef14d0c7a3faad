"""Ray for one command: a local one that only this program can reach, or a cluster by address."""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
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
    "RAY_USAGE_STATS_ENABLED": "0",
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
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray = _ray()
    if ray.is_initialized():
        yield _connected(pool, int(ray.cluster_resources().get("CPU", 1)), not pool.address)
        return
    with _local_environment(not pool.address), _temporary(not pool.address) as folder:
        try:
            if pool.address:
                ray.init(address=pool.address, log_to_driver=False, logging_level=logging.ERROR)
            else:
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
        try:
            cores = int(ray.cluster_resources().get("CPU", 1))
            yield _connected(pool, cores, not pool.address)
        finally:
            ray.shutdown()


def _connected(pool: Pool, cores: int, is_local: bool) -> Connected:
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
def _local_environment(is_local: bool) -> Iterator[None]:
    """What Ray reads from the environment, for as long as it runs."""
    if not is_local:
        yield
        return
    wanted = {**_LOCAL_ENVIRONMENT, "RAY_AUTH_TOKEN": secrets.token_hex(32)}
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
