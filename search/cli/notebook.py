"""The live table of a search in a notebook's cell, drawn in place."""

from __future__ import annotations

import io
import logging
import sys
import time
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import RenderableType

WIDTH = 96  # of a cell in a window that shows the folders beside it
SECONDS = 0.5  # between two drawings
FRAME = '<pre style="line-height:1.2;white-space:pre">{code}</pre>'


def in_notebook() -> bool:
    """Whether a notebook's kernel runs this process."""
    shell: Any = sys.modules.get("IPython")
    return shell is not None and type(shell.get_ipython()).__name__ == "ZMQInteractiveShell"


def decline_widgets() -> None:
    """Keep tqdm and Ray from asking for ipywidgets, which nothing here uses."""
    warnings.filterwarnings("ignore", message="IProgress not found")
    logging.getLogger("ray.widgets.util").setLevel(logging.WARNING)


class Cell:
    """As rich's `Live`, for a notebook: it is drawn when it is told to be, at most twice a second.

    Args:
        draw: gives what is to be shown.
    """

    def __init__(self, draw: Callable[[], RenderableType]) -> None:
        self._draw = draw
        self._drawn = 0.0
        self._handle: Any = None

    def start(self) -> None:
        """Draw it for the first time."""
        from IPython.display import HTML, display

        self._handle = display(HTML(self._html()), display_id=True)

    def refresh(self, *, last: bool = False) -> None:
        """Draw it again, unless it was drawn a moment ago."""
        from IPython.display import HTML

        if last or time.monotonic() - self._drawn > SECONDS:
            self._handle.update(HTML(self._html()))

    def stop(self) -> None:
        """Draw how it ended."""
        self.refresh(last=True)

    def _html(self) -> str:
        from rich.console import Console

        self._drawn = time.monotonic()
        console = Console(
            record=True, file=io.StringIO(), width=WIDTH, highlight=False, force_jupyter=False
        )
        console.print(self._draw())
        return console.export_html(inline_styles=True, code_format=FRAME)
