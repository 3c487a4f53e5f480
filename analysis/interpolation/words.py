"""Sentences about walks between latents, each true of the numbers it was made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy import stats

from analysis.interpolation.measures import STEPS, Interpolation, Paths, Real
from analysis.records import PipelineRecord
from analysis.sentences import listed, percent
from search.cells.statistics import SIGNIFICANT, p_text

MANY, FEW = 0.75, 0.25  # shares of pairs that make an answer yes or no
GHOST = 0.5  # nearer to the cross-fade than to a decided picture
CLEAR = 0.05  # differences below 5 % are called none


def introduce(records: Sequence[PipelineRecord], computed: Mapping[str, Interpolation]) -> str:
    """The paragraph that says what the section shows."""
    gaps = STEPS - 1
    pairs = len(computed[records[0].name].between.rows)
    return (
        f"A walk goes in {STEPS} equal steps along the straight line between the latents of two "
        "images of different classes, the first two of the five: (1 - alpha) times one plus alpha "
        f"times the other, alpha = 0, 1/{gaps}, 2/{gaps}, ..., 1. **Both ends are among the "
        f"{STEPS}**, so there are {gaps} equal gaps and {STEPS - 2} steps that no image stands "
        "behind. The decoder draws every step; below, the images themselves are mixed in the same "
        f"shares. One walk proves little, so the same is measured on {pairs} random pairs of "
        "different classes, and on as many pairs of one class: what both share comes from walking "
        "straight (a mean is smoother than what it was taken of), what differs comes from leaving "
        "a class."
    )


def middle_is_near(paths: Paths, real: Real) -> np.ndarray:
    """(P,) bool: no farther from training images than 90 % of real images."""
    return paths.middle("nearest") <= real.usual("nearest")


def middle_is_sure(paths: Paths, real: Real) -> np.ndarray:
    """(P,) bool: classified no less surely than 90 % of real images."""
    return paths.middle("entropy") <= real.usual("entropy")


def middle_is_decided(paths: Paths) -> np.ndarray:
    """(P,) bool: less than half a cross-fade."""
    return paths.middle("ghosting") < GHOST


def middle_is_usual(paths: Paths, real: Real) -> np.ndarray:
    """(P,) bool: near, sure and decided, as a picture of one thing would be."""
    usual: np.ndarray = (
        middle_is_near(paths, real) & middle_is_sure(paths, real) & middle_is_decided(paths)
    )
    return usual


def answer(record: PipelineRecord, interpolation: Interpolation) -> str:
    """Do the middles look like what the data shows?"""
    things = "digits" if record.dataset == "mnist" else "real pictures"
    between, within, real = interpolation.between, interpolation.within, interpolation.real
    share = middle_is_usual(between, real).mean()
    verdict = "Mostly yes." if share >= MANY else "Mostly not." if share <= FEW else "Some do."
    return (
        f"**Do the middles look like {things}? {verdict}** Of the middles of {len(between.rows)} "
        f"walks between classes {percent(share)} pass three tests at once: "
        f"{percent(middle_is_near(between, real).mean())} are no farther from the nearest training "
        f"image than 90 % of real {record.split} images are, "
        f"{percent(middle_is_sure(between, real).mean())} are classified no less surely than 90 % "
        f"of those, and {percent(middle_is_decided(between).mean())} are less than half a "
        f"cross-fade. Of walks within one class {percent(middle_is_usual(within, real).mean())} "
        f"pass. {_majority(interpolation)}"
    )


def _majority(interpolation: Interpolation) -> str:
    """Say what most middles between classes are, and what they are not."""
    between, real = interpolation.between, interpolation.real
    tests = (
        (middle_is_near(between, real), "near to the data", "far from the data"),
        (middle_is_decided(between), "decided", "both ends at once, each paler"),
        (middle_is_sure(between, real), "of one class", "of no single class to the classifier"),
    )
    kept = [yes for passed, yes, _ in tests if passed.mean() >= 0.5]
    lost = [no for passed, _, no in tests if passed.mean() < 0.5]
    return f"Most are {', but '.join(listed(words) for words in (kept, lost) if words)}."


def measurements(interpolation: Interpolation) -> tuple[str, ...]:
    """The measures of the middles, a sentence or two each."""
    return (_distance(interpolation), _entropy(interpolation), _ghosting(interpolation))


def _distance(interpolation: Interpolation) -> str:
    between, real = interpolation.between, interpolation.real
    ends = float(np.median(between.ends("nearest")))
    middle = float(np.median(between.middle("nearest")))
    mixed = float(np.median(between.middle("mixed_nearest")))
    change = _change(between, "nearest")
    text = (
        f"**Distance** to the nearest training image (median): {middle:.2f} in the middle, "
        f"{np.median(interpolation.within.middle('nearest')):.2f} in the middle within one class, "
        f"{ends:.2f} at the decoded ends, {np.median(real.nearest):.2f} for real images (90 % lie "
        f"below {real.usual('nearest'):.2f}), {mixed:.2f} for mixed pixels."
    )
    contrast = float(np.median(between.middle("contrast")))
    if change > CLEAR:
        return text + f" The middles thus lie {100 * change:.0f} % farther out than the ends."
    if change < -CLEAR and contrast < 1 - CLEAR:
        return (
            text + " That the middles come nearer is no merit: they keep only "
            f"{percent(contrast)} of the ends' contrast, and a paler picture is nearer to "
            "every other."
        )
    if change < -CLEAR:
        return (
            text + " The middles come nearer than the ends, and not by fading: they keep "
            f"{percent(contrast)} of the ends' contrast."
        )
    return text + " The middles are as near as the ends."


def _change(paths: Paths, measure: str) -> float:
    """From ends to middle, medians, relative to the ends."""
    return float(np.median(paths.middle(measure)) / np.median(paths.ends(measure))) - 1


def _entropy(interpolation: Interpolation) -> str:
    between, real, classes = interpolation.between, interpolation.real, interpolation.classes
    usual = real.usual("entropy")
    middle, mixed = (
        float(np.median(between.middle(name))) for name in ("entropy", "mixed_entropy")
    )
    ends = float(np.median(between.ends("entropy")))
    unsure = (between.entropy[:, 1:-1] > usual).sum(axis=1).mean()
    text = (
        f"**Certainty**: the classifier's median entropy is {middle:.2f} nats in the middle "
        f"({ends:.2f} at the ends, {np.median(interpolation.within.middle('entropy')):.2f} in the "
        f"middle within one class, at most {np.log(len(classes)):.2f}); {mixed:.2f} for the "
        f"encoded mix of pixels. On average {unsure:.1f} of the "
        f"{between.entropy.shape[1] - 2} inner steps are less sure than 90 % of real images"
    )
    return f"{text}; {percent(_third(interpolation))} of the middles are taken for a third class."


def _third(interpolation: Interpolation) -> float:
    """Share of middle steps whose class is that of neither end, as the classifier sees the ends."""
    predicted = interpolation.between.predicted
    steps = predicted.shape[1]
    middle = predicted[:, (steps - 1) // 2 : steps // 2 + 1]
    other = (middle != predicted[:, :1]) & (middle != predicted[:, -1:])
    return float(other.mean())


def _ghosting(interpolation: Interpolation) -> str:
    between = float(np.median(interpolation.between.middle("ghosting")))
    within = float(np.median(interpolation.within.middle("ghosting")))
    nearer = "the cross-fade of both ends" if between >= GHOST else "a picture that decides"
    return (
        f"**Ghosting** is {between:.2f} in the median middle ({within:.2f} within one class): "
        f"nearer to {nearer}."
    )


def explain(interpolation: Interpolation) -> str:
    """Why the middles look as they do."""
    return (
        "**Why?** A reconstruction loss looks at the latents of images and at nothing between "
        "them, so whatever is drawn there is what the decoder happens to continue to; variational "
        "(Kingma and Welling, 2014) and adversarially regularised autoencoders (Berthelot et al., "
        "2019) train the space between as well. "
        f"{_density(interpolation)} {_decoder(interpolation)} {_space(interpolation)}"
    )


def _density(interpolation: Interpolation) -> str:
    between = interpolation.between.middle("sparsity")
    within = interpolation.within.middle("sparsity")
    ratio = float(np.median(between) / np.median(within))
    p = float(stats.mannwhitneyu(between, within).pvalue)
    text = (
        "The 10th nearest training latent is at distance "
        f"{np.median(between):.2f} from the middles between classes, at {np.median(within):.2f} "
        "from the middles within a class, and at "
        f"{np.median(interpolation.real.sparsity):.2f} from real images' latents (medians; "
        f"Mann-Whitney p of the first two {'= ' * (p >= 0.0001)}{p_text(p)}):"
    )
    if p < SIGNIFICANT and ratio > 1:
        return (
            text + f" the space between classes is {100 * (ratio - 1):.0f} % emptier than that "
            "within, so the decoder is asked for points that training showed it less of."
        )
    if p < SIGNIFICANT and ratio < 1:
        return text + " the space between classes is fuller than that within."
    return (
        text + " the space between classes is not shown to be emptier than that within, so "
        "emptiness is not shown to be the reason."
    )


def _decoder(interpolation: Interpolation) -> str:
    ghost = float(np.median(interpolation.between.middle("ghosting")))
    contrast = float(np.median(interpolation.between.middle("contrast")))
    kept = f"the middles keep {percent(contrast)} of the ends' contrast"
    acts = (
        "this one acts more like it than not along these lines"
        if ghost >= GHOST
        else "this one's nonlinear layers bend the line of latents into a curve of pictures"
    )
    return (
        f"An affine decoder would draw pure cross-fades; with a ghosting of {ghost:.2f} {acts}, "
        f"and {kept}."
    )


def _space(interpolation: Interpolation) -> str:
    """The walk between latents against that between pixels, each against its own ends.

    Decoded pictures are smoother than images and therefore nearer to all of them, so the two
    distances themselves do not compare.
    """
    latent, mixed = (_change(interpolation.between, name) for name in ("nearest", "mixed_nearest"))
    text = (
        "From ends to middle the distance to training images changes by "
        f"{round(100 * latent):+d} % on the walk between latents and by {round(100 * mixed):+d} % "
        "on the walk between pixels (medians): relative to its own ends the latent walk keeps"
    )
    side = "closer" if latent < mixed - CLEAR else "no closer"
    side = "less close" if latent > mixed + CLEAR else side
    return f"{text} {side} to the data than mixing pixels does."
