"""SQLite files: their addresses, checks of their content, and their creation by one process."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from urllib.parse import quote, unquote

from filelock import FileLock

from search.errors import Failure
from search.files import durable, fault_injection
from search.files.home import HOME

DAMAGED = ("database disk image is malformed", "file is not a database")
SCHEMES = ("sqlite:///", "sqlite+pysqlite:///")


def sqlite_file(uri: str) -> Path | None:
    """The file of an SQLite address; None for other addresses."""
    for scheme in SCHEMES:
        if uri.startswith(scheme):
            return Path(unquote(uri.removeprefix(scheme).partition("?")[0])).absolute()
    return None


def sqlite_uri(file: Path) -> str:
    """The absolute address of a file for SQLAlchemy.

    SQLAlchemy reads options after a `?` and a code after a `%`, so both are coded. MLflow creates
    the folder that an address with `sqlite:///` names, without decoding it; it creates none for the
    longer scheme, which names the driver too.
    """
    path = str(file.absolute())
    coded = path.replace("%", "%25").replace("?", "%3F")
    return f"{SCHEMES[coded != path]}{coded}"


def check(file: Path, *, table: str, owner: str) -> None:
    """Make sure that `file` is a database of `owner`, or empty, or missing.

    Args:
        table: a table that every database of the owner has.

    Raises:
        UserError: it is a folder, not a database, damaged, or another program's.
    """
    reason = "is a folder" if file.is_dir() else ""
    if not reason and file.exists():
        try:
            tables = _ask(file, "SELECT name FROM sqlite_master WHERE type = 'table'")
            if tables and table not in tables:
                reason = f"is not a database of {owner}"
        except sqlite3.OperationalError:
            return  # locked or unreadable: the owner waits for it, or raises, when it opens it
        except sqlite3.DatabaseError as error:
            reason = f"cannot be read ({error})"
    if reason:
        raise Failure(
            f"cannot use {file} as the database of {owner}: it {reason}\n"
            "name another file, or put back a copy of it from before"
        )


def explain_damage(error: BaseException | None, tracking_uri: str | None) -> str | None:
    """A message that names the damaged database, if `error` or a cause of it reports damage.

    SQLite does not name the file, so the function reads all candidates from end to end.
    """
    symptom = ""
    while error is not None and not symptom:
        symptom = next((words for words in DAMAGED if words in str(error)), "")
        error = error.__cause__ or error.__context__
    if not symptom:
        return None
    given = sqlite_file(tracking_uri or os.environ.get("MLFLOW_TRACKING_URI") or "")
    files = [HOME.absolute() / "optuna.db", given or HOME.absolute() / "mlflow.db"]
    damaged = [str(file) for file in files if file.is_file() and not _is_sound(file)]
    return (
        f"damaged: {' and '.join(damaged) or ' or '.join(map(str, files))} ({symptom})\n"
        "put back a copy from before, or repair the file: sqlite3 FILE .recover | sqlite3 NEW"
    )


def _is_sound(file: Path) -> bool:
    try:
        return _ask(file, "PRAGMA quick_check(1)") == ["ok"]
    except sqlite3.OperationalError:
        return True
    except sqlite3.DatabaseError:
        return False


def _ask(file: Path, query: str) -> list[str]:
    """The first column of the query's result; the file is only read."""
    with closing(sqlite3.connect(f"file:{quote(str(file))}?mode=ro", uri=True)) as database:
        return [str(row[0]) for row in database.execute(query)]


def create_once(path: Path, make: Callable[[Path], None]) -> None:
    """If the database is missing, let `make` write it under another name, then rename it.

    MLflow and Optuna look which tables exist and create the rest. That breaks if several processes
    do it at once, and a killed process leaves an incomplete file.

    Args:
        path: where the database is to be; an existing file stays as it is.
        make: writes a database to the given path and closes it.
    """
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.parent / f".{path.stem}.lock"):
        if path.exists():  # another driver created it while this one waited
            return
        for stale in path.parent.glob(f".{path.name}.*.new*"):
            stale.unlink()  # a killed process left it: nobody else holds the lock
        new = path.parent / f".{path.name}.{os.getpid()}.new"
        make(new)
        fault_injection.reach("creating")
        durable.sync(new)
        new.rename(path)
        durable.sync(path.parent)
