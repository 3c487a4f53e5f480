"""Sentences about reconstructions, each true of the numbers it was made from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from analysis.provenance import title_of
from analysis.records import PipelineRecord

if TYPE_CHECKING:
    from analysis.reconstructions.chapter import Reconstructions

# The rerun may have measured on another device: sums of float32 differ in the last digits.
AGREES = 1e-4


def introduce(seed: int) -> str:
    """What the section shows."""
    return (
        "An autoencoder is judged here by the picture that its decoder makes of the 128 numbers "
        "that its encoder kept. The error is the mean absolute error (MAE) over an image's pixels, "
        "all colours, with pixels in [0, 1], whatever loss the training used. Five images of "
        f"different classes were drawn at random (seed {seed}); the next section walks between "
        "two of the same five."
    )


def describe(record: PipelineRecord, found: Reconstructions) -> str:
    """The paragraph of one autoencoder."""
    return " ".join(
        (
            f"**{title_of(record)}.**",
            _level(record, found),
            _references(found),
            _classes(found),
            _contrast(found),
            _agreement(record, found),
        )
    )


def _level(record: PipelineRecord, found: Reconstructions) -> str:
    low, median, high = np.quantile(found.errors, (0.05, 0.5, 0.95))
    skew = found.mean / median - 1
    shape = (
        "above it: a few images are much worse than the rest"
        if skew > 0.03
        else "below it: a few images are much better than the rest"
        if skew < -0.03
        else "close to it"
    )
    return (
        f"The mean error over {len(found.errors):,} {record.split} images is "
        f"**{found.mean:.4f}**, or {255 * found.mean:.1f} of 255 grey levels; nine images in ten "
        f"lie between {low:.4f} and {high:.4f}. The median is {median:.4f}, the mean {shape}."
    )


def _references(found: Reconstructions) -> str:
    share = found.mean / found.constant
    text = (
        "The best constant picture, the same answer to every image, is off by "
        f"{found.constant:.4f}: "
    )
    if share < 1:
        text += f"the autoencoder leaves {100 * share:.0f} % of that."
    else:
        text += "the autoencoder is no better than that."
    if found.linear is not None:
        ratio = found.mean / found.linear
        text += (
            " PCA with as many numbers, the best linear autoencoder for squared errors, is off by "
            f"{found.linear:.4f}; the trained one errs "
        )
        if ratio > 2:
            text += f"{ratio:.1f} times as much."
        else:
            text += f"{100 * abs(1 - ratio):.0f} % {'less' if ratio < 1 else 'more'}."
    return text


def _classes(found: Reconstructions) -> str:
    order = found.hardest_first
    means = {label: found.of_class(label).mean() for label in order}
    hard, easy = order[:2], order[-1]
    named = " and ".join(f"{found.classes[label]} ({means[label]:.4f})" for label in hard)
    share = 100 * found.explained_by_class
    text = (
        f"The hardest classes are {named}, the easiest is {found.classes[easy]} "
        f"({means[easy]:.4f}); "
    )
    if share >= 25:
        return text + f"the class explains {share:.0f} % of the variance between images."
    return (
        text + f"but the class explains only {share:.0f} % of the variance between images, which "
        "differ more within a class than the classes do."
    )


def _contrast(found: Reconstructions) -> str:
    if np.ptp(found.contrast) == 0 or np.ptp(found.errors) == 0:
        return ""
    rank = float(stats.spearmanr(found.errors, found.contrast).statistic)
    if abs(rank) < 0.3:
        return (
            "How much contrast an image has says little about its error (rank correlation "
            f"{rank:+.2f})."
        )
    which = "more" if rank > 0 else "less"
    return f"Images with {which} contrast are harder (rank correlation {rank:+.2f})."


def _agreement(record: PipelineRecord, found: Reconstructions) -> str:
    if found.recorded is None:
        if record.final:
            return "The rerun recorded no test error of these weights to compare with."
        return "There is no final run yet whose record this could be compared with."
    off = abs(found.mean - found.recorded)
    if off <= AGREES:
        return f"The rerun recorded {found.recorded:.4f} for the same weights: they agree."
    return (
        f"The rerun recorded {found.recorded:.4f} for the same weights: they differ by {off:.4f}, "
        "more than rounding explains."
    )
