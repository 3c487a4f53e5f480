"""Show a search: a live table in a terminal, lines elsewhere."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO

from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from search.cli import output
from search.cli.notebook import Cell, in_notebook
from search.spaces.goals import Aims
from search.spaces.pipeline import METRIC
from search.trials.config import TrialConfig
from search.trials.outcome import TrialOutcome

COLOURS = {"COMPLETE": "green", "PRUNED": "yellow", "FAIL": "red", "INTERRUPTED": "magenta"}
USUAL = Aims.of(METRIC)


@dataclass
class _Running:
    config: TrialConfig
    epoch: int = 0
    value: float | None = None
    seconds: float = 0.0


class Progress:
    """A listener that draws. Use it as a context manager around the search.

    Args:
        total: the number of trials that the study is to have; None if only time ends it.
        until: when the time is up, by the monotonic clock.
        ended: the numbers of trials that ended in earlier calls, by state.
        best: value and configuration of the best trial of earlier calls, if there is one.
        aims: what the search is after; the metric of its first goal is shown.
        noun: the screen's word for a trial.
    """

    def __init__(
        self,
        screen: IO[str],
        *,
        title: str,
        total: int | None,
        ended: Counter[str],
        best: tuple[float, TrialConfig] | None = None,
        quiet: bool = False,
        aims: Aims = USUAL,
        noun: str = "trial",
        until: float | None = None,
    ) -> None:
        self._console = output.console(screen, quiet=quiet)
        self._title = title
        self._total = total
        self._counts = Counter(ended)
        self._before = sum(ended.values())
        self._aims = aims
        self._metric = aims.metric
        self._noun = noun
        self._until = until
        self._running: dict[str, _Running] = {}
        self._best = best
        self._beyond = 0  # complete trials that exceed a limit
        self._began = time.monotonic()
        self._live: Live | Cell | None = None
        if in_notebook() and not quiet:
            self._live = Cell(self._draw)
        elif self._console.is_terminal and not quiet:
            self._live = Live(
                console=self._console,
                get_renderable=self._draw,
                refresh_per_second=2,
                # The log receives the libraries' output; rich would bring it back to the screen.
                redirect_stdout=False,
                redirect_stderr=False,
            )

    def __enter__(self) -> Progress:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *unused: object) -> None:
        if self._live:
            self._live.stop()

    def say(self, text: str) -> None:
        """Print a line above the table."""
        output.say(self._console, text)

    def store_unreachable(self, unreachable: bool) -> None:
        """Say that MLflow no longer answers, or that it answers again."""
        if unreachable:
            self.say("MLflow does not answer; the search goes on and its records wait")
        else:
            self.say("MLflow answers again")

    def trial_started(self, config: TrialConfig) -> None:
        """Add a row."""
        self._running[config.trial_id] = _Running(config)

    def epoch_ended(self, config: TrialConfig, metrics: Mapping[str, float]) -> None:
        """Update the trial's row."""
        row = self._running[config.trial_id]
        row.epoch = int(metrics["epoch"])
        row.seconds = metrics.get("time/epoch_seconds", row.seconds)
        row.value = metrics.get(self._metric, row.value)
        self._refresh()

    def trial_ended(self, config: TrialConfig, outcome: TrialOutcome) -> None:
        """Update the counts; print a line without a terminal, and for every failure."""
        row = self._running.pop(config.trial_id)
        self._counts[outcome.state] += 1
        worth = outcome.value if outcome.state == "COMPLETE" and not outcome.beyond else None
        if outcome.beyond:
            self._beyond += 1
        goal = self._aims.goals[0]
        nearer = worth is not None and (not self._best or goal.better(worth, self._best[0]))
        if worth is not None and nearer and not self._aims.several:
            self._best = (worth, config)
        self._refresh()
        if self._live and outcome.state != "FAIL":
            return
        value = "" if row.value is None else f"  {self._metric} {row.value:.4f}"
        if outcome.second is not None:
            value += f"  {self._aims.goals[1].metric} {outcome.second:.4f}"
        reason = "".join(f"  {text}" for text in (outcome.error, outcome.beyond) if text)
        best = f"  best {self._best[0]:.4f}" if self._best else ""
        self.say(
            f"{self._noun} {config.number:>3}  {outcome.state.lower():<8}"
            f"  {row.epoch}/{config.epochs} epochs{value}{reason}{best}  {self._left()}"
        )

    def _refresh(self) -> None:
        if isinstance(self._live, Cell):  # a terminal's is drawn by a thread of its own
            self._live.refresh()

    def _ended(self) -> int:
        return sum(self._counts[s] for s in ("COMPLETE", "PRUNED", "FAIL"))

    def _left(self) -> str:
        ended, now = self._ended(), time.monotonic()
        shares = sum(row.epoch / row.config.epochs for row in self._running.values())
        done = ended - self._before + shares
        seconds = float("inf")
        if self._total is not None and done:
            seconds = (now - self._began) / done * max(0.0, self._total - ended - shares)
        if self._until is not None:
            seconds = min(seconds, max(0.0, self._until - now))
        counted = f"{ended} ended" if self._total is None else f"{ended}/{self._total}"
        return counted if math.isinf(seconds) else f"{counted}, about {in_words(seconds)} left"

    def _draw(self) -> Group:
        counts = Text()
        for state, colour in COLOURS.items():
            if self._counts[state]:
                counts.append(f"{self._counts[state]} {state.lower()}  ", colour)
        if self._beyond:
            counts.append(f"{self._beyond} beyond a limit  ", "red")
        counts.append(f"{len(self._running)} running  ", "cyan")
        elapsed = in_words(time.monotonic() - self._began)
        head = Text.assemble((self._title, "bold"), f"   {self._left()}, {elapsed} so far")
        parts: list[Text | Table] = [head, counts]
        if self._best:
            value, config = self._best
            parts.append(
                Text.assemble(
                    ("best ", "bold"),
                    (f"{value:.4f}", "bold green"),
                    f"  {self._noun} {config.number}  {in_short(config.params)}",
                )
            )
        if self._running:
            table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
            for column in (self._noun, "epoch", self._metric, "s/epoch", "parameters"):
                table.add_column(column, justify="left" if column == "parameters" else "right")
            for row in self._running.values():
                table.add_row(
                    str(row.config.number),
                    f"{row.epoch}/{row.config.epochs}",
                    "" if row.value is None else f"{row.value:.4f}",
                    f"{row.seconds:.1f}" if row.seconds else "",
                    in_short(row.config.params),
                )
            parts.append(table)
        return Group(*parts)


def in_short(params: Mapping[str, object]) -> str:
    """`width=32 lr=0.002`."""
    return " ".join(f"{name}={in_figures(value)}" for name, value in params.items())


def in_words(seconds: float) -> str:
    """`45 s`, `12 min`, `3.2 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def in_figures(value: object) -> str:
    """A parameter's value, in three figures."""
    return f"{value:.3g}" if isinstance(value, float) else str(value)
