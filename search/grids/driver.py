"""Train sweeps from the options: errors come before torch and Ray are imported."""

from __future__ import annotations

import json
from argparse import Namespace
from contextlib import ExitStack
from pathlib import Path

from search.cli import output
from search.cli.signals import Interrupted, StopOnSignal, show_interrupted
from search.errors import FAILED, INTERRUPTED
from search.files import durable, locks
from search.files.home import HOME, check_disk
from search.grids.plan import make_plan
from search.grids.results import GridResult
from search.grids.sweep import sweep_names
from search.tracking import address
from search.tracking.store import Store


def run(options: Namespace) -> int:
    """Train the sweeps as the options say; returns the exit status."""
    home = HOME.absolute()
    uri = address.resolve_uri(options.tracking_uri, home)
    address.probe(uri)
    console = output.console(quiet=options.quiet)
    names = sweep_names() if options.sweep == "all" else [options.sweep]
    plans = [make_plan(options, name, uri) for name in names]
    check_disk(home)
    outcomes: list[GridResult] = []
    with ExitStack() as held, StopOnSignal() as stop:
        held.enter_context(locks.lock_cells(home))
        from search.grids.screen import conclude, show
        from search.grids.session import SweepSession

        store = Store(uri)
        try:
            for plan in plans:
                outcome, answer = SweepSession(plan, store, stop, console).finish()
                outcomes.append(outcome)
                show(console, plan, outcome, answer)
        except Interrupted:
            show_interrupted(console, "search/sweep.py", *options.arguments)
            return INTERRUPTED
    if options.json:
        content = {outcome.name: outcome.to_json() for outcome in outcomes}
        durable.write(Path(options.json), json.dumps(content, indent=1) + "\n")
    conclude(console, plans[-1])
    return FAILED if any(outcome.failures for outcome in outcomes) else 0
