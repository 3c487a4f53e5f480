"""Look after the studies: `python search/studies.py list | show NAME | stop NAME | delete NAME`."""

from __future__ import annotations

import sys
from argparse import Namespace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

if __name__ == "__main__":
    # As a script, Python puts search/ first on the path, where files could hide packages.
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from search.cli import arguments, output

if TYPE_CHECKING:
    from rich.console import Console

    from search.study.study import Study
    from search.tracking.store import RunView, Store

EXAMPLES = """\
examples:
  python search/studies.py list
  python search/studies.py show cifar_contrastive-20261130-094005
  python search/studies.py stop cifar_contrastive-20261130-094005
  python search/studies.py delete first-try --yes

`stop` ends a search of any terminal of this machine as Ctrl-C does: its trials go on with --resume.
`delete` takes a study out of Optuna and MLflow, with the files of its unfinished trials. MLflow
keeps what is deleted until `mlflow gc`.
"""
ACTIONS = ("list", "show", "stop", "delete")
PATIENCE = 300  # seconds for a search that was told to stop


def parser() -> arguments.Parser:
    """The options of the command."""
    command_line = arguments.Parser(
        prog="studies.py", description="Look after the studies.", epilog=EXAMPLES
    )
    command_line.add_argument("action", choices=ACTIONS, help=", ".join(ACTIONS))
    which = "the study; all of them for `list`"
    command_line.add_argument("name", type=arguments.filled, metavar="NAME", nargs="?", help=which)
    command_line.add_argument("--yes", action="store_true", help="delete without asking")
    arguments.add_tracking(command_line)
    arguments.add_output(command_line)
    return command_line


def main(argv: list[str] | None = None) -> int:
    """The command; returns the exit status."""
    command_line = parser()
    options = command_line.parse_args(argv)
    if (options.action == "list") == bool(options.name):
        command_line.error(f"{options.action} takes {'no' if options.name else 'a'} NAME")
    return arguments.run(options, _run)


def _run(options: Namespace) -> int:
    from search.errors import UserError
    from search.files.home import HOME
    from search.spaces.pipeline import nearest
    from search.study.storage import load_study, open_storage, studies_exist, study_names

    home = HOME.absolute()
    console = output.console(quiet=options.quiet)
    storage = open_storage(home) if studies_exist(home) else None
    names = study_names(storage) if storage else []
    if options.action == "list":
        return _list(console, home, [load_study(storage, name) for name in names if storage])
    if storage is None or options.name not in names:
        hint = nearest(options.name, names) if names else "; there are none"
        raise UserError(f"there is no study {options.name!r} in {home}{hint}")
    study = load_study(storage, options.name)
    if options.action == "show":
        return _show(console, home, study)
    if options.action == "stop":
        return _stop(console, home, options.name)
    return _delete(console, home, study, options)


def _list(console: Console, home: Path, found: list[Study]) -> int:
    from rich.table import Table

    from search.study import study as studies

    if not found:
        output.say(console, f"there is no study in {home}")
        return 0
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("study", no_wrap=True, overflow="fold")
    for column in ("pipeline", "data", "trials", "best", "began"):
        table.add_column(column, overflow="fold")
    for study in found:
        identity, best = study.user_attrs[studies.IDENTITY], studies.best_trials(study)
        counts = studies.counts(study)
        states = ", ".join(f"{counts[state]} {state.lower()}" for state in sorted(counts))
        began = [t.datetime_start for t in study.get_trials(deepcopy=False) if t.datetime_start]
        running = "running, " * (_driver(home, study.study_name) is not None)
        row = identity["pipeline"], identity["data"], f"{running}{states or 'none'}"
        several = len(study.directions) > 1
        value = (
            f"{len(best)} on the front" if several else f"{best[0].values[0]:.4f}" if best else ""
        )
        since = _age(min(began)) if began else ""
        table.add_row(study.study_name, *row, value, since, style="bold" if running else "")
    console.print(table)
    return 0


def _show(console: Console, home: Path, study: Study) -> int:
    from search.study import study as studies
    from search.tuning.screen import SHOWN, front, ranking

    identity, aims = study.user_attrs[studies.IDENTITY], studies.aims(study)
    pid = _driver(home, study.study_name)
    console.print(study.study_name, style="bold", markup=False)
    text = dict(
        identity, goals=", ".join(map(str, aims.goals)), limits=", ".join(map(str, aims.limits))
    )
    for name in ("pipeline", "data", "train_size", "epochs", "seed", "goals", "limits", "twin_of"):
        if text.get(name) not in (None, ""):
            output.say(console, f"{name}: {text[name]}")
    counts = studies.counts(study)
    states = ", ".join(f"{counts[state]} {state.lower()}" for state in sorted(counts)) or "none"
    console.print(f"trials: {states}{f'; running (pid {pid})' if pid is not None else ''}\n")
    ended = studies.ranked(study)
    if ended and not aims.several:
        console.print(ranking(ended[:SHOWN], aims))
    elif ended:
        console.print(front(studies.best_trials(study), aims))
    return 0


def _stop(console: Console, home: Path, name: str) -> int:
    import os
    import signal
    import time

    from search.errors import Failure

    pid = _driver(home, name)
    if pid is None:
        raise Failure(f"study {name!r} is not being searched")
    command = Path(f"/proc/{pid}/cmdline")
    if not pid or (command.parent.parent.exists() and b"python" not in _read(command)):
        raise Failure(f"study {name!r} is searched by a process that is not on this machine")
    os.kill(pid, signal.SIGINT)
    deadline = time.monotonic() + PATIENCE
    while _driver(home, name) == pid:
        if time.monotonic() > deadline:
            raise Failure(f"process {pid} was told to stop, and goes on after {PATIENCE} s")
        time.sleep(0.2)
    console.print(f"stopped {name}; go on with --study {name} --resume", markup=False)
    return 0


def _delete(console: Console, home: Path, study: Study, options: Namespace) -> int:
    import shutil

    from search.errors import UserError
    from search.files import locks
    from search.study import study as studies
    from search.study.storage import delete_study
    from search.tracking import address
    from search.tracking.store import open_existing

    name = study.study_name
    store = open_existing(address.resolve_uri(options.tracking_uri, home))
    with locks.lock_study(home, name):
        runs = _runs(store, study)
        counted = f"{len(studies.trained(study))} trials in Optuna, {len(runs)} runs in MLflow"
        console.print(f"{name}: {counted}", markup=False)
        for line in _dependents(store, study):
            output.warn(console, f"depends on it: {line}")
        if not options.yes:
            if not sys.stdin.isatty():
                raise UserError("nothing was deleted\ngive --yes, where nobody can be asked")
            if console.input("delete it? [y/N] ").strip().lower() not in ("y", "yes"):
                raise UserError("nothing was deleted", status=1)
        for run in runs:  # Optuna's study goes last: until then this can be repeated
            store.delete_run(run.run_id)
        for left in (home / "studies" / name).iterdir():
            if left.name not in ("driver.lock", "driver.pid"):
                shutil.rmtree(left) if left.is_dir() else left.unlink()
        delete_study(study)
    shutil.rmtree(home / "studies" / name, ignore_errors=True)
    console.print(f"deleted {name}; MLflow frees its files with `mlflow gc`", markup=False)
    return 0


def _runs(store: Store, study: Study) -> list[RunView]:
    """The study's run and its trials'."""
    return store.runs_of(_experiment(study), study=study.study_name)


def _dependents(store: Store, study: Study) -> list[str]:
    """What was made from the study's trials, or beside it, and stays."""
    experiment = _experiment(study)
    twins = store.runs_of(experiment, kind="study", twin_of=study.study_name)
    lines = [f"its random search {run.tags['study']}, which stays" for run in twins]
    for run in store.runs_of(experiment, kind="rerun"):
        if f"of {study.study_name}" in run.params.get("candidates", "").split("; ")[0]:
            lines.append(f"final numbers, run {run.run_id[:8]}, which stay")
    return lines


def _experiment(study: Study) -> str:
    from search.spaces.pipeline import experiment_name
    from search.study import study as studies

    identity = study.user_attrs[studies.IDENTITY]
    return experiment_name(identity["pipeline"], identity["data"])


def _driver(home: Path, name: str) -> int | None:
    """The process that searches the study, 0 if it is not known which; None if none does."""
    from search.errors import UserError
    from search.files import locks

    holder = home / "studies" / name / "driver.pid"
    if not holder.exists():
        return None
    try:  # a killed driver leaves the file, and no lock
        with locks.lock_study(home, name):
            return None
    except UserError:
        text = _read(holder)
        return int(text) if text.isdigit() else 0


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        return b""


def _age(began: datetime) -> str:
    """`5 min ago`."""
    from search.cli.progress import in_words

    seconds = (datetime.now() - began).total_seconds()
    return f"{in_words(seconds) if seconds < 2 * 86_400 else f'{seconds / 86_400:.0f} days'} ago"


if __name__ == "__main__":
    sys.exit(main())
