"""The installed command: `latent-search tune ...` is `python search/tune.py ...`, and so on."""

from __future__ import annotations

import os
import sys

from search.errors import WRONG_ARGUMENTS
from search.spaces.pipeline import nearest

COMMANDS = {
    "tune": ("search.tune", "search a pipeline's hyperparameters"),
    "rerun": ("search.rerun", "train the best configurations again and read the test set once"),
    "sweep": ("search.sweep", "train a fixed grid and answer one question from it"),
    "embed": ("search.embed", "write the latent vectors of any images"),
    "studies": ("search.studies", "list, show, stop and delete studies"),
    "report": ("analysis.report", "draw the report from what MLflow holds"),
    "doctor": ("search.doctor", "compare the records of all searches, and fix them"),
}


def main(argv: list[str] | None = None) -> int:
    """Become the named command; without one, list them. Returns the exit status otherwise."""
    words = sys.argv[1:] if argv is None else argv
    if words[:1] in ([], ["-h"], ["--help"]):
        print("usage: latent-search COMMAND [OPTIONS]\n")
        for name, (_, summary) in COMMANDS.items():
            print(f"  {name:<8}{summary}")
        print("\nlatent-search COMMAND --help lists the options of a command.")
        return 0
    if words[0] not in COMMANDS:
        print(f"error: no command {words[0]!r}{nearest(words[0], [*COMMANDS])}", file=sys.stderr)
        print("see latent-search --help", file=sys.stderr)
        return WRONG_ARGUMENTS
    # A process of its own, because search/ may not import analysis/; -P because the working folder
    # must not hide the installed packages.
    module, _ = COMMANDS[words[0]]
    return os.execv(sys.executable, [sys.executable, "-P", "-m", module, *words[1:]])


if __name__ == "__main__":
    sys.exit(main())
