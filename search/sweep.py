"""Grids for one question each: `python search/sweep.py --sweep latent_dim`, or `all`.

Trains every point of the grid with several seeds, reads the test set once for the finished grid,
and answers the sweep's question from the numbers. `analysis/report.py` draws the figures.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from functools import partial
from pathlib import Path

if __name__ == "__main__":
    # As a script, Python puts search/ first on the path, where files could hide packages.
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from search.cli import arguments
from search.cli.exiting import exit_fast
from search.grids.sweep import sweep_names

EXAMPLES = """\
examples:
  python search/sweep.py --sweep latent_dim --quick
  python search/sweep.py --sweep all --quick --data mini
  python search/sweep.py --sweep few_labels --seeds 1 --train-size 20000 --epochs 6

The same command again goes on where it was interrupted and does not repeat finished trainings.
"""


def parser() -> arguments.Parser:
    """The options of the command."""
    parser = arguments.Parser(
        prog="sweep.py",
        description="Train a fixed grid and answer one question from it.",
        epilog=EXAMPLES,
    )
    option = partial(arguments.add, parser)
    names = sweep_names()
    sweep = arguments.one_of(*names, arguments.EVERY)
    option("--sweep NAME|all", sweep, f"one of: {', '.join(names)}", required=True)
    parser.add_argument("--quick", action="store_true", help="a reduced grid, for a first look")
    option("--seeds N", arguments.positive, "trainings of each point")
    epochs = "epochs of each training (default: the pipeline's, fewer with --quick)"
    option("--epochs E", arguments.positive, epochs)
    images = "training images (default: all, fewer with --quick)"
    option("--train-size M", arguments.positive, images)
    arguments.add_data(parser, own=False)
    arguments.add_machine(parser)
    arguments.add_results(parser, seed="the trainings' seeds")
    return parser


def main(argv: list[str] | None = None) -> int:
    """The command; returns the exit status."""
    return arguments.run(parser().parse_args(argv), _run)


def _run(options: Namespace) -> int:
    from search.cluster import ray_session

    ray_session.prepare_environment()
    from search.grids.driver import run

    return run(options)


if __name__ == "__main__":
    exit_fast(main())
