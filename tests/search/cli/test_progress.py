"""The live table and the lines in its place."""

from __future__ import annotations

import io
import runpy
import sys
from collections import Counter
from functools import partial
from pathlib import Path

import pytest

from search.cli import progress as progress_module
from search.cli.progress import Progress, in_words
from search.trials.config import TrialConfig
from search.trials.outcome import TrialOutcome
from tests.search.ready import make_config

ROOT = Path(__file__).resolve().parents[3]


class Terminal(io.StringIO):
    """Text written to it is kept; rich takes it for a terminal."""

    def isatty(self) -> bool:
        return True


def config(number: int = 0) -> TrialConfig:
    return make_config(
        trial_id=f"id{number}", number=number, params={"width": 32, "lr": 0.002}, epochs=3
    )


def end(progress: Progress, number: int, value: float) -> None:
    """A trial starts and is complete."""
    progress.trial_started(config(number))
    progress.trial_ended(config(number), TrialOutcome(state="COMPLETE", value=value))


def shown(screen: io.StringIO, *, quiet: bool = False) -> str:
    """What the screen holds after one trial that completed and one that failed."""
    with Progress(screen, title="mine", total=4, ended=Counter(), quiet=quiet) as progress:
        progress.trial_started(config(0))
        progress.trial_started(config(1))
        progress.epoch_ended(config(0), {"epoch": 3, "valid/accuracy": 0.75})
        progress.trial_ended(config(0), TrialOutcome(state="COMPLETE", value=0.75))
        progress.trial_ended(config(1), TrialOutcome(state="FAIL", error="loss is nan at step 7"))
    return screen.getvalue()


def test_the_live_table_leaves_the_output_of_others_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Libraries' prints are sent to the log; a table that caught them would show them again."""
    monkeypatch.setenv("TERM", "xterm")
    before = sys.stdout, sys.stderr
    with Progress(Terminal(), title="mine", total=1, ended=Counter()):
        assert (sys.stdout, sys.stderr) == before


def test_the_live_table_shows_counts_and_the_best(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    text = shown(Terminal())
    for words in ("mine", "1 complete", "1 fail", "0.7500", "width=32 lr=0.002", "step 7"):
        assert words in text


def test_without_a_terminal_each_end_is_a_line() -> None:
    lines = shown(io.StringIO()).splitlines()
    assert len(lines) == 2
    assert "trial   0  complete  3/3 epochs  valid/accuracy 0.7500" in lines[0]
    assert "loss is nan at step 7" in lines[1]
    assert "\x1b" not in "".join(lines)


def test_the_best_of_earlier_calls_stays_the_best_until_it_is_beaten() -> None:
    screen = io.StringIO()
    ended = Counter({"COMPLETE": 1})
    with Progress(screen, title="s", total=3, ended=ended, best=(0.7, config(0))) as progress:
        end(progress, 1, 0.6)
        end(progress, 2, 0.8)
    first, second = screen.getvalue().splitlines()
    assert "best 0.7000" in first and "best 0.8000" in second


def test_a_search_that_only_time_ends_counts_down(monkeypatch: pytest.MonkeyPatch) -> None:
    """And one of a number of trials says what comes first."""
    for total, left in (
        (None, "1 ended, about 40 s left"),
        (2, "1/2, about 10 s left"),
        (100, "1/100, about 40 s left"),
    ):
        clock = iter([0.0, *[10.0] * 20])
        monkeypatch.setattr(progress_module.time, "monotonic", partial(next, clock))
        screen = io.StringIO()
        with Progress(screen, title="t", total=total, ended=Counter(), until=50.0) as progress:
            end(progress, 0, 0.75)
        assert left in screen.getvalue()


def test_quiet_is_silent() -> None:
    assert shown(io.StringIO(), quiet=True) == ""


def test_times_are_told_in_the_unit_that_fits() -> None:
    assert [in_words(s) for s in (45, 700, 11_500)] == ["45 s", "12 min", "3.2 h"]


def test_the_readmes_picture_of_it_is_drawn_when_most_trials_have_ended(tmp_path: Path) -> None:
    drawn = runpy.run_path(str(ROOT / "docs" / "images" / "live_table.py"))["Drawn"]
    picture = tmp_path / "live_table.svg"
    drawn.epoch_ended.__globals__["PICTURE"] = picture
    with drawn(io.StringIO(), title="mine", total=3, ended=Counter()) as progress:
        for number in range(4):
            progress.trial_started(config(number))
        for number in range(4):
            progress.epoch_ended(config(number), {"epoch": 1, "valid/accuracy": 0.5})
            assert picture.exists() == (number == 3)
            if number < 2:
                progress.trial_ended(config(number), TrialOutcome(state="COMPLETE", value=0.7))
    text = picture.read_text(encoding="utf-8").replace("&#160;", " ")
    assert "2 complete" in text and "lr=0.002" in text
    assert "url(http" not in text, "it opens offline"
