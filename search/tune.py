"""Search a pipeline's hyperparameters: `python search/tune.py --pipeline cifar_contrastive`.

Ray Tune runs the trials, Optuna proposes them, MLflow records each. The module imports only
argparse before it has checked the arguments, so that `--help` answers at once.
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
  python search/tune.py --pipeline cifar_contrastive --trials 50
  python search/tune.py --pipeline mnist_supervised --data mini --trials 8
  python search/tune.py --pipeline cifar_autoencoder --set width=32 --set lr=1e-4:1e-2
  python search/tune.py --pipeline cifar_autoencoder --limit 'valid/mae<=0.05'
  python search/tune.py --pipeline cifar_contrastive --resume --trials 100
  python search/tune.py --list

Pipelines with a softmax have a temperature: the contrastive and the supervised ones. Autoencoders
have none.
"""


def parser() -> arguments.Parser:
    """The options of the command."""
    parser = arguments.Parser(
        prog="tune.py",
        description="Search the hyperparameters of a pipeline.",
        epilog=EXAMPLES,
    )
    option = partial(arguments.add, parser)
    which = f"a file of your own, or one of: {', '.join(pipeline_names())}"
    option("--pipeline NAME", arguments.pipeline, which)
    trials = "trials the study is to have in the end (default 20)"
    option("--trials N", arguments.positive, trials, default=20)
    option("--epochs E", arguments.positive, "full budget of a trial (default: the pipeline's)")
    repeated = partial(option, parse=str, action="append", default=[])
    choice = "fix a parameter (width=32), narrow it (lr=1e-4:1e-2) or choose (block=strided)"
    repeated("--set NAME=VALUE", help=choice)
    limit = "what a trial has to keep at its end, >= or <=: 'model/parameters<=200000'"
    repeated("--limit METRIC<=NUMBER", help=limit)
    goals = "one goal or two (default: the pipeline's): valid/accuracy and valid/mae:min"
    repeated("--objective METRIC[:min]", help=goals)

    data = arguments.add_data(parser)
    arguments.add(data, "--train-size M", arguments.positive, "train on M images only")

    how = parser.add_argument_group("search")
    option = partial(arguments.add, how)
    sampler = "what proposes trials: auto (default: tpe+gp if it can), tpe+gp, tpe, gp or random"
    names = arguments.one_of("auto", "tpe+gp", "tpe", "gp", "random")
    option("--sampler NAME", names, sampler, default="auto")
    scheduler = (
        "what stops poor trials: auto (default: predictive if it can), predictive, asha, none"
    )
    names = arguments.one_of("auto", "predictive", "asha", "none")
    option("--scheduler NAME", names, scheduler, default="auto")
    option("--seed S", arguments.whole, "seed of proposals and trainings (default 0)", default=0)
    option(
        "--time-budget TIME", arguments.duration, "stop after 90s, 30m, 2h ...; --resume goes on"
    )
    good = "stop when a complete trial has this value of the goal, or a better one"
    option("--target VALUE", arguments.finite, good)
    poor = "stop when so many trials in a row have brought none better"
    option("--stop-after N", arguments.positive, poor)
    start = "a study of this folder, or a published one, whose trials' order the sampler is to know"
    option("--from STUDY", arguments.name, start)
    twin = "afterwards, for as long as the study took: random, a random search as its twin"
    option("--baseline NAME", arguments.one_of("random"), twin)
    option(
        "--study NAME", arguments.name, "name of the study (default: the pipeline's and the time)"
    )
    source = "with --resume, go on with another text of your own pipeline than the study began with"
    how.add_argument("--accept-source", action="store_true", help=source)
    check = "check your own pipeline by what every pipeline has to keep; train nothing"
    how.add_argument("--check", action="store_true", help=check)
    resume = "go on with the latest study, or the named one, up to --trials"
    how.add_argument("--resume", action="store_true", help=resume)

    arguments.add_machine(parser)

    other = parser.add_argument_group("records and output")
    arguments.add_tracking(other)
    dry = "show space, resources and a forecast; train nothing, write nothing"
    other.add_argument("--dry-run", action="store_true", help=dry)
    again = "train one trial again, alone, and compare the curves"
    arguments.add(other, "--replay TRIAL_ID", arguments.filled, again)
    other.add_argument("--list", action="store_true", help="list pipelines, spaces and defaults")
    arguments.add_output(other)
    return parser


def main(argv: list[str] | None = None) -> int:
    """The command; returns the exit status."""
    options_parser = parser()
    options = options_parser.parse_args(argv)
    if not (options.pipeline or options.list or options.replay):
        options_parser.error(f"--pipeline is needed, one of: {', '.join(pipeline_names())}")
    return arguments.run(options, _dispatch)


def _dispatch(options: Namespace) -> int:
    if options.check:
        from search.cli.listing import show_check

        return show_check(options.pipeline)
    if options.list:
        from search.cli.listing import show

        return show(options.pipeline)
    from search.cluster import ray_session

    ray_session.prepare_environment()
    if options.replay:
        from search.tuning.replay import replay

        return replay(options)
    if options.dry_run:
        from search.tuning.forecast import forecast

        return forecast(options)
    from search.tuning.driver import search

    return search(options).status


if __name__ == "__main__":
    exit_fast(main())
