"""MLflow's database on this machine: whether it may be made here, its making, its version.

MLflow's client would make it too, in seconds, and with the messages of its migrations.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from search.errors import Failure, UserError
from search.files import locations
from search.files.sqlite import sqlite_file, sqlite_uri


def check_local(uri: str) -> None:
    """Make sure that a local store can be made, and that it was not moved or copied.

    Raises:
        UserError: its folder cannot be made, or its artifacts would go elsewhere.
    """
    file = sqlite_file(uri)
    if file is None:
        return
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Failure(
            f"cannot create an MLflow store at {uri}: {error.strerror or error}\n"
            "correct --tracking-uri, or leave it out"
        ) from None
    locations.check(file)


def create_database(path: Path, artifacts: Path) -> None:
    """Create an SQLite store at `path`, whose runs' artifacts go to `artifacts`."""
    with quiet_mlflow():
        from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

        store = SqlAlchemyStore(sqlite_uri(path), artifacts.as_uri())
        store.engine.dispose()


def of_another_schema(error: Exception, shown: str) -> UserError | None:
    """An error about a schema of another MLflow version, None for other errors.

    MLflow's own message calls a newer schema outdated.
    """
    match = re.search(r"database schema \(found version (\w+)", str(error))
    if match is None:
        return None
    from mlflow.store import db_migrations

    known = Path(str(db_migrations.__file__)).parent / "versions"
    if any(known.glob(f"{match[1]}_*.py")):
        fix = "back it up, then: mlflow db upgrade with this address"
        return Failure(f"an older MLflow created {shown}\n{fix}")
    return Failure(
        f"a newer MLflow created {shown} (its schema is {match[1]})\n"
        "install it or a later one: pip install --upgrade mlflow; or name another --tracking-uri"
    )


@contextmanager
def quiet_mlflow() -> Iterator[None]:
    """Keep the messages of MLflow and of the migration off the screen."""
    import logging

    import mlflow  # the import sets its loggers' levels, so it must come first

    noisy = [logging.getLogger(name) for name in (mlflow.__name__, "alembic")]
    before = [logger.level for logger in noisy]
    for logger in noisy:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(noisy, before, strict=True):
            logger.setLevel(level)
