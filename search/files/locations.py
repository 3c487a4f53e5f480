"""Where the artifacts of an SQLite store are. Imports no MLflow.

MLflow keeps absolute addresses of them: after a folder was moved or copied, they name the old one.
"""

from __future__ import annotations

import shlex
import shutil
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from search.errors import Failure
from search.files.home import HOME
from search.files.sqlite import sqlite_uri

DEFAULT = "mlflow.db"
TIMEOUT = 10.0  # seconds to wait for a locked database
COLUMNS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)


def artifact_folder(database: Path) -> Path:
    """The artifact folder of a database; each database has its own."""
    own = "artifacts" if database.name == DEFAULT else f"{database.name}.artifacts"
    return database.parent / own


def local_path(uri: str) -> Path | None:
    """The path of a `file:` address, None for others."""
    return Path(unquote(urlsplit(uri).path)) if uri.startswith("file:") else None


def former_folders(database: Path) -> list[Path]:
    """The folders in which the database was when it recorded its artifacts, if it moved since.

    A location counts only if it has the form that this project gives. It does not count if
    artifacts lie there without a copy here and the database has no copy there: then a user chose
    that place.
    """
    folders: dict[Path, None] = {}
    try:
        experiments = _rows(database, "SELECT name, artifact_location FROM experiments")
    except sqlite3.Error:  # MLflow explains this error
        return []
    for name, location in experiments:
        then = local_path(location or "")
        if then is None or then.name != name or not f".{then.parent.name}".endswith(".artifacts"):
            continue
        folder = then.parents[1]
        if folder.resolve() == database.parent.resolve():
            continue
        now = database.parent / then.relative_to(folder)
        double = now.exists() or _exists(folder / database.name)
        if double or not _exists(then):  # else a user chose that place
            folders[folder] = None
    return list(folders)


def check(database: Path) -> None:
    """Make sure that new artifacts go to the folder of the database.

    Raises:
        UserError: the folder was moved or copied.
    """
    for then in former_folders(database):
        default = database == (HOME / DEFAULT).absolute()
        option = "" if default else f" --tracking-uri {shlex.quote(sqlite_uri(database))}"
        raise Failure(
            f"{database} was moved or copied, but it still names {then} for its artifacts\n"
            f"correct their locations: python search/doctor.py --fix{option}"
        )


def correct(database: Path) -> None:
    """Set the locations to the folder of the database; the former folder is only read.

    Artifacts of the database's runs that lie in the former folder alone are copied.

    Raises:
        UserError: a file cannot be written; the caller may call again.
    """
    try:
        for folder in former_folders(database):
            _correct(database, folder)
    except (OSError, sqlite3.Error) as error:
        raise Failure(
            f"cannot correct the locations in {database}: {error}\n"
            "make its folder writable, free some space, and call again"
        ) from None


def _correct(database: Path, folder: Path) -> None:
    then, now = (f"{path.as_uri().rstrip('/')}/" for path in (folder, database.parent))
    for (uri,) in _rows(database, "SELECT artifact_uri FROM runs"):
        source = local_path(uri or "")
        if source and source.is_relative_to(folder) and _exists(source):
            _copy(source, database.parent / source.relative_to(folder))
    with closing(sqlite3.connect(database, timeout=TIMEOUT)) as connection, connection:
        for table, column in COLUMNS:
            connection.execute(
                f"UPDATE {table} SET {column} = ? || substr({column}, ?)"
                f" WHERE substr({column}, 1, ?) = ?",
                (now, len(then) + 1, len(then), then),
            )


def known_runs(folder: Path) -> set[str]:
    """The ids of all runs, deleted ones included, in the MLflow databases of a folder.

    Raises:
        UserError: a database cannot be read.
    """
    run_ids: set[str] = set()
    for file in filter(Path.is_file, folder.iterdir()):
        try:
            if (file.suffix == ".db" or _begins_as_sqlite(file)) and _rows(
                file, "SELECT name FROM sqlite_master WHERE name = 'runs'"
            ):
                run_ids |= {run for (run,) in _rows(file, "SELECT run_uuid FROM runs")}
        except (OSError, sqlite3.Error) as error:
            raise Failure(f"{file} cannot be read: {error}") from None
    return run_ids


def _rows(database: Path, query: str) -> list[tuple[Any, ...]]:
    uri = f"{database.absolute().as_uri()}?mode=rw"  # rolls back the transaction of a killed writer
    with closing(sqlite3.connect(uri, uri=True, timeout=TIMEOUT)) as connection:
        return connection.execute(query).fetchall()


def _exists(path: Path) -> bool:
    """Whether the path exists; a path that this user may not look at counts as missing."""
    with suppress(OSError):
        return path.exists()
    return False


def _begins_as_sqlite(file: Path) -> bool:
    with file.open("rb") as handle:
        return handle.read(16) == b"SQLite format 3\0"


def _copy(source: Path, target: Path) -> None:
    """Copy the folder whole or not at all; an existing target stays as it is."""
    if target.exists():
        return
    partial = target.with_name(f".{target.name}.part")
    shutil.rmtree(partial, ignore_errors=True)  # a killed process left it
    shutil.copytree(source, partial)
    partial.rename(target)
