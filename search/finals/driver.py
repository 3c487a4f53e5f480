"""Rerun pipelines from the options: errors come before torch and Ray are imported."""

from __future__ import annotations

import functools
import json
from argparse import Namespace
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from search.cli import output
from search.cli.signals import Interrupted, StopOnSignal, show_interrupted
from search.errors import FAILED, INTERRUPTED, Failure, UserError
from search.files import durable, locks
from search.files.home import HOME, check_disk
from search.finals.plan import NothingToRerun, make_plan, open_store
from search.spaces.pipeline import pipeline_names

if TYPE_CHECKING:
    from search.finals.results import Result


def run(options: Namespace) -> int:
    """Make the final numbers as the options say; returns the exit status."""
    try:
        _, failed = final_numbers(options)
    except Interrupted:
        show_interrupted(output.console(quiet=options.quiet), "search/rerun.py", *options.arguments)
        return INTERRUPTED
    return FAILED if failed else 0


def final_numbers(options: Namespace) -> tuple[list[Result], bool]:
    """The final numbers, and whether a pipeline of several could not be measured.

    Raises:
        UserError, DataError: nothing can be measured; says why.
        Interrupted: it was told to stop.
    """
    everything = options.pipeline == "all"
    names = pipeline_names() if everything else [options.pipeline]
    store = open_store(options)
    home = HOME.absolute()
    check_disk(home)
    console = output.console(quiet=options.quiet)
    results: list[Result] = []
    skipped: dict[str, str] = {}
    failed = locked = False
    with ExitStack() as held, StopOnSignal() as stop:
        for name in names:
            try:
                plan = make_plan(options, name, store)
                if not locked:  # not before all is known to be right: it makes a folder
                    held.enter_context(locks.lock_cells(home))
                    locked = True
                from search.finals.screen import show
                from search.finals.session import rerun

                result = rerun(plan, store, stop, console)
            except UserError as error:
                if not everything:
                    raise
                if isinstance(error, NothingToRerun):
                    skipped[name] = str(error).splitlines()[0]
                    console.print(f"{skipped[name]}: skipped", style="yellow", markup=False)
                else:
                    failed = True
                    console.print(f"{name}: {error}", style="red", markup=False)
                continue
            results.append(result)
            show(console, plan, result)
        if not results and not failed:
            raise Failure(
                "no pipeline has a finished study\n"
                "search first: python search/tune.py --pipeline cifar_contrastive"
            )
        from search.finals.by_dataset import compare_datasets
        from search.finals.comparisons import comparisons_json
        from search.finals.screen import conclude, show_comparisons

        compared = compare_datasets(store, results, functools.partial(output.warn, console))
        show_comparisons(console, compared)
    if options.json:
        whole = {
            "pipelines": {result.pipeline: result.to_json() for result in results},
            "skipped": skipped,
            "comparisons": {name: comparisons_json(several) for name, several in compared.items()},
        }
        durable.write(Path(options.json), json.dumps(whole, indent=1) + "\n")
    conclude(console, results, store)
    return results, failed
