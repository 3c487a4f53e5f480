"""Sentences about mistakes, each true of the numbers it was made from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats

from analysis.captions import title_of
from analysis.mistakes.confusion import Confusion, Surest
from analysis.records import PipelineRecord
from analysis.sentences import count_as_text
from search.cells.statistics import SIGNIFICANT

NAMED = 3  # confusions a pipeline
ENOUGH = 10  # images, before a sentence says that a confusion goes one way or both
SURE = 0.9  # probability from which a sentence calls a mistake sure
INTRODUCTION = (
    "Which classes the classifiers take for which. Matrices and accuracies by class are those "
    "that the final runs recorded, a mean over their seeds; where a pipeline has no final run "
    "they come from the best trial's predictions on validation images, and say so. Pictures "
    "and probabilities are of one set of weights: the registered champion's, or the best trial's."
)


def describe(record: PipelineRecord, confusion: Confusion, surest: Surest) -> str:
    """The paragraph of one pipeline."""
    told = f"{_pairs(confusion)} {_hardest(confusion)} {_sure(surest)} {_trained(record)}"
    return f"**{title_of(record)}.** {told}".strip()


def _trained(record: PipelineRecord) -> str:
    """Name what in its training makes a jointly trained classifier more or less sure."""
    params = record.info["params"]
    if record.method != "supervised" or "temperature" not in params:
        return ""
    temperature, smoothing = params["temperature"], params.get("label_smoothing", 0)
    clauses = []
    if abs(temperature - 1) >= 0.01:
        clauses.append(f"divided the logits by a temperature of {temperature:.2g}, left out here")
    if smoothing >= 0.005:
        clauses.append(f"smoothed the labels by {smoothing:.2g}")
    changes = f"Its training {', and '.join(clauses)}: that changes how sure it looks."
    return changes if clauses else ""


def _pairs(confusion: Confusion) -> str:
    pairs = confusion.pairs[:NAMED]
    if not pairs:
        return "No image is classified wrongly."
    wrong = confusion.mean.sum() - np.trace(confusion.mean)
    descriptions = [
        f"{confusion.classes[true]} taken for {confusion.classes[predicted]} "
        f"({_images(confusion.mean[true, predicted])}, "
        f"{100 * confusion.shares[true, predicted]:.1f} % of its class)"
        for true, predicted in pairs
    ]
    share = sum(confusion.mean[true, predicted] for true, predicted in pairs) / wrong
    many = "confusion is" if len(descriptions) == 1 else "confusions:"
    return (
        f"The most frequent {many} {', '.join(descriptions)}; together "
        f"{100 * share:.0f} % of all {wrong:,.0f} mistakes{_both_ways(confusion)}."
    )


def _both_ways(confusion: Confusion) -> str:
    """Whether the most frequent confusion goes both ways."""
    true, predicted = confusion.pairs[0]
    one, other = confusion.mean[true, predicted], confusion.mean[predicted, true]
    if one < ENOUGH:
        return ""
    names = f"{confusion.classes[true]} and {confusion.classes[predicted]}"
    if other >= one / 2:
        return f"; {names} are confused both ways"
    return (
        f"; the first goes one way: {confusion.classes[predicted]} is taken for "
        f"{confusion.classes[true]} in {_images(other) if other else 'no image'}"
    )


def _images(count: float) -> str:
    text = count_as_text(float(count))
    return f"{text} image" if text == "1" else f"{text} images"


def _hardest(confusion: Confusion) -> str:
    named = zip(confusion.classes, confusion.accuracies, strict=True)
    means = {name: accuracy.mean for name, accuracy in named if accuracy is not None}
    hard, easy = min(means, key=means.__getitem__), max(means, key=means.__getitem__)
    if means[hard] == means[easy]:
        return f"All classes are classified equally well ({means[hard]:.4f})."
    least, most = f"{means[hard]:.4f}", f"{means[easy]:.4f}"
    return f"The hardest class is {hard} ({least}), the easiest {easy} ({most})."


def _sure(surest: Surest) -> str:
    wrong = surest.wrong
    if not wrong.any():
        return "The weights drawn here make no mistake."
    hits = float(surest.probability[~wrong].mean()) if (~wrong).any() else 0.0
    misses = float(surest.probability[wrong].mean())
    sure = f"{(wrong & (surest.probability >= SURE)).sum():,} of {wrong.sum():,} mistakes"
    accuracy, mean = float((~wrong).mean()), float(surest.probability.mean())
    off = mean - accuracy
    more = "as sure as" if abs(off) < 0.02 else "surer than" if off > 0 else "less sure than"
    calibrated = f"{more} it is right ({mean:.3f} against {accuracy:.3f})"
    return (
        f"The weights drawn give the class they name {hits:.2f} on average where they are right "
        f"and {misses:.2f} where they are wrong; {sure} have {SURE} or more. "
        f"Over all images the classifier is {calibrated}."
    )


def together(records: Sequence[PipelineRecord], surest: Sequence[Surest]) -> str:
    """Whether the pipelines of a data set fail on the same images; empty if they saw others."""
    same = all(np.array_equal(sure.labels, surest[0].labels) for sure in surest)
    if len(records) < 2 or not same or len({record.split for record in records}) > 1:
        return ""
    wrong = np.stack([sure.wrong for sure in surest])
    count = wrong.shape[1]
    shared = int(wrong.all(axis=0).sum())
    alone = float(wrong.mean(axis=1).prod() * count)
    names = ", ".join(record.called for record in records)
    every = "Both" if len(records) == 2 else f"All {len(records)}"
    text = (
        f"{every} ({names}) are wrong on {shared} of the {count:,} images; were their mistakes "
        f"independent, {count_as_text(alone)} would be expected:"
    )
    chance = stats.binomtest(shared, count, alone / count).pvalue
    if chance >= SIGNIFICANT:
        return f"{text} no more and no fewer than chance allows."
    hard = "some images are hard whatever the encoder was trained for"
    return f"{text} {hard if shared > alone else 'the encoders tend to fail on different images'}."
