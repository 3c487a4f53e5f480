"""Draws docs/images/live_table.svg while it searches; the options are those of `tune`.

    python docs/images/live_table.py --pipeline cifar_contrastive --trials 12 --epochs 6 \\
        --train-size 4000

The picture is the live table as a terminal would show it, when most trials have ended.
"""

from __future__ import annotations

import re
import sys
from io import StringIO
from pathlib import Path
from typing import Any

from rich.console import Console

from search import tune
from search.cli.progress import Progress
from search.cluster import ray_session

PICTURE = Path(__file__).with_suffix(".svg")
SHARE = 0.6  # of the trials have ended


class Drawn(Progress):
    """The search's table, which it draws into a picture besides."""

    def epoch_ended(self, *result: Any) -> None:
        super().epoch_ended(*result)
        known = [row for row in self._running.values() if row.value is not None]
        if self._best and len(known) > 1 and self._ended() >= SHARE * (self._total or 1):
            console = Console(record=True, width=118, file=StringIO(), highlight=False)
            console.print(self._draw())
            picture = console.export_svg(title="latent-search tune " + " ".join(sys.argv[1:]))
            # Without the address of a typeface: a picture that opens offline.
            picture = re.sub(r"@font-face \{.*?\}\s*", "", picture, flags=re.DOTALL)
            PICTURE.write_text(picture, encoding="utf-8")


if __name__ == "__main__":
    ray_session.prepare_environment()  # before Ray is imported
    from search.tuning import session

    session.Progress = Drawn  # type: ignore[misc]
    sys.exit(tune.main())
