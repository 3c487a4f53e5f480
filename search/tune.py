"""Search a pipeline's hyperparameters: `python search/tune.py --pipeline cifar_contrastive`.

Ray Tune runs the trials, Optuna proposes them, MLflow has a record of each. Only argparse is
imported before the arguments are known to be right, so that `--help` answers at once.
"""

from __future__ import annotations

import sys
from argparse import Namespace, RawDescriptionHelpFormatter
from pathlib import Path

if __name__ == "__main__":
    # As a script, Python puts search/ first on the path, where files could hide packages.
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from search import arguments
from search.leaving import leave
from search.pipeline import pipeline_names

EXAMPLES = """\
examples:
  python search/tune.py --pipeline cifar_contrastive --trials 50
  python search/tune.py --pipeline mnist_supervised --data mini --trials 8
  python search/tune.py --pipeline cifar_autoencoder --set width=32 --set lr=1e-4:1e-2
  python search/tune.py --pipeline cifar_contrastive --resume --trials 100
  python search/tune.py --list

There is a temperature where there is a softmax: in the contrastive pipelines and the supervised
ones. Autoencoders have none.
"""


def parser() -> arguments.Parser:
    """The options of the command."""
    made = arguments.Parser(
        prog="tune.py",
        description="Search the hyperparameters of a pipeline.",
        epilog=EXAMPLES,
        formatter_class=RawDescriptionHelpFormatter,
    )
    names = ", ".join(pipeline_names())
    add = made.add_argument
    add("--pipeline", type=arguments.pipeline, metavar="NAME", help=f"one of: {names}")
    add(
        "--trials",
        type=arguments.positive,
        default=20,
        metavar="N",
        help="trials the study is to have in the end (default 20)",
    )
    add(
        "--epochs",
        type=arguments.positive,
        metavar="E",
        help="full budget of a trial (default: the pipeline's)",
    )
    add(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="fix a parameter (width=32), narrow it (lr=1e-4:1e-2) or choose (block=strided)",
    )

    data = arguments.add_data(made)
    data.add_argument(
        "--train-size", type=arguments.positive, metavar="M", help="train on M images only"
    )

    how = made.add_argument_group("search")
    how.add_argument(
        "--sampler",
        type=arguments.one_of("tpe", "random", "gp"),
        default="tpe",
        metavar="NAME",
        help="who proposes: tpe (default), random or gp",
    )
    how.add_argument(
        "--scheduler",
        type=arguments.one_of("asha", "none"),
        default="asha",
        metavar="NAME",
        help="who stops poor trials early: asha (default) or none",
    )
    how.add_argument(
        "--seed",
        type=arguments.whole,
        default=0,
        metavar="S",
        help="of proposals and trainings (default 0)",
    )
    how.add_argument(
        "--time-budget",
        type=arguments.duration,
        metavar="TIME",
        help="stop after 90s, 30m, 2h ...; what is unfinished can be resumed",
    )
    how.add_argument(
        "--study",
        type=arguments.name,
        metavar="NAME",
        help="name of the study (default: the pipeline's and the time)",
    )
    how.add_argument(
        "--resume",
        action="store_true",
        help="go on with the latest study, or the named one, up to --trials",
    )

    arguments.add_machine(made)

    other = made.add_argument_group("records and output")
    arguments.add_tracking(other)
    other.add_argument(
        "--dry-run",
        action="store_true",
        help="show space, resources and a forecast; train nothing, write nothing",
    )
    other.add_argument(
        "--replay", metavar="TRIAL_ID", help="train one trial again, alone, and compare the curves"
    )
    other.add_argument("--list", action="store_true", help="list pipelines, spaces and defaults")
    arguments.add_output(other)
    return made


def main(argv: list[str] | None = None) -> int:
    """The command; returns the exit status."""
    made = parser()
    options = made.parse_args(argv)
    if not (options.pipeline or options.list or options.replay):
        made.error(f"--pipeline is needed, one of: {', '.join(pipeline_names())}")
    return arguments.run(options, _dispatch)


def _dispatch(options: Namespace) -> int:
    if options.list:
        from search.listing import show

        return show(options.pipeline)
    from search import cluster

    cluster.prepare_environment()
    if options.replay:
        from search.replay import replay

        return replay(options)
    if options.dry_run:
        from search.forecast import forecast

        return forecast(options)
    from search.driver import run

    return run(options)


if __name__ == "__main__":
    leave(main())
