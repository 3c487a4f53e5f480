"""A figure a data set: the test accuracies of champions, baselines and ablations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from analysis import style
from analysis.document import Figure
from analysis.result_rows import PCA, PIXELS, RANDOM, SHARED, Row
from search.cells.metrics import TEST
from search.cells.statistics import estimate
from search.finals.comparisons import ABLATION, DEFAULTS
from trainers.data import DatasetSpec

CHAMPION = "champion"
MARKERS = {CHAMPION: "o", ABLATION: "D", DEFAULTS: "s", RANDOM: "^", PCA: "v", PIXELS: "X"}


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One line of the figure: what one row reached on the test set.

    Attributes:
        pipeline: whose row it is; empty for what all pipelines of a data set share.
        name: of the row, `champion` for the champion.
        accuracies: (n,) in [0, 1], one a seed.
    """

    pipeline: str
    name: str
    accuracies: tuple[float, ...]

    @property
    def mean(self) -> float:
        """The mean over seeds."""
        return sum(self.accuracies) / len(self.accuracies)

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval of the mean, None from one seed."""
        low, high = (one := estimate(self.accuracies)).low, one.high
        return None if low is None or high is None else (low, high)

    @property
    def label(self) -> str:
        """The label on the figure's axis."""
        method = self.pipeline.partition("_")[2].replace("_", " ")
        return f"{method}: {self.name}" if method else self.name


def compute_bars(reruns: Mapping[str, Sequence[Row]]) -> tuple[Bar, ...]:
    """Every row that was tested, the pipelines' first, what they share last.

    Args:
        reruns: pipeline -> the rows of its rerun, the champion's first; all of one data set.
    """
    bars: dict[str, Bar] = {}
    shared: dict[str, Bar] = {}
    for pipeline, rows in reruns.items():
        for number, row in enumerate(rows):
            if not row["metrics"].get(TEST):
                continue
            common = row["name"] in SHARED
            bar = Bar(
                pipeline="" if common else pipeline,
                name=CHAMPION if number == 0 else row["name"],
                accuracies=tuple(row["metrics"][TEST]),
            )
            (shared if common else bars).setdefault(f"{bar.pipeline} {bar.label}", bar)
    return (*bars.values(), *shared.values())


def draw_bars(axis: Axes, bars: tuple[Bar, ...]) -> None:
    """A line a row: its seeds, their mean and its interval."""
    for place, bar in enumerate(bars):
        colour = style.colour_of(bar.pipeline) if bar.pipeline else style.COLOURS[-1]
        best = bar.name == CHAMPION
        values = [100 * value for value in bar.accuracies]
        axis.plot(values, [place] * len(values), "|", color=colour, markersize=9, alpha=0.6)
        if bar.interval:
            low, high = (100 * end for end in bar.interval)
            axis.plot([low, high], [place, place], color=colour, linewidth=2)
        size, face = (8, colour) if best else (6, "white")
        marker = MARKERS.get(bar.name, "P")
        axis.plot(100 * bar.mean, place, marker, color=colour, ms=size, mfc=face)
        where = axis.get_yaxis_transform()
        text = axis.text(1.01, place, f"{100 * bar.mean:.2f}", transform=where, va="center")
        text.set(fontsize=8.5, weight="bold" if best else "normal")
    axis.set_yticks(range(len(bars)), [bar.label for bar in bars])
    for label, bar in zip(axis.get_yticklabels(), bars, strict=True):
        label.set_fontweight("bold" if bar.name == CHAMPION else "normal")
    axis.set_ylim(len(bars) - 0.4, -0.6)
    left, right = axis.get_xlim()
    axis.set_xlim(max(left, -1), min(right, 101))  # an interval from few seeds may reach further
    axis.set_xlabel("test accuracy (%)")


def figure(spec: DatasetSpec, bars: tuple[Bar, ...]) -> Figure:
    """All bars of a data set."""
    title = spec.title

    def draw() -> Canvas:
        canvas, [axis] = style.axes(width=8.0, height=1.1 + 0.29 * len(bars))
        draw_bars(axis, bars)
        axis.set_title(f"{title}: test accuracy")
        return canvas

    counts = " or ".join(map(str, sorted({len(bar.accuracies) for bar in bars})))
    alt = "; ".join(f"{bar.label} {100 * bar.mean:.2f} %" for bar in bars)
    return Figure(
        name=f"accuracies_{spec.name}",
        title=f"{title}: test accuracy of champions, baselines and ablations",
        caption="Champions (full circles) beside what they are measured against, all on the same "
        f"test images with the same classifier; strokes are the {counts} seeds, the line is the "
        "95 % interval of their mean. The axis does not start at zero. Raw pixels are no latent: "
        "the classifier sees the image there.",
        draw=draw,
        alt=f"Test accuracies on {title}: {alt}",
    )
