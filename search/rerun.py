"""Final numbers: `python search/rerun.py --pipeline cifar_contrastive`, or `all`.

Trains the best configurations of the studies again with fresh seeds, chooses the champion by
validation, and only then reads the test set.
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
    )
    option = partial(arguments.add, parser)
    names = f"one of: {', '.join(pipeline_names())}; all skips those without a finished study"
    pipeline_or_all = partial(arguments.pipeline, also=(arguments.EVERY,))
    option("--pipeline NAME|all", pipeline_or_all, names, required=True)
    top = "configurations to choose the champion from (default 1)"
    option("--top K", arguments.positive, top, default=1)
    option(
        "--seeds N", arguments.positive, "trainings of each configuration (default 5)", default=5
    )
    option("--epochs E", arguments.positive, "epochs of each training (default: the study's)")
    changed = "change a parameter of what is trained again (width=64)"
    option("--set NAME=VALUE", str, changed, action="append", default=[])
    rows = arguments.some_of("ablation", "defaults", "random", what="row")
    left_out = "rows to leave out, of ablation,defaults,random: where the champion alone takes long"
    option("--without ROWS", rows, left_out, default=())
    option = partial(arguments.add, parser.add_mutually_exclusive_group())
    option("--study NAME", arguments.name, "the best trials of this study only")
    option("--trial ID", arguments.filled, "this trial only")
    option("--config FILE", arguments.filled, "the configuration in this best.json only")
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


def _run(options: Namespace) -> int:
    from search.cluster import ray_session

    ray_session.prepare_environment()
    from search.finals.driver import run

    return run(options)


if __name__ == "__main__":
    exit_fast(main())
