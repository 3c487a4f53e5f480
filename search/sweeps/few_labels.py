"""Few labels: a frozen encoder with a small head, the whole network, or no pretraining at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from search.finals.cells import Kept
from search.finals.comparisons import Estimate, estimate
from search.rebuild import rebuild, untrained
from search.sweeping.outcome import Outcome, Row, between, shown
from search.sweeping.sweep import Budget, Point, Sweep
from search.trial import TrialImages
from trainers.evaluation import encode
from trainers.few_labels import (
    BATCH_SIZE,
    NETWORK_STEPS,
    SCRATCH_RATE,
    TUNING_RATE,
    Network,
    draw_balanced,
    fit_heads,
    fit_network,
    head_accuracies,
    network_accuracy,
)
from trainers.loop import DeviceImages, fit_stems

DIMENSIONS = (2, 6, 8, 10, 12, 14, 30, 128)
QUICK = (8, 128)
LABELS = (20, 40, 80, 160, 1000)
QUICK_LABELS = (20, 160)
DRAWS, QUICK_DRAWS = 10, 3
MEASURED = 2000  # validation images
FROZEN, TUNED, SCRATCH = "frozen", "fine-tuned", "from scratch"
MODES = (FROZEN, TUNED, SCRATCH)
CHANCE = 0.1


def points(quick: bool) -> list[Point]:
    """A line a method, along it the latent size."""
    return [
        Point(
            line=f"MNIST {method}",
            x=size,
            pipeline=f"mnist_{method}",
            changes={"latent_dim": size},
        )
        for method in ("autoencoder", "contrastive")
        for size in (QUICK if quick else DIMENSIONS)
    ]


def metric(mode: str, labels: int) -> str:
    """The name under which a cell's mean over draws is logged."""
    return f"few_labels/{mode.replace(' ', '_').replace('-', '_')}/{labels}"


def measured_images(quick: bool) -> int:
    """Images that pass the networks which are trained: fine-tuned and from scratch."""
    counts, draws = (QUICK_LABELS, QUICK_DRAWS) if quick else (LABELS, DRAWS)
    a_fit = sum(NETWORK_STEPS * min(BATCH_SIZE, count) + MEASURED // 3 for count in counts)
    return 2 * draws * a_fit


def measure(kept: Kept, images: TrialImages, quick: bool) -> Mapping[str, Any]:
    """Accuracy on 2,000 validation images by mode, labels and draw.

    The draws of labels are the same for every cell, so that all may be paired over them.
    """
    counts, draws = (QUICK_LABELS, QUICK_DRAWS) if quick else (LABELS, DRAWS)
    device = images.valid.images.device
    valid = images.valid.first(MEASURED)
    model = rebuild(kept.model, kept.weights()).to(device)
    every, held_out = encode(model.encoder, images.train), encode(model.encoder, valid)
    mean, spread = every.mean(0), every.std(0).clamp(min=1e-6)
    standard, others = (every - mean) / spread, (held_out - mean) / spread
    truth = images.train.labels.cpu().numpy()
    classes = int(truth.max()) + 1
    accuracies: dict[str, dict[str, list[float]]] = {mode: {} for mode in MODES}
    for count in counts:
        rows = [draw_balanced(truth, count, seed=draw) for draw in range(draws)]
        chosen = torch.from_numpy(np.stack(rows)).to(device)
        heads = fit_heads(
            standard[chosen], images.train.labels[chosen], classes=classes, seed=kept.cell.seed
        )
        accuracies[FROZEN][str(count)] = head_accuracies(heads, others, valid.labels)
        for mode in (TUNED, SCRATCH):
            accuracies[mode][str(count)] = [
                _network(kept, mode, images.train, valid, chosen[draw], (mean, spread), draw)
                for draw in range(draws)
            ]
    means = {
        metric(mode, int(count)): float(np.mean(values))
        for mode, by_count in accuracies.items()
        for count, values in by_count.items()
    }
    return {**means, "accuracies": accuracies}


def _network(
    kept: Kept,
    mode: str,
    train: DeviceImages,
    valid: DeviceImages,
    rows: Tensor,
    scale: tuple[Tensor, Tensor],
    draw: int,
) -> float:
    """Encoder and head trained on these rows: from the pretrained start, or from none."""
    device = rows.device
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(kept.cell.seed + draw)
        if mode == TUNED:
            encoder: nn.Module = rebuild(kept.model, kept.weights()).encoder
            mean, spread = scale
        else:
            encoder = untrained(kept.model).encoder  # type: ignore[assignment]
            mean, spread = torch.zeros_like(scale[0]), torch.ones_like(scale[1])
        classes = int(valid.labels.max()) + 1
        network = Network(encoder, classes=classes, mean=mean, spread=spread).to(device)
    images, labels = train.images[rows], train.labels[rows]
    if mode == SCRATCH:
        fit_stems(network, DeviceImages(images=images, labels=labels))
    rate = TUNING_RATE if mode == TUNED else SCRATCH_RATE
    fit_network(network, images, labels, rate=rate, seed=draw)
    return network_accuracy(network, valid.images, valid.labels)


def by_draw(row: Row, mode: str, count: int) -> list[float]:
    """(draws,) accuracies of a point: over its seeds the mean, so that draws are what varies."""
    values = [found["accuracies"][mode][str(count)] for found in row.measured]
    return [float(value) for value in np.mean(values, axis=0)]


def counts_of(outcome: Outcome) -> list[int]:
    """The numbers of labels that were measured."""
    return [int(count) for count in outcome.rows[0].measured[0]["accuracies"][FROZEN]]


def answer(outcome: Outcome) -> list[str]:
    """Which of the three wins, from where on, and for which latent sizes; chance beside it."""
    counts = counts_of(outcome)
    told = []
    for line, rows in outcome.lines.items():
        told.append(_line(line, rows[-1], counts))
        told.append(f"{line}, by latent size, each at 95 %: {_by_size(rows, counts)}.")
        best = [f"{_best_size(rows, count):g} with {count} labels" for count in counts]
        told.append(f"{line}, frozen: the best latent size is {', '.join(best)}.")
    value, row, mode, count = min(
        (
            (float(np.mean(by_draw(row, mode, count))), row, mode, count)
            for row in outcome.rows
            for mode in MODES
            for count in counts
        ),
        key=lambda found: found[0],
    )
    told.append(
        f"The least of all is {100 * value:.1f} % ({row.line}, d = {row.x:g}, {mode}, {count} "
        f"labels); chance is {100 * CHANCE:.0f} %."
    )
    return told


def _by_size(rows: Sequence[Row], counts: Sequence[int]) -> str:
    """For which sizes freezing or fine-tuning is shown to be ahead of the other."""
    parts = []
    for first, second in ((FROZEN, TUNED), (TUNED, FROZEN)):
        found = []
        for count in counts:
            gaps = {
                row.x: between(by_draw(row, first, count), by_draw(row, second, count))
                for row in rows
            }
            ahead = [f"{x:g}" for x, gap in gaps.items() if gap.mean > 0 and shown(gap)]
            if ahead:
                sizes = "every d" if len(ahead) == len(rows) else f"d = {', '.join(ahead)}"
                found.append(f"{sizes} with {count} labels")
        where = f"at {'; '.join(found)}" if found else "nowhere"
        parts.append(f"{first} is shown to be ahead of {second} {where}".capitalize())
    return ". ".join(parts)


def _best_size(rows: Sequence[Row], count: int) -> float:
    means = {row.x: float(np.mean(by_draw(row, FROZEN, count))) for row in rows}
    return max(means, key=lambda x: means[x])


def _line(line: str, row: Row, counts: Sequence[int]) -> str:
    parts, wins = [], []
    for count in counts:
        found = {mode: by_draw(row, mode, count) for mode in MODES}
        shown_values = ", ".join(f"{mode} {_percent(estimate(found[mode]))}" for mode in MODES)
        parts.append(f"{count} labels: {shown_values}")
        wins.append(_winner(found))
    said = f"{line}, d = {row.x:g}. " + "; ".join(parts) + ". "
    if all(win == wins[0] for win in wins):
        return said + f"With every number of labels {wins[0]}."
    changes = [
        f"{'from' if number else 'with'} {count} labels{' on' if number else ''} {win}"
        for number, (count, win) in enumerate(zip(counts, wins, strict=True))
        if number == 0 or win != wins[number - 1]
    ]
    joined = "; ".join(changes)
    return said + f"{joined[0].upper()}{joined[1:]}."


def _winner(found: Mapping[str, Sequence[float]]) -> str:
    """The best mode by its mean, and whether it is shown, paired over the draws."""
    order = sorted(MODES, key=lambda mode: -float(np.mean(found[mode])))
    first, second = order[0], order[1]
    if shown(between(found[first], found[second])):
        return f"{first} is ahead"
    return f"no difference is shown between {' and '.join(sorted((first, second)))}"


def _percent(found: Estimate) -> str:
    half = "" if found.high is None else f" ± {100 * (found.high - found.mean):.1f}"
    return f"{100 * found.mean:.1f}{half} %"


SWEEP = Sweep(
    title="Few labels",
    question="With few labels, is a frozen pretrained encoder better than training the whole "
    "network?",
    points=points,
    x="latent size d",
    log_x=True,
    metrics=tuple(metric(FROZEN, count) for count in LABELS),
    answer=answer,
    measure=measure,
    measured_images=measured_images,
    full=Budget(seeds=1),
    quick=Budget(seeds=1, epochs=2, train_size=6000),
)
