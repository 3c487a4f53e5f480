"""Do all records agree? `python search/doctor.py`, and `--fix` to mend what does not.

Compares Optuna's studies, MLflow's runs and the files of trials that were under way.
"""

from __future__ import annotations

import sys
from argparse import Namespace, RawDescriptionHelpFormatter
from pathlib import Path

if __name__ == "__main__":
    # As a script, Python puts search/ first on the path, where files could hide packages.
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from search import arguments

EXAMPLES = """\
examples:
  python search/doctor.py
  python search/doctor.py --fix

Exit status: 0 when all is well (or was mended), 1 when something is not. What is being searched,
rerun or swept at the moment is left alone.
"""


def parser() -> arguments.Parser:
    """The options of the command."""
    made = arguments.Parser(
        prog="doctor.py",
        description="Compare the records of all searches, and mend them.",
        epilog=EXAMPLES,
        formatter_class=RawDescriptionHelpFormatter,
    )
    made.add_argument("--fix", action="store_true", help="mend what can be mended")
    arguments.add_tracking(made)
    arguments.add_output(made)
    return made


def main(argv: list[str] | None = None) -> int:
    """The command; returns the exit status."""
    return arguments.run(parser().parse_args(argv), _run)


def _run(options: Namespace) -> int:
    from rich.console import Console
    from rich.table import Table

    from search import tracking, tracking_address
    from search.checkup import Checkup
    from search.errors import FAILED
    from search.home import HOME

    home = HOME.absolute()
    console = Console(highlight=False, quiet=options.quiet)
    store = tracking.open_existing(tracking_address.resolve_uri(options.tracking_uri, home))
    with Checkup(home, store) as checkup:
        found = checkup.findings()
        for name in checkup.busy:
            console.print(f"left alone: {name} is at work", style="dim", markup=False)
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
        for column in ("study", "store", "what", "mended" if options.fix else "can be mended"):
            table.add_column(column)
        for one in found:
            mended = "yes" if one.mend else "no"
            if options.fix and one.mend:
                one.mend()
            table.add_row(one.subject, one.store, one.what, mended)
    if not found:
        console.print("all is well")
        return 0
    console.print(table)
    left = sum(one.mend is None for one in found) if options.fix else len(found)
    if not options.fix and any(one.mend for one in found):
        console.print("to mend them: python search/doctor.py --fix")
    return FAILED if left else 0


if __name__ == "__main__":
    sys.exit(main())
