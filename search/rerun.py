"""Final numbers: `python search/rerun.py --pipeline cifar_contrastive`, or `all`.

Trains the best configurations of the studies again with fresh seeds, chooses the champion by
validation, and only then reads the test set.
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
from search.spaces.pipeline import pipeline_names

EXAMPLES = """\
examples:
  python search/rerun.py --pipeline cifar_contrastive
  python search/rerun.py --pipeline all --top 2 --seeds 3 --json final.json
  python search/rerun.py --pipeline mnist_autoencoder --trial 61319de14ba4 --epochs 30
  python search/rerun.py --pipeline mnist_autoencoder --config best.json
  python search/rerun.py --pipeline cifar_supervised --top 1 --set width=64 --epochs 30

The same command again goes on where it was interrupted and does not repeat finished trainings.
"""


def parser() -> arguments.Parser:
    """The options of the command."""
    parser = arguments.Parser(
        prog="rerun.py",
        description="Train the best configurations again and read the test set once.",
        epilog=EXAMPLES,
        formatter_class=RawDescriptionHelpFormatter,
    )
    names = ", ".join(pipeline_names())
    parser.add_argument(
        "--pipeline",
        type=arguments.pipeline_or_all,
        required=True,
        metavar="NAME|all",
        help=f"one of: {names}; all skips those without a finished study",
    )
    parser.add_argument(
        "--top",
        type=arguments.positive,
        default=1,
        metavar="K",
        help="configurations to choose the champion from (default 1)",
    )
    parser.add_argument(
        "--seeds",
        type=arguments.positive,
        default=5,
        metavar="N",
        help="trainings of each configuration (default 5)",
    )
    parser.add_argument(
        "--epochs",
        type=arguments.positive,
        metavar="E",
        help="epochs of each training (default: the study's)",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="change a parameter of what is trained again (width=64)",
    )
    parser.add_argument(
        "--without",
        type=arguments.some_of("ablation", "defaults", "random", what="row"),
        default=(),
        metavar="ROWS",
        help="rows to leave out, of ablation,defaults,random: where the champion alone takes long",
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--study", type=arguments.name, metavar="NAME", help="the best trials of this study only"
    )
    which.add_argument("--trial", type=arguments.filled, metavar="ID", help="this trial only")
    which.add_argument(
        "--config",
        type=arguments.filled,
        metavar="FILE",
        help="the configuration in this best.json only",
    )
    arguments.add_data(parser)
    arguments.add_machine(parser)
    arguments.add_results(parser, seed="the fresh seeds")
    return parser


def main(argv: list[str] | None = None) -> int:
    """The command; returns the exit status."""
    options_parser = parser()
    options = options_parser.parse_args(argv)
    if options.pipeline == "all":
        for name in ("study", "trial", "config"):
            if getattr(options, name):
                options_parser.error(f"--{name} belongs to one pipeline: name it instead of all")
    return arguments.run(options, _run)


def _run(options) -> int:  # type: ignore[no-untyped-def]
    from search.cluster import ray_session

    ray_session.prepare_environment()
    from search.finals.driver import run

    return run(options)


if __name__ == "__main__":
    exit_fast(main())
