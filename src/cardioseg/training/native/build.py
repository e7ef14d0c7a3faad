"""`kernels.cpp` compiled for this processor, once, into the user's cache, and loaded."""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from importlib import resources
from pathlib import Path

import torch

from cardioseg.errors import ConfigError

COMPILER, CACHE = "CXX", "XDG_CACHE_HOME"
"""Environment variables, by everyone's convention: the C++ compiler, the folder of caches."""

_FLAGS = ("-O3", "-march=native", "-fopenmp", "-std=c++17", "-shared", "-fPIC", "-Wno-psabi")
_SHOWN_LINES = 5
_TIMEOUT_S = 300

_INT, _LONG, _POINTER = ctypes.c_int, ctypes.c_int64, ctypes.c_void_p
_SIGNATURES = {
    "depthwise_forward": (_INT, *[_POINTER] * 3, *[_LONG] * 4, _INT),
    "depthwise_backward": (_INT, *[_POINTER] * 5, *[_LONG] * 4, _INT),
    "moments": (_INT, *[_POINTER] * 3, *[_LONG] * 2, _INT),
    "norm_forward": (*[_INT] * 3, *[_POINTER] * 7, *[_LONG] * 5, _INT),
    "norm_backward": (*[_INT] * 3, *[_POINTER] * 14, *[_LONG] * 5, _INT),
    "pool_forward": (_INT, *[_POINTER] * 2, *[_LONG] * 4, _INT),
    "pool_backward": (_INT, *[_POINTER] * 3, *[_LONG] * 4, _INT),
}
"""Arguments of each kernel: flags, tensors, sizes, threads."""


def kernels_problem() -> str:
    """Why the kernels cannot be had on this machine, in words; empty if they can."""
    try:
        load_kernels()
    except ConfigError as error:
        return str(error)
    return ""


@cache
def load_kernels() -> ctypes.CDLL:
    """The compiled kernels; compiled first if this machine's cache has none of this source.

    Raises
    ------
    ConfigError
        If there is no C++ compiler, or it fails.
    """
    source = resources.files("cardioseg.training.native").joinpath("kernels.cpp").read_bytes()
    compiler = _compiler()
    path = _cache() / f"kernels-{_key(source, compiler)}.so"
    if not path.is_file():
        _compile(source, compiler, path)
    if path.stat().st_uid != os.getuid():
        raise ConfigError(f"{path}: belongs to another user, whose code is not run; remove it")
    try:
        # PyTorch is loaded before: what g++ makes shares its OpenMP and threads. clang++ brings
        # its own.
        library = ctypes.CDLL(str(path))
    except OSError as error:
        raise ConfigError(f"{path}: damaged ({error}); remove it and start again") from error
    for name, arguments in _SIGNATURES.items():
        function = getattr(library, f"cardioseg_{name}")
        function.argtypes, function.restype = arguments, None
    return library


def _compiler() -> tuple[str, ...]:
    if not sys.platform.startswith("linux"):
        raise ConfigError("compiled kernels are for Linux; train anew with kernels = 'torch'")
    named = tuple(shlex.split(os.environ.get(COMPILER, "")))
    for command in (named,) if named else (("g++",), ("clang++",)):
        if shutil.which(command[0]):
            return command
    wanted = named[0] if named else "g++ or clang++"
    raise ConfigError(
        f"compiled kernels need a C++ compiler, and {wanted} is not on the PATH; "
        "install g++ (Debian: apt install g++) or train anew with kernels = 'torch'"
    )


def _cache() -> Path:
    try:
        return Path(os.environ.get(CACHE) or Path.home() / ".cache") / "cardioseg"
    except RuntimeError as error:
        raise ConfigError(
            f"compiled kernels need a folder of caches, and this user has no home; name one by "
            f"{CACHE} or train anew with kernels = 'torch'"
        ) from error


def _key(source: bytes, compiler: tuple[str, ...]) -> str:
    """Whatever changes the machine code: source, flags, compiler, processor."""
    facts = (platform.machine(), _processor(), torch.__version__, *_told(compiler), *_FLAGS)
    return hashlib.sha256(source + repr(facts).encode()).hexdigest()[:16]


def _told(compiler: tuple[str, ...]) -> tuple[str, ...]:
    """A compiler's words, and its file's size and time: another version is another one."""
    found = shutil.which(compiler[0])
    if found is None:
        return compiler
    file = Path(found).stat()
    return (*compiler, str(file.st_size), str(file.st_mtime_ns))


def _processor() -> str:
    """The processor's features: a home may be shared by machines."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return platform.processor()
    return next((line for line in lines if line.startswith(("flags", "Features"))), "")


def _compile(source: bytes, compiler: tuple[str, ...], path: Path) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent) as scratch:
            code, made = Path(scratch) / "kernels.cpp", Path(scratch) / "kernels.so"
            code.write_bytes(source)
            # Our own source, and no shell.
            command = [*compiler, *_FLAGS, str(code), "-o", str(made)]
            told = subprocess.run(  # noqa: S603  # nosec B603
                command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
            )
            if told.returncode:
                shown = "\n".join(told.stderr.splitlines()[:_SHOWN_LINES])
                raise ConfigError(
                    f"{compiler[0]}: cannot compile the kernels; name another compiler by "
                    f"{COMPILER} or train anew with kernels = 'torch'. It says:\n{shown}"
                )
            made.replace(path)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConfigError(
            f"{path.parent}: cannot compile the kernels here ({error}); name a folder of caches "
            f"that can be written by {CACHE} or train anew with kernels = 'torch'"
        ) from error
