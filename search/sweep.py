"""Grids for one question each: `python search/sweep.py --sweep latent_dim`, or `all`.

Trains every point of the grid with several seeds, reads the test set once for the finished grid,
and answers the sweep's question from the numbers. `analysis/report.py` draws the figures.
"""

from __future__ import annotations

import sys
from argparse import RawDescriptionHelpFormatter
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
        formatter_class=RawDescriptionHelpFormatter,
    )
    names = sweep_names()
    parser.add_argument(
        "--sweep",
        type=arguments.one_of(*names, arguments.EVERY),
        required=True,
        metavar="NAME|all",
        help=f"one of: {', '.join(names)}",
    )
    parser.add_argument("--quick", action="store_true", help="a reduced grid, for a first look")
    parser.add_argument(
        "--seeds", type=arguments.positive, metavar="N", help="trainings of each point"
    )
    parser.add_argument(
        "--epochs",
        type=arguments.positive,
        metavar="E",
        help="epochs of each training (default: the pipeline's, fewer with --quick)",
    )
    parser.add_argument(
        "--train-size",
        type=arguments.positive,
        metavar="M",
        help="training images (default: all, fewer with --quick)",
    )
    arguments.add_data(parser)
    arguments.add_machine(parser)
    arguments.add_results(parser, seed="the trainings' seeds")
    return parser


def main(argv: list[str] | None = None) -> int:
    """The command; returns the exit status."""
    return arguments.run(parser().parse_args(argv), _run)


def _run(options) -> int:  # type: ignore[no-untyped-def]
    from search.cluster import ray_session

    ray_session.prepare_environment()
    from search.grids.driver import run

    return run(options)


if __name__ == "__main__":
    exit_fast(main())
