"""The published results: `python analysis/publish.py`.

Adds what MLflow holds about searches and final numbers on real data to `docs/results/`, and makes
the tables of its page and of the README again from all that is published there. With `--report`
it draws the report of all that is published into `docs/report/`.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from functools import partial
from pathlib import Path

if __name__ == "__main__":
    # As a script, Python puts analysis/ first on the path, where files could hide packages.
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from search.cli import arguments

EXAMPLES = """\
examples:
  python analysis/publish.py
  python analysis/publish.py --report
  python analysis/publish.py --check
  python analysis/publish.py --data mini --out somewhere/

Run it in a clone of the repository, after search/tune.py and search/rerun.py.
"""


def parser() -> arguments.Parser:
    """The options of the command."""
    command_line = arguments.Parser(
        prog="publish.py",
        description="Add what MLflow holds to docs/results/ and make its tables again.",
        epilog=EXAMPLES,
    )
    option = partial(arguments.add, command_line)
    where = "folder of the published results (default docs/results)"
    option("--out DIR", str, where, default="docs/results")
    only = command_line.add_mutually_exclusive_group()
    only.add_argument("--tables", action="store_true", help="read no store, make the tables again")
    only.add_argument("--check", action="store_true", help="the same, but change nothing: compare")
    whole = "draw the report of all that is published too, as a PDF and as pages for GitHub "
    whole += "(default docs/report)"
    option("--report DIR", arguments.new_folder, whole, nargs="?", const="docs/report")
    option("--points N", arguments.positive, "images in each t-SNE (default 2000)", default=2000)
    arguments.add_data(command_line)
    other = command_line.add_argument_group("records and output")
    arguments.add_tracking(other)
    arguments.add_output(other)
    return command_line


def main(argv: list[str] | None = None) -> int:
    """The command; returns the exit status."""
    return arguments.run(parser().parse_args(argv), _run)


def _run(options: Namespace) -> int:
    from analysis.publication import publishing

    return publishing.run(options)


if __name__ == "__main__":
    sys.exit(main())
