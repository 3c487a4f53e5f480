"""Few labels: a frozen encoder with a small head, fine-tuning, or training from scratch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from search.cells.statistics import estimate
from search.cells.store import TrainedCell
from search.grids.results import GridResult, GridRow, between, shown
from search.grids.sweep import Budget, Point, Sweep, by_latent_size
from search.spaces.rebuild import untrained
from search.trials.trial import TrialImages
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
    """A line for each method; the latent size varies along it."""
    lines = {f"MNIST {method}": f"mnist_{method}" for method in ("autoencoder", "contrastive")}
    return by_latent_size(lines, QUICK if quick else DIMENSIONS)


def metric(mode: str, labels: int) -> str:
    """The metric's name for a cell's mean over draws."""
    return f"few_labels/{mode.replace(' ', '_').replace('-', '_')}/{labels}"


def measured_images(quick: bool) -> int:
    """Images that pass the trained networks, fine-tuned and from scratch."""
    counts, draws = (QUICK_LABELS, QUICK_DRAWS) if quick else (LABELS, DRAWS)
    a_fit = sum(NETWORK_STEPS * min(BATCH_SIZE, count) + MEASURED // 3 for count in counts)
    return 2 * draws * a_fit


def measure(kept: TrainedCell, images: TrialImages, quick: bool) -> Mapping[str, Any]:
    """Accuracy on 2,000 validation images by mode, labels and draw.

    The draws of labels are the same for every cell, so that all cells can be paired over them.
    """
    counts, draws = (QUICK_LABELS, QUICK_DRAWS) if quick else (LABELS, DRAWS)
    device = images.valid.images.device
    valid = images.valid.first(MEASURED)
    model = kept.network(device)
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
    kept: TrainedCell,
    mode: str,
    train: DeviceImages,
    valid: DeviceImages,
    rows: Tensor,
    scale: tuple[Tensor, Tensor],
    draw: int,
) -> float:
    """The accuracy of encoder and head after training on these rows, fine-tuned or from scratch."""
    device = rows.device
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(kept.cell.seed + draw)
        if mode == TUNED:
            encoder: nn.Module = kept.network().encoder
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


def by_draw(row: GridRow, mode: str, count: int) -> list[float]:
    """(draws,) accuracies of a point, as means over its seeds, so that only the draws vary."""
    values = [measured["accuracies"][mode][str(count)] for measured in row.measured]
    return [float(value) for value in np.mean(values, axis=0)]


def counts_of(outcome: GridResult) -> list[int]:
    """The measured numbers of labels."""
    return [int(count) for count in outcome.rows[0].measured[0]["accuracies"][FROZEN]]


def answer(outcome: GridResult) -> list[str]:
    """Name the winner by number of labels and by latent size, and compare with chance."""
    counts = counts_of(outcome)
    sentences = []
    for line, rows in outcome.lines.items():
        sentences.append(_line(line, rows[-1], counts))
        sentences.append(f"{line}, by latent size, each at 95 %: {_by_size(rows, counts)}.")
        best = [f"{_best_size(rows, count):g} with {count} labels" for count in counts]
        sentences.append(f"{line}, frozen: the best latent size is {', '.join(best)}.")
    value, row, mode, count = min(
        (
            (float(np.mean(by_draw(row, mode, count))), row, mode, count)
            for row in outcome.rows
            for mode in MODES
            for count in counts
        ),
        key=lambda case: case[0],
    )
    sentences.append(
        f"The least of all is {100 * value:.1f} % ({row.line}, d = {row.x:g}, {mode}, {count} "
        f"labels); chance is {100 * CHANCE:.0f} %."
    )
    return sentences


def _by_size(rows: Sequence[GridRow], counts: Sequence[int]) -> str:
    """The sizes for which freezing or fine-tuning is shown to be ahead of the other."""
    parts = []
    for first, second in ((FROZEN, TUNED), (TUNED, FROZEN)):
        places = []
        for count in counts:
            gaps = {
                row.x: between(by_draw(row, first, count), by_draw(row, second, count))
                for row in rows
            }
            ahead = [f"{x:g}" for x, gap in gaps.items() if gap.mean > 0 and shown(gap)]
            if ahead:
                sizes = "every d" if len(ahead) == len(rows) else f"d = {', '.join(ahead)}"
                places.append(f"{sizes} with {count} labels")
        where = f"at {'; '.join(places)}" if places else "nowhere"
        parts.append(f"{first} is shown to be ahead of {second} {where}".capitalize())
    return ". ".join(parts)


def _best_size(rows: Sequence[GridRow], count: int) -> float:
    means = {row.x: float(np.mean(by_draw(row, FROZEN, count))) for row in rows}
    return max(means, key=lambda x: means[x])


def _line(line: str, row: GridRow, counts: Sequence[int]) -> str:
    parts, wins = [], []
    for count in counts:
        accuracies = {mode: by_draw(row, mode, count) for mode in MODES}
        means = {mode: estimate(values).text(1, factor=100) for mode, values in accuracies.items()}
        parts.append(f"{count} labels: " + ", ".join(f"{m} {text} %" for m, text in means.items()))
        wins.append(_winner(accuracies))
    sentence = f"{line}, d = {row.x:g}. " + "; ".join(parts) + ". "
    if all(win == wins[0] for win in wins):
        return sentence + f"With every number of labels {wins[0]}."
    changes = [
        f"{'from' if number else 'with'} {count} labels{' on' if number else ''} {win}"
        for number, (count, win) in enumerate(zip(counts, wins, strict=True))
        if number == 0 or win != wins[number - 1]
    ]
    joined = "; ".join(changes)
    return sentence + f"{joined[0].upper()}{joined[1:]}."


def _winner(accuracies: Mapping[str, Sequence[float]]) -> str:
    """The best mode by its mean, and whether its lead is shown, paired over the draws."""
    order = sorted(MODES, key=lambda mode: -float(np.mean(accuracies[mode])))
    first, second = order[0], order[1]
    if shown(between(accuracies[first], accuracies[second])):
        return f"{first} is ahead"
    return f"no difference is shown between {' and '.join(sorted((first, second)))}"


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
