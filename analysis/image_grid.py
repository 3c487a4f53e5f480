"""Many small images in rows with words above them, on one axis: quick to draw, and aligned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis import style
from analysis.records import scaled

GAP = 0.08  # between images, of an image's side
LABELS = 1.0  # inches left of the images, for the rows' labels
BESIDES = 0.5  # inches for title and axis label
LINE = 1.3  # a line of words, of its font size
POINTS = 72.0  # in an inch


@dataclass(frozen=True, kw_only=True)
class ImageRow:
    """A row of images.

    Attributes:
        images: (N, C, H, W), uint8 or float in [0, 1], C is 1 or 3.
        label: beside it.
        words: N of them above the images, or none; lines are parted by line ends.
    """

    images: np.ndarray
    label: str
    words: Sequence[str] = ()

    def __post_init__(self) -> None:
        if self.images.ndim != 4 or self.images.shape[1] not in (1, 3):
            raise ValueError(f"images must be (N, 1 or 3, H, W), not {self.images.shape}")
        if len(self.words) not in (0, len(self.images)):
            raise ValueError(f"{len(self.words)} words above {len(self.images)} images")

    @property
    def lines(self) -> int:
        """Lines of words above the images."""
        return max((words.count("\n") + 1 for words in self.words), default=0)


@dataclass(frozen=True, kw_only=True)
class Mosaic:
    """Rows of images of one size.

    Attributes:
        rows: from the top.
        width: of the figure in inches.
        font: of the words, in points.
        columns: how many images the widest row may have; by default as many as it has.
    """

    rows: Sequence[ImageRow]
    width: float
    font: float = 7.5
    columns: int = 0

    @property
    def _count(self) -> int:
        return max(self.columns, *(len(row.images) for row in self.rows))

    @property
    def _side(self) -> tuple[int, int]:
        height, width = self.rows[0].images.shape[2:]
        return height, width

    @property
    def _gap(self) -> int:
        return max(1, round(GAP * self._side[1]))

    @property
    def _per_inch(self) -> float:
        """Image pixels in an inch of the figure."""
        across = self._count * (self._side[1] + self._gap)
        return across / (self.width - LABELS)

    @property
    def _tops(self) -> list[int]:
        """First pixel line of each row, and the end of the last."""
        line = LINE * self.font / POINTS * self._per_inch
        tops, at = [], 0
        for row in self.rows:
            at += round(line * row.lines)
            tops.append(at)
            at += self._side[0] + self._gap
        return [*tops, at]

    @property
    def height(self) -> float:
        """Inches that the rows need, without titles and axis labels."""
        return self._tops[-1] / self._per_inch

    def canvas(self) -> np.ndarray:
        """(pixels down, pixels across, 3) in [0, 1], white where no image is."""
        side_y, side_x = self._side
        across = self._count * (side_x + self._gap) - self._gap
        picture = np.ones((self._tops[-1] - self._gap, across, 3), dtype=np.float32)
        for top, row in zip(self._tops, self.rows, strict=False):
            for place, image in enumerate(row.images):
                left = place * (side_x + self._gap)
                pixels = scaled(image).transpose(1, 2, 0)
                picture[top : top + side_y, left : left + side_x] = pixels
        return picture

    def draw(self, axis: Axes, *, title: str, x_label: str = "", y_label: str = "") -> None:
        """Draw all of it on an axis."""
        side_y, side_x = self._side
        axis.imshow(np.clip(self.canvas(), 0, 1), interpolation="nearest")
        for top, row in zip(self._tops, self.rows, strict=False):
            for place, words in enumerate(row.words):
                x = place * (side_x + self._gap) + (side_x - 1) / 2
                text = axis.text(x, top - 1.5, words, ha="center", va="bottom", linespacing=1.05)
                text.set_fontsize(self.font)
        middles = [top + (side_y - 1) / 2 for top in self._tops[:-1]]
        axis.set_yticks(middles, [row.label for row in self.rows], fontsize=8.5)
        axis.set_xticks([])
        axis.tick_params(length=0)
        axis.grid(False)
        for spine in axis.spines.values():
            spine.set_visible(False)
        axis.set(title=title, xlabel=x_label, ylabel=y_label)


def figure_of(mosaic: Mosaic, *, title: str, x_label: str = "", y_label: str = "") -> Figure:
    """A figure with nothing but the mosaic, as high as it needs."""
    figure, [axis] = style.axes(width=mosaic.width, height=mosaic.height + BESIDES)
    mosaic.draw(axis, title=title, x_label=x_label, y_label=y_label)
    return figure
