"""The final report: `python analysis/report.py`.

Reads what MLflow holds about the six pipelines and writes `report/`.
"""

from __future__ import annotations

import gc
import sys
from argparse import Namespace, RawDescriptionHelpFormatter
from pathlib import Path

if __name__ == "__main__":
    # As a script, Python puts analysis/ first on the path, where files could hide packages.
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from search.cli import arguments

EXAMPLES = """\
examples:
  python analysis/report.py
  python analysis/report.py --out report/ --formats html,pdf
  python analysis/report.py --pipeline mnist_autoencoder --points 500
"""


def parser() -> arguments.Parser:
    """The options of the command."""
    command_line = arguments.Parser(
        prog="report.py",
        description="Draw the final report from what MLflow holds.",
        epilog=EXAMPLES,
        formatter_class=RawDescriptionHelpFormatter,
    )
    add = command_line.add_argument
    add(
        "--out",
        type=arguments.new_folder,
        default="report",
        metavar="DIR",
        help="folder to write into (default report/)",
    )
    add(
        "--pipeline",
        type=arguments.pipeline,
        action="append",
        metavar="NAME",
        help="only this one; may be repeated (default: the six, and what else was searched)",
    )
    add(
        "--formats",
        type=arguments.some_of(*arguments.FORMATS, what="format"),
        default=arguments.FORMATS,
        metavar="LIST",
        help=f"of {','.join(arguments.FORMATS)} (default all)",
    )
    add(
        "--points",
        type=arguments.positive,
        default=2000,
        metavar="N",
        help="images in each t-SNE (default 2000)",
    )
    add(
        "--embedding",
        type=arguments.one_of("tsne", "pca", "umap"),
        default="tsne",
        metavar="NAME",
        help="of latents in the plane: tsne (default), pca, or umap where umap-learn is installed",
    )
    add(
        "--seed",
        type=arguments.whole,
        default=0,
        metavar="S",
        help="of random choices (default 0)",
    )
    add(
        "--protocol",
        type=arguments.whole,
        metavar="N",
        help="version of the protocol whose numbers are shown (default: the newest in the store)",
    )
    arguments.add_data(command_line)
    other = command_line.add_argument_group("records and output")
    arguments.add_tracking(other)
    arguments.add_output(other)
    return command_line


def main(argv: list[str] | None = None) -> int:
    """The command; returns the exit status."""
    return arguments.run(parser().parse_args(argv), _run)


def _run(options: Namespace) -> int:
    from analysis.build import write

    return write(options)


if __name__ == "__main__":
    # Imports and MLflow's rows make objects by the million and hardly any garbage. By default
    # Python often looks for garbage among them, and once more through all at the end: this took a
    # third of the time of a report whose pictures were in the cache.
    gc.set_threshold(100_000, 20, 20)
    status = main()
    gc.freeze()
    sys.exit(status)
