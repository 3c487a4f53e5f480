"""The protocol's three classifiers of latents of a frozen encoder: an MLP, a linear one, k-NN.

The encoder runs once; what follows works on the cached (N, D) latents, so that a fit costs
a second or two and not another training.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models import Classifier, LinearHead
from trainers import recording
from trainers.precision import Precision, autocast
from trainers.recording import Recorded

# Part of the protocol: the same for every pipeline and never searched. How it was chosen on
# validation images stands in docs/protocol.md, with the layers (`models.heads`).
EPOCHS = 12
STEPS_PER_EPOCH = 20  # on few images: the batch is the largest at 20,000 and above
LARGEST_BATCH = 1000
SMALLEST_BATCH = 32
WORTH_CASTING = 500  # smaller batches take twice as long in bfloat16, larger ones half as long
LEARNING_RATE = 6e-3  # at the largest batch; it falls with the batch's square root
WEIGHT_DECAY = 0.5
LABEL_SMOOTHING = 0.1

# Of the squared weights, in units of one image's loss; from strong to weak, each fit starting from
# the one before, until one is worse.
PENALTIES = (1000.0, 100.0, 10.0, 1.0)
LINEAR_STEPS = 500  # at most, for one penalty
GRADIENT = 1e-4  # a fit has converged when no entry of its gradient is larger

NEIGHBOURS = 20
TEMPERATURE = 0.07  # of the neighbours' votes
QUERIES = 1000  # times 50,000 others: 200 MB of similarities at a time


def fit_classifier(
    latents: Tensor,
    labels: Tensor,
    *,
    classes: int,
    seed: int,
    epochs: int = EPOCHS,
    precision: Precision = "float32",
) -> Classifier:
    """Train the protocol's classifier on (N, D) float32 latents and (N,) labels.

    AdamW, the learning rate falling linearly to zero, labels smoothed (Szegedy et al., 2016,
    "Rethinking the Inception Architecture", section 7). Dropout cost accuracy; the decay of the
    rate and of the weights is what keeps it from overfitting.
    """
    device = latents.device
    generator = torch.Generator(device).manual_seed(seed)
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        classifier = Classifier(latent_dim=latents.shape[1], classes=classes).to(device)
    fitting = min(max(len(latents) // STEPS_PER_EPOCH, SMALLEST_BATCH), LARGEST_BATCH)
    batch_size = min(fitting, len(latents))
    if batch_size < WORTH_CASTING:
        precision = "float32"
    peak = LEARNING_RATE * math.sqrt(batch_size / LARGEST_BATCH)
    steps = epochs * (len(latents) // batch_size)
    optimizer = torch.optim.AdamW(
        classifier.parameters(), lr=peak, weight_decay=WEIGHT_DECAY, fused=True
    )
    classifier.train()
    order = torch.zeros(len(latents), dtype=torch.int64, device=device)
    batches = order[: steps // epochs * batch_size].view(-1, batch_size)
    # A CPU reads the rate in double precision, CUDA in single.
    kind = torch.float64 if device.type == "cpu" else torch.float32
    rates = torch.tensor([peak * (1 - n / steps) for n in range(steps)], dtype=kind, device=device)
    at = torch.zeros(1, dtype=torch.int64, device=device)
    rate = torch.zeros(1, dtype=kind, device=device)
    for group in optimizer.param_groups:
        group["lr"] = rate[0]

    def run() -> None:
        torch.index_select(rates, 0, at, out=rate)
        rows = batches.index_select(0, at % len(batches))[0]
        with autocast(precision, device):
            logits = classifier(latents[rows])
        loss = F.cross_entropy(logits.float(), labels[rows], label_smoothing=LABEL_SMOOTHING)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        at.add_(1)

    step = Recorded(run, optimizer) if recording.wanted(device) else run
    for _ in range(epochs):
        torch.randperm(len(latents), generator=generator, out=order)
        for _ in batches:
            step()
    return classifier.eval()


def fit_linear_classifier(
    latents: Tensor,
    labels: Tensor,
    valid_latents: Tensor,
    valid_labels: Tensor,
    *,
    classes: int,
) -> LinearHead:
    """Softmax regression on (N, D) latents, of the penalty that is best on validation latents.

    The penalty is of the weights on standardised latents; the head that is returned holds the
    standardisation, and takes the latents as they are. Each fit is convex and goes on until it has
    converged (L-BFGS), so there is no seed.
    """
    mean, spread = latents.mean(0), latents.std(0)
    # A latent that never varied (a dead unit) is left alone: dividing by next to nothing
    # would make the slightest change on other images the largest feature of all.
    spread = torch.where(spread > 1e-6, spread, 1.0)
    features = (latents - mean) / spread
    valid_features = (valid_latents - mean) / spread
    head = LinearHead(latent_dim=latents.shape[1], classes=classes).to(latents.device)
    best, kept = -1, {}
    for penalty in PENALTIES:
        _descend(head, features, labels, penalty / len(labels))
        right = int((head(valid_features).argmax(1) == valid_labels).sum())
        if right < best:
            break
        best, kept = right, {name: value.clone() for name, value in head.state_dict().items()}
    weight = kept["weight"] / spread
    head.load_state_dict({"weight": weight, "bias": kept["bias"] - weight @ mean})
    return head.eval()


def _descend(head: LinearHead, features: Tensor, labels: Tensor, penalty: float) -> None:
    optimizer = torch.optim.LBFGS(
        head.parameters(),
        max_iter=LINEAR_STEPS,
        tolerance_grad=GRADIENT,
        tolerance_change=0,
        line_search_fn="strong_wolfe",
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = F.cross_entropy(head(features), labels) + penalty * head.weight.square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)


@torch.no_grad()
def nearest_classes(
    latents: Tensor, bank: Tensor, labels: Tensor, *, classes: int, own: bool = False
) -> Tensor:
    """The class of each of (Q, D) latents by its 20 nearest among the (N, D) of the bank: (Q,).

    Nearest by cosine, seen from the mean of the bank, for an encoder's origin is arbitrary. A vote
    weighs exp(cosine / 0.07) (Wu et al., 2018, "Unsupervised Feature Learning via Non-Parametric
    Instance Discrimination", section 3.4).

    Args:
        labels: (N,) classes of the bank.
        own: whether `latents` are the first Q of the bank: each leaves itself out.
    """
    centre = bank.mean(0)
    bank = F.normalize(bank - centre, dim=1)
    found = []
    for start in range(0, len(latents), QUERIES):
        part = F.normalize(latents[start : start + QUERIES] - centre, dim=1)
        cosines = part @ bank.T
        if own:
            cosines.diagonal(start).fill_(-math.inf)
        nearest, rows = cosines.topk(min(NEIGHBOURS, len(bank) - own), dim=1)
        votes = nearest.new_zeros(len(part), classes)
        votes.scatter_add_(1, labels[rows], ((nearest - 1) / TEMPERATURE).exp())
        found.append(votes.argmax(1))
    return torch.cat(found)


def unscaled(encoder: nn.Module, latents: Tensor) -> Tensor:
    """(N, D) latents in the scales that they had before the encoder's closing normalisation.

    That normalisation brings every coordinate to one spread, and so makes those loud that tell
    nothing. It learns no scale, so that it can be undone on the latents themselves.
    """
    closing = list(encoder.modules())[-1]
    if not isinstance(closing, nn.BatchNorm1d) or closing.affine:
        return latents
    assert closing.running_var is not None
    return latents * (closing.running_var + closing.eps).sqrt()
