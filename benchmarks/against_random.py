"""Compares ways to search by how soon each reaches what a random search does."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import machine

PLAIN = "plain pair"
RANDOM_TRIALS = 50  # of the search whose result is the target
PATIENCE = 2.0  # times that search's time: then a search has missed the target
SHARES = tuple(share / 20 for share in range(1, 21))  # of its time, after which regret is taken
TOLD = (0.25, 0.5, 1.0)  # those that are printed


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """A search against the random one of its seed.

    Attributes:
        ratio: how many times sooner the target was measured; 1 / `PATIENCE` if it was missed.
        reached: whether it was measured.
        regret: by how much the best was short of it after `SHARES` of the random one's time; 1 is
            the random search's median, 0 its best.
    """

    ratio: float
    reached: bool
    regret: tuple[float, ...]


def compared(
    events: Iterator[tuple[float, float]], goal: float, usual: float, whole: float
) -> Outcome:
    """A search's (time, accuracy) against a random one's best, its median and its whole time."""
    seen: list[tuple[float, float]] = []
    for at, value in events:
        if at > PATIENCE * whole:
            break
        seen.append((at, value))
        if value >= goal:
            break
    reached = bool(seen) and seen[-1][1] >= goal
    best = [max((v for t, v in seen if t <= share * whole), default=usual) for share in SHARES]
    return Outcome(
        ratio=whole / seen[-1][0] if reached else 1 / PATIENCE,
        reached=reached,
        regret=tuple(max(0.0, goal - one) / max(goal - usual, 1e-9) for one in best),
    )


def show_ways(
    replayed: Mapping[str, Mapping[str, Sequence[Outcome]]], options: argparse.Namespace
) -> dict[str, Any]:
    """Print a line a way, with a figure for all and one a column; returns what is printed.

    Args:
        replayed: column -> way -> outcomes, the same seeds in the same order for each way.
    """
    print(f"times faster than {RANDOM_TRIALS} random full trials, {options.workers} at a time")
    columns = list(replayed)
    chosen = list(replayed[columns[0]])
    logs = {
        way: [np.log([one.ratio for one in replayed[column][way]]) for column in columns]
        for way in chosen
    }
    figures: dict[str, Any] = {"times_faster": {}, "intervals": {}, "over_all": {}}
    for way in chosen:
        outcomes = [replayed[column][way] for column in columns]
        means = [interval([log]) for log in logs[way]]
        reached = [sum(one.reached for one in seeds) for seeds in outcomes]
        regrets = anytime(outcomes)
        over_all: dict[str, Any] = {
            "mean": interval(logs[way]),
            "reached": sum(reached) / sum(map(len, outcomes)),
            "regret": dict(zip(map(str, SHARES), regrets, strict=True)),
        }
        shown = {"all": in_words(over_all["mean"])}
        if PLAIN in chosen and way != PLAIN:
            paired = zip(logs[way], logs[PLAIN], strict=True)
            over_all["over_plain"] = interval([one - other for one, other in paired])
            shown["times the plain pair"] = in_words(over_all["over_plain"])
        shown["reached"] = f"{over_all['reached']:.1%}"
        shown["short by"] = " ".join(f"{over_all['regret'][str(at)][0]:.0%}" for at in TOLD)
        for column, mean, many in zip(columns, means, reached, strict=True):
            shown[column] = f"{in_words(mean)} ({many})"
        machine.show(way, shown)
        few = [(mean, many) for (mean, _, _), many in zip(means, reached, strict=True)]
        figures["times_faster"][way] = dict(zip(columns, few, strict=True))
        figures["intervals"][way] = dict(zip(columns, means, strict=True))
        figures["over_all"][way] = over_all
    return {"seeds": options.seeds, "workers": options.workers} | figures


def interval(logs: Sequence[np.ndarray]) -> tuple[float, float, float]:
    """Geometric mean of columns' geometric means, with a bootstrap interval over the seeds."""
    draw = np.random.default_rng(0)
    means = [log[draw.integers(0, len(log), (2000, len(log)))].mean(1) for log in logs]
    low, high = np.exp(np.percentile(np.mean(means, axis=0), [2.5, 97.5]))
    return float(np.exp(np.mean([log.mean() for log in logs]))), float(low), float(high)


def anytime(outcomes: Sequence[Sequence[Outcome]]) -> list[tuple[float, float, float]]:
    """Mean of columns' mean regrets after each of `SHARES`, with a bootstrap interval."""
    draw = np.random.default_rng(0)
    regrets = [np.array([one.regret for one in seeds]) for seeds in outcomes]
    means = [one[draw.integers(0, len(one), (2000, len(one)))].mean(axis=1) for one in regrets]
    low, high = np.percentile(np.mean(means, axis=0), [2.5, 97.5], axis=0)
    middle = np.mean([one.mean(axis=0) for one in regrets], axis=0)
    return list(zip(middle.tolist(), low.tolist(), high.tolist(), strict=True))


def draw_ways(over_all: Mapping[str, Mapping[str, Any]], file: Path) -> None:
    """The regret of ways against time, with bands, as a picture."""
    import matplotlib.pyplot as plt

    figure, axis = plt.subplots(figsize=(6.4, 3.6), layout="constrained")
    for way, figures in over_all.items():
        regret = {100 * float(share): numbers for share, numbers in figures["regret"].items()}
        middle, low, high = 100 * np.array(list(regret.values())).T
        [line] = axis.plot(list(regret), middle, label=way, lw=1.6)
        axis.fill_between(list(regret), low, high, color=line.get_color(), alpha=0.15, lw=0)
    axis.set(
        xlabel=f"time, % of that of {RANDOM_TRIALS} random full trials",
        ylabel="best so far, short of theirs, %",
        xlim=(0, 100),
        ylim=(0, None),
    )
    axis.legend(frameon=False)
    axis.spines[["top", "right"]].set_visible(False)
    figure.savefig(file)
    plt.close(figure)


def in_words(numbers: Sequence[float]) -> str:
    """`3.1 [2.8, 3.5]`."""
    mean, low, high = numbers
    return f"{mean:.2f} [{low:.2f}, {high:.2f}]"
