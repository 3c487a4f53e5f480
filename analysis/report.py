"""The final report: `python analysis/report.py`.

Reads what MLflow holds about the six pipelines and writes `report/`.
"""

from __future__ import annotations

import gc
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
    )
    option = partial(arguments.add, command_line)
    where = "folder to write into (default report/)"
    option("--out DIR", arguments.new_folder, where, default="report")
    which = "only this one; may be repeated (default: the six, and what else was searched)"
    option("--pipeline NAME", arguments.pipeline, which, action="append")
    formats = arguments.some_of(*arguments.FORMATS, what="format")
    of = f"of {','.join(arguments.FORMATS)} (default all)"
    option("--formats LIST", formats, of, default=arguments.FORMATS)
    option("--points N", arguments.positive, "images in each t-SNE (default 2000)", default=2000)
    plane = "of latents in the plane: tsne (default) or pca"
    option("--embedding NAME", arguments.one_of("tsne", "pca"), plane, default="tsne")
    option("--seed S", arguments.whole, "of random choices (default 0)", default=0)
    version = "version of the protocol whose numbers are shown (default: the newest in the store)"
    option("--protocol N", arguments.whole, version)
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
