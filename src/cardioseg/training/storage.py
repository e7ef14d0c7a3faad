"""Where a search is kept: SQLite, PostgreSQL or Optuna's journal file, named by one URL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import unquote

import optuna
from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from cardioseg.errors import ConfigError, MissingExtraError

JOURNAL = "journal:"
_SQLITE_SECONDS = 60
_FORMS = "sqlite:///FILE, postgresql+psycopg://USER:PASSWORD@HOST/DATABASE or journal:FILE"


def masked(url: str) -> str:
    """The kind of storage, without anything that opens it: no user, password, host or path.

    Examples
    --------
    >>> masked("postgresql+psycopg://anna:secret@db.example.org/searches")
    'postgresql+psycopg://***'
    >>> masked("journal:/home/anna/search.log")
    'journal:***'
    """
    kind, colon, _ = url.partition(":")
    if not colon:
        return "***"
    return f"{kind}:***" if url.startswith(JOURNAL) else f"{kind}://***"


def open_study(url: str, name: str) -> optuna.Study:
    """Open the study of that name, or begin it; higher is better.

    Parameters
    ----------
    url
        `sqlite:///FILE`, `postgresql+psycopg://USER:PASSWORD@HOST/DATABASE` or `journal:FILE`.
    name
        Name of the study in the storage.

    Raises
    ------
    ConfigError
        If the URL is none of these, or the storage cannot be opened. The URL is not repeated.
    MissingExtraError
        If the database's driver is not installed.
    """
    # Optuna tells each study and trial on stderr; the program tells it in its own words.
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        return optuna.create_study(
            storage=_storage(url), study_name=name, direction="maximize", load_if_exists=True
        )
    except ModuleNotFoundError as error:
        raise MissingExtraError(f"storage {masked(url)}", "postgresql") from error
    # Journal files fail with whatever their content leads to. `from None`: the cause may hold the
    # password.
    except (SQLAlchemyError, OSError, RuntimeError, ValueError, LookupError) as error:
        reason = _without_secrets(str(error).strip() or type(error).__name__, url)
        raise ConfigError(f"storage {masked(url)} cannot be opened: {reason}") from None


@contextmanager
def kept_in(url: str) -> Iterator[None]:
    """While a search runs: a storage that is lost on the way is told in one line, without its URL.

    Raises
    ------
    ConfigError
        If the storage fails.
    """
    try:
        yield
    except (SQLAlchemyError, StorageInternalError) as error:
        reason = _without_secrets(str(error.__cause__ or error), url)
        raise ConfigError(
            f"storage {masked(url)} was lost: {reason}; give the same command again to go on"
        ) from None


def _storage(url: str) -> BaseStorage:
    if url.startswith(JOURNAL):
        path = url.removeprefix(JOURNAL)
        if not path:
            raise ConfigError(f"--storage journal: names no file; give one of {_FORMS}")
        # Not the symbolic link that is Optuna's default: Windows forbids it to most users.
        return JournalStorage(JournalFileBackend(path, lock_obj=JournalFileOpenLock(path)))
    try:
        kind = make_url(url).get_backend_name()
    except (ArgumentError, ValueError):
        raise ConfigError(f"--storage: not a storage URL; give one of {_FORMS}") from None
    if kind not in ("sqlite", "postgresql"):
        raise ConfigError(f"--storage {masked(url)}: not supported; give one of {_FORMS}")
    # A search is silent for an epoch: a server may have hung up, other processes may hold the file.
    waiting = {"connect_args": {"timeout": _SQLITE_SECONDS}} if kind == "sqlite" else {}
    return RDBStorage(url, engine_kwargs={"pool_pre_ping": True, **waiting})


def sqlite_url(path: Path) -> str:
    """The URL of an SQLite file."""
    return f"sqlite:///{path.resolve().as_posix()}"


def _without_secrets(text: str, url: str) -> str:
    """The first line of a message, with the parts of the URL that open the storage covered."""
    told = text.splitlines()[0].replace(url, masked(url))
    with suppress(ArgumentError, ValueError):
        parsed = make_url(url)
        secrets = [parsed.password, *(v for v in parsed.query.values() if isinstance(v, str))]
        for secret in filter(None, secrets):
            for form in (str(secret), unquote(str(secret))):
                told = told.replace(form, "***")
    return told
