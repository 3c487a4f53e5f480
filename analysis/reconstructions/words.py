"""Sentences about reconstructions, each true of the numbers it was made from."""

from __future__ import annotations

import numpy as np
from scipy import stats

from analysis.captions import title_of
from analysis.reconstructions.errors import Reconstructions
from analysis.records import PipelineRecord

# The rerun may have measured on another device: sums of float32 differ in the last digits.
AGREES = 1e-4
INTRODUCTION = (
    "An autoencoder is judged here by the picture that its decoder makes of the 128 numbers that "
    "its encoder kept. The error is the mean absolute error (MAE) over an image's pixels, all "
    "colours, with pixels in [0, 1], whatever loss the training used. Five images of different "
    "classes were drawn at random (seed {seed}); the next section walks between two of the same "
    "five."
)


def describe(record: PipelineRecord, reconstructions: Reconstructions) -> str:
    """The paragraph of one autoencoder."""
    parts = (
        _level(record, reconstructions),
        _references(reconstructions),
        _classes(reconstructions),
        _contrast(reconstructions),
        _agreement(record, reconstructions),
    )
    return " ".join((f"**{title_of(record)}.**", *filter(None, parts)))


def _level(record: PipelineRecord, reconstructions: Reconstructions) -> str:
    low, median, high = reconstructions.quantiles
    skew = reconstructions.mean / median - 1
    shape = (
        "above it: a few images are much worse than the rest"
        if skew > 0.03
        else "below it: a few images are much better than the rest"
        if skew < -0.03
        else "close to it"
    )
    return (
        f"The mean error over {len(reconstructions.errors):,} {record.split} images is "
        f"**{reconstructions.mean:.4f}**, or {255 * reconstructions.mean:.1f} of 255 grey levels; "
        f"nine images in ten lie between {low:.4f} and {high:.4f}. The median is {median:.4f}, the "
        f"mean {shape}."
    )


def _references(reconstructions: Reconstructions) -> str:
    share = reconstructions.mean / reconstructions.constant
    text = (
        "The best constant picture, the same answer to every image, is off by "
        f"{reconstructions.constant:.4f}: "
    )
    left = f"leaves {100 * share:.0f} % of that" if share < 1 else "is no better than that"
    text += f"the autoencoder {left}."
    if reconstructions.linear is not None:
        ratio = reconstructions.mean / reconstructions.linear
        more = f"{100 * abs(1 - ratio):.0f} % {'less' if ratio < 1 else 'more'}"
        text += (
            " PCA with as many numbers, the best linear autoencoder for squared errors, is off by "
            f"{reconstructions.linear:.4f}; the trained one errs "
            f"{f'{ratio:.1f} times as much' if ratio > 2 else more}."
        )
    return text


def _classes(reconstructions: Reconstructions) -> str:
    order = reconstructions.hardest_first
    means = {label: reconstructions.of_class(label).mean() for label in order}
    hard, easy = order[:2], order[-1]
    named = " and ".join(f"{reconstructions.classes[label]} ({means[label]:.4f})" for label in hard)
    share = 100 * reconstructions.explained_by_class
    text = (
        f"The hardest classes are {named}, the easiest is {reconstructions.classes[easy]} "
        f"({means[easy]:.4f}); "
    )
    if share >= 25:
        return text + f"the class explains {share:.0f} % of the variance between images."
    return (
        text + f"but the class explains only {share:.0f} % of the variance between images, which "
        "differ more within a class than the classes do."
    )


def _contrast(reconstructions: Reconstructions) -> str:
    if np.ptp(reconstructions.contrast) == 0 or np.ptp(reconstructions.errors) == 0:
        return ""
    rank = float(stats.spearmanr(reconstructions.errors, reconstructions.contrast).statistic)
    if abs(rank) < 0.3:
        return (
            "How much contrast an image has says little about its error (rank correlation "
            f"{rank:+.2f})."
        )
    which = "more" if rank > 0 else "less"
    return f"Images with {which} contrast are harder (rank correlation {rank:+.2f})."


def _agreement(record: PipelineRecord, reconstructions: Reconstructions) -> str:
    if reconstructions.recorded is None:
        if record.final:
            return "The rerun recorded no test error of these weights to compare with."
        return "There is no final run yet whose record this could be compared with."
    off = abs(reconstructions.mean - reconstructions.recorded)
    text = f"The rerun recorded {reconstructions.recorded:.4f} for the same weights: they "
    agree = "agree." if off <= AGREES else f"differ by {off:.4f}, more than rounding explains."
    return text + agree
