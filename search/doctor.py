"""Check whether all records agree: `python search/doctor.py`; `--fix` fixes what does not.

The command compares Optuna's studies, MLflow's runs, the files of trials that were under way, and
hashes.
"""

from __future__ import annotations

import shlex
import sys
from argparse import Namespace
from itertools import chain
from pathlib import Path

if __name__ == "__main__":
    # As a script, Python puts search/ first on the path, where files could hide packages.
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from search import errors
from search.cli import arguments, output

EXAMPLES = """\
examples:
  python search/doctor.py
  python search/doctor.py --fix

Exit status: 0 if all is well (or was fixed), 1 if something is not. The command skips studies,
reruns and sweeps that another process is running. It moves files to mlruns/trash/ and does not
delete them. After mlruns/ was moved or copied, --fix corrects the locations of MLflow's artifacts.
"""


def parser() -> arguments.Parser:
    """The options of the command."""
    parser = arguments.Parser(
        prog="doctor.py",
        description="Compare the records of all searches, and fix them.",
        epilog=EXAMPLES,
    )
    parser.add_argument("--fix", action="store_true", help="fix what can be fixed")
    arguments.add_tracking(parser)
    arguments.add_output(parser)
    return parser


def main(argv: list[str] | None = None) -> int:
    """The command; returns the exit status."""
    return arguments.run(parser().parse_args(argv), _run)


def _run(options: Namespace) -> int:
    from rich.table import Table

    from search.cells.audit import damaged_cells
    from search.errors import FAILED
    from search.files.home import HOME
    from search.tracking import address
    from search.tracking.audit import ConsistencyCheck
    from search.tracking.store import open_existing

    home = HOME.absolute()
    console = output.console(quiet=options.quiet)
    uri = address.resolve_uri(options.tracking_uri, home)
    store = open_existing(uri, moved=True)
    inconsistencies = []
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for column in ("study", "store", "what", "fixed" if options.fix else "can be fixed"):
        table.add_column(column, overflow="fold")
    check = ConsistencyCheck(home, store)
    try:
        with check:
            for name in check.busy:
                console.print(
                    f"skipped: another process is running {name}", style="dim", markup=False
                )
            for one in chain(check.inconsistencies(), damaged_cells(check)):
                inconsistencies.append(one)
                table.add_row(one.subject, one.store, one.what, "yes" if one.fix else "no")
                if options.fix and one.fix:
                    one.fix()
    finally:  # if a repair fails, the user still sees what was done
        if inconsistencies:
            console.print(table)
        if check.trash:
            trash = HOME / check.trash.relative_to(home.resolve())
            back = f"delete it, or bring it back: cp -r {trash}/. {HOME}/"
            output.say(console, f"moved to {trash}: {back}")
    if not inconsistencies:
        console.print("all is well")
    left = sum(one.fix is None for one in inconsistencies) if options.fix else len(inconsistencies)
    if not options.fix and any(one.fix for one in inconsistencies):
        again = shlex.join(["python", "search/doctor.py", *options.arguments, "--fix"])
        output.say(console, f"to fix them: {errors.without_secrets(again)}")
    return FAILED if left else 0


if __name__ == "__main__":
    sys.exit(main())
