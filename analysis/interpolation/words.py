"""Sentences about walks between latents, each true of the numbers it was made from."""

from __future__ import annotations

import numpy as np
from scipy import stats

from analysis.interpolation.measures import STEPS, Interpolation, middle_is_usual, middle_passes
from analysis.records import PipelineRecord
from analysis.sentences import p_value, percent
from search.cells.statistics import SIGNIFICANT

MANY, FEW = 0.75, 0.25  # shares of pairs that make an answer yes or no


def introduce(pairs: int) -> str:
    """The paragraph that says what the section shows; `pairs` are measured of each kind."""
    gaps = STEPS - 1
    return (
        f"A walk goes in {STEPS} equal steps along the straight line between the latents of two "
        "images of different classes, the first two of the five: (1 - alpha) times one plus alpha "
        f"times the other, alpha = 0, 1/{gaps}, 2/{gaps}, ..., 1. **Both ends are among the "
        f"{STEPS}**. The decoder draws every step; below, the images themselves are mixed in the "
        f"same shares. The same is measured on {pairs} random pairs of different classes, and on "
        "as many of one class: what differs between the two comes from leaving a class."
    )


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
        f"{percent(middle_is_usual(within, real).mean())} pass."
    )


def explain(interpolation: Interpolation) -> str:
    """Why the middles may look as they do, and whether the latents between show it."""
    between, within = (
        walks.middle("sparsity") for walks in (interpolation.between, interpolation.within)
    )
    p = float(stats.mannwhitneyu(between, within).pvalue)
    emptier = p < SIGNIFICANT and np.median(between) > np.median(within)
    return (
        "**Why?** A reconstruction loss looks at the latents of images and at nothing between "
        "them, so that what is drawn there is what the decoder happens to continue to (Berthelot "
        "et al., 2019, train the space between as well). Were it so, the middles would lie where "
        f"training left gaps: the 10th nearest training latent is at distance "
        f"{np.median(between):.2f} from the middles between classes and {np.median(within):.2f} "
        f"from those within one (medians; Mann-Whitney {p_value(p)}). The "
        f"space between classes is {'' if emptier else 'not shown to be '}emptier than that within."
    )
