"""Two spaces compared: in which are the classes further apart, by which measures, and by chance?

Each comparison is of the same images where both spaces have them, and says which measures agree.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from matplotlib.figure import Figure as Canvas

from analysis import style
from analysis.captions import title_of
from analysis.records import PipelineRecord
from analysis.sentences import listed
from analysis.tsne.separation import Separation
from search.cells.statistics import SIGNIFICANT, on_images, p_text

COLUMNS = ("silhouette", "k-NN accuracy", "between over within")
# Attribute of a Separation, its name in a sentence, how it is shown.
MEASURES = (
    ("silhouette", "silhouette", "{:.3f}"),
    ("knn", "k-NN accuracy", "{:.1%}"),
    ("scatter", "between over within", "{:.3f}"),
)


@dataclass(frozen=True)
class Space:
    """Where some images lie: a pipeline's latents, or the pixels.

    Attributes:
        record: of the pipeline.
        what: `latents` or `pixels`.
        images: names the images; spaces of the same images can be paired.
        separation: measured there.
    """

    record: PipelineRecord
    what: str
    images: str
    separation: Separation

    @property
    def title(self) -> str:
        """The pipeline's title: `MNIST autoencoder`."""
        return title_of(self.record)


@dataclass(frozen=True, kw_only=True)
class Contrast:
    """Two spaces compared.

    Attributes:
        ahead, behind, level: measures in which the first is higher, lower, equal as shown.
        p: of the k-NN hits on the same images; None if the images differ.
        numbers: first against second, in words.
    """

    ahead: tuple[str, ...]
    behind: tuple[str, ...]
    level: tuple[str, ...]
    p: float | None
    numbers: str

    @property
    def all_ahead(self) -> bool:
        """Whether the first is higher by every measure."""
        return not self.behind and not self.level

    @property
    def all_behind(self) -> bool:
        """Whether the first is lower by every measure."""
        return not self.ahead and not self.level


def compute_contrast(first: Space, second: Space) -> Contrast:
    """Compare two spaces by all measures."""
    sides: dict[str, list[str]] = {"ahead": [], "behind": [], "level": []}
    comparisons = []
    same = first.images == second.images
    p = on_images(first.separation.hits, second.separation.hits) if same else None
    for attribute, name, form in MEASURES:
        mine, theirs = (getattr(space.separation, attribute) for space in (first, second))
        shown, against = _shown(form, mine), _shown(form, theirs)
        side = "level" if shown == against else "ahead" if mine > theirs else "behind"
        sides[side].append(name)
        extra = f" (p {p_text(p)} over these images)" if attribute == "knn" and same else ""
        comparisons.append(f"{name} {shown} against {against}{extra}")
    return Contrast(p=p, numbers=", ".join(comparisons), **{k: tuple(v) for k, v in sides.items()})


def _shown(form: str, value: float) -> str:
    text = form.format(value).replace("%", " %")
    zero = float(text.split(" ")[0]) == 0
    return text.lstrip("-") if zero else text


def verdict(first: str, second: str, contrast: Contrast) -> str:
    """One sentence: which of the two is the more separable, by how many measures."""
    ahead, behind, level = map(listed, (contrast.ahead, contrast.behind, contrast.level))
    if contrast.all_ahead or contrast.all_behind:
        more = "more" if ahead else "less"
        text = f"{first} separates the classes {more} than {second} by all three measures"
    elif ahead and behind:
        text = f"The measures disagree: {first} is ahead of {second} in {ahead}, behind in {behind}"
    elif ahead or behind:
        where = f"ahead of {second} in {ahead}" if ahead else f"behind {second} in {behind}"
        text = f"{first} is {where}, level in {level}"
    else:
        text = f"{first} and {second} are level by all three measures"
    weight = ""
    if contrast.p is None:
        weight = "; not the same images"
    elif contrast.p >= SIGNIFICANT:
        weight = "; the difference in k-NN accuracy is within chance"
    return f"{text}: {contrast.numbers}{weight}."


def measures_figure(spaces: Mapping[str, tuple[Space, Space]]) -> Canvas:
    """A panel a measure, a row a pipeline: latents filled, the same images' pixels hollow."""
    figure, axes = style.axes(1, 3, height=0.3 * len(spaces) + 1.5)
    labels = ("silhouette (-1 to 1)", "k-NN accuracy (share)", "between over within (ratio)")
    names = list(spaces)[::-1]
    for axis, (attribute, title, _), label in zip(axes, MEASURES, labels, strict=True):
        for row, name in enumerate(names):
            latents, pixels = (getattr(space.separation, attribute) for space in spaces[name])
            colour = style.colour_of(name)
            axis.plot([pixels, latents], [row, row], color=colour, lw=1.2, zorder=1)
            axis.plot(latents, row, "o", color=colour, ms=7, zorder=3)
            axis.plot(pixels, row, "s", color="0.25", mfc="white", ms=6, zorder=2)
        axis.set_yticks(range(len(names)), names)
        axis.set_ylim(-0.6, len(names) - 0.4)
        axis.set_title(title, fontsize=9.5)
        axis.set_xlabel(label)
    for axis in axes[1:]:
        axis.tick_params(labelleft=False)
    axes[0].plot([], [], "o", color="0.45", ms=7, label="latents")
    axes[0].plot([], [], "s", color="0.25", mfc="white", ms=6, label="pixels")
    style.legend_below(figure, axes[0])
    return figure
