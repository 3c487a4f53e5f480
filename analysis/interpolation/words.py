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
        f"{STEPS}**: {gaps} equal gaps, {STEPS - 2} steps that no image stands behind. The decoder "
        "draws every step; below, the images themselves are mixed in the same shares. One walk "
        f"proves little, so the same is measured on {pairs} random pairs of different classes, and "
        "on as many of one class: what both share comes from walking straight (a mean is smoother "
        "than what it was taken of), what differs comes from leaving a class."
    )


def middle_passes(paths: Paths, real: Real) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(P,) bool each, as a picture of one thing would be: near, sure, decided.

    That is: no farther from training images, classified no less surely than 90 % of real images;
    less than half a cross-fade.
    """
    near = paths.middle("nearest") <= real.usual("nearest")
    sure = paths.middle("entropy") <= real.usual("entropy")
    return near, sure, paths.middle("ghosting") < GHOST


def middle_is_usual(paths: Paths, real: Real) -> np.ndarray:
    """(P,) bool: passes all three."""
    return np.all(middle_passes(paths, real), axis=0)


def answer(record: PipelineRecord, interpolation: Interpolation) -> str:
    """Do the middles look like what the data shows?"""
    things = "digits" if record.dataset == "mnist" else "real pictures"
    between, within, real = interpolation.between, interpolation.within, interpolation.real
    share = middle_is_usual(between, real).mean()
    near, sure, decided = (percent(passed.mean()) for passed in middle_passes(between, real))
    verdict = "Mostly yes." if share >= MANY else "Mostly not." if share <= FEW else "Some do."
    return (
        f"**Do the middles look like {things}? {verdict}** Of the middles of {len(between.rows)} "
        f"walks between classes {percent(share)} pass three tests at once: "
        f"{near} are no farther from the nearest training image than 90 % of real {record.split} "
        f"images are, {sure} are classified no less surely than 90 % of those, and {decided} are "
        "less than half a cross-fade. Of walks within one class "
        f"{percent(middle_is_usual(within, real).mean())} pass. {_majority(interpolation)}"
    )


def _majority(interpolation: Interpolation) -> str:
    """Say what most middles between classes are, and what they are not."""
    near, sure, decided = middle_passes(interpolation.between, interpolation.real)
    tests = (
        (near, "near to the data", "far from the data"),
        (decided, "decided", "both ends at once, each paler"),
        (sure, "of one class", "of no single class to the classifier"),
    )
    kept = [yes for passed, yes, _ in tests if passed.mean() >= 0.5]
    lost = [no for passed, _, no in tests if passed.mean() < 0.5]
    return f"Most are {', but '.join(listed(words) for words in (kept, lost) if words)}."


def measurements(interpolation: Interpolation) -> tuple[str, ...]:
    """The measures of the middles, a sentence or two each."""
    return (_distance(interpolation), _entropy(interpolation), _ghosting(interpolation))


def _distance(interpolation: Interpolation) -> str:
    between, within, real = interpolation.between, interpolation.within, interpolation.real
    change, contrast = _change(between, "nearest"), between.median_middle("contrast")
    text = (
        "**Distance** to the nearest training image (median): "
        f"{between.median_middle('nearest'):.2f} in the middle, "
        f"{within.median_middle('nearest'):.2f} in the middle within one class, "
        f"{between.median_end('nearest'):.2f} at the decoded ends, {np.median(real.nearest):.2f} "
        f"for real images (90 % lie below {real.usual('nearest'):.2f}), "
        f"{between.median_middle('mixed_nearest'):.2f} for mixed pixels."
    )
    kept = f"{percent(contrast)} of the ends' contrast"
    if change > CLEAR:
        return text + f" The middles thus lie {100 * change:.0f} % farther out than the ends."
    if change >= -CLEAR:
        return text + " The middles are as near as the ends."
    if contrast < 1 - CLEAR:
        return (
            f"{text} That the middles come nearer is no merit: they keep only {kept}, and a paler "
            "picture is nearer to every other."
        )
    return f"{text} The middles come nearer than the ends, and not by fading: they keep {kept}."


def _change(paths: Paths, measure: str) -> float:
    """From ends to middle, medians, relative to the ends."""
    return paths.median_middle(measure) / paths.median_end(measure) - 1


def _entropy(interpolation: Interpolation) -> str:
    between, within = interpolation.between, interpolation.within
    inner = between.entropy[:, 1:-1]
    unsure = (inner > interpolation.real.usual("entropy")).sum(axis=1).mean()
    return (
        f"**Certainty**: the classifier's median entropy is {between.median_middle('entropy'):.2f} "
        f"nats in the middle ({between.median_end('entropy'):.2f} at the ends, "
        f"{within.median_middle('entropy'):.2f} in the middle within one class, at most "
        f"{np.log(len(interpolation.classes)):.2f}); {between.median_middle('mixed_entropy'):.2f} "
        f"for the encoded mix of pixels. On average {unsure:.1f} of the {inner.shape[1]} inner "
        f"steps are less sure than 90 % of real images; {percent(_third(interpolation))} of the "
        "middles are taken for a third class."
    )


def _third(interpolation: Interpolation) -> float:
    """Share of middle steps whose class is that of neither end, as the classifier sees the ends."""
    predicted = interpolation.between.predicted
    steps = predicted.shape[1]
    middle = predicted[:, (steps - 1) // 2 : steps // 2 + 1]
    other = (middle != predicted[:, :1]) & (middle != predicted[:, -1:])
    return float(other.mean())


def _ghosting(interpolation: Interpolation) -> str:
    between = interpolation.between.median_middle("ghosting")
    within = interpolation.within.median_middle("ghosting")
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
    ghost = interpolation.between.median_middle("ghosting")
    contrast = interpolation.between.median_middle("contrast")
    acts = (
        "this one acts more like it than not along these lines"
        if ghost >= GHOST
        else "this one's nonlinear layers bend the line of latents into a curve of pictures"
    )
    return (
        f"An affine decoder would draw pure cross-fades; with a ghosting of {ghost:.2f} {acts}, "
        f"and the middles keep {percent(contrast)} of the ends' contrast."
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
