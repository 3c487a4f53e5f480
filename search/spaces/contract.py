"""What every pipeline has to keep, checked by building it and by one step of training."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn

from search.spaces import builders
from search.spaces.pipeline import LATENT_DIM, Params, Pipeline
from search.spaces.space import largest
from trainers.loop import DeviceImages, fit

COUNT = 16  # images of the step
NETWORKS = {"encoder", "decoder", "classifier", "projection"}  # all but the last are kept


class NotedReads(dict[str, Any]):
    """Parameters that note which of them are read."""

    def __init__(self, values: Params) -> None:
        super().__init__(values)
        self.read: set[str] = set()

    def __getitem__(self, name: str) -> Any:
        self.read.add(name)
        return super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        """As of any dictionary."""
        self.read.add(name)
        return super().get(name, default)


def violations(pipeline: Pipeline) -> Iterator[tuple[str, str | None]]:
    """(clause, what breaks it or None) of each."""
    for clause, check in CLAUSES.items():
        try:
            yield clause, check(pipeline)
        except Exception as error:
            yield clause, f"{type(error).__name__}: {(str(error).splitlines() or [''])[0][:200]}"


def _shape(pipeline: Pipeline) -> str | None:
    method = _built(pipeline).eval()
    images = _noise(pipeline).images.float() / 255
    latents = method.encoder(images)
    expected = (COUNT, pipeline.defaults.get("latent_dim", LATENT_DIM))
    if latents.shape != expected:
        return f"{tuple(latents.shape)} in place of {expected}"
    if method.decoder is not None and method.decoder(latents).shape != images.shape:
        return f"the decoder gives {tuple(method.decoder(latents).shape)}"
    classes = (COUNT, len(pipeline.spec.classes))
    others = {name.partition(".")[0] for name, _ in method.named_parameters()} - NETWORKS
    if others:
        return f"{', '.join(sorted(others))}: a network that serves the loss only is `projection`"
    if method.classifier is not None and method.classifier(latents).shape != classes:
        return f"the classifier gives {tuple(method.classifier(latents).shape)}"
    return None


def _step(pipeline: Pipeline) -> str | None:
    method = _built(pipeline)
    before = {name: weight.clone() for name, weight in method.named_parameters()}
    settings = builders.optimisation({**pipeline.defaults, "batch_size": COUNT, "warmup": 0.0})
    for result in fit(method, _noise(pipeline), settings, epochs=1, seed=0):
        if not torch.isfinite(torch.tensor(result.loss)):
            return f"the loss is {result.loss}"
    still = [name for name, w in method.named_parameters() if torch.equal(w, before[name])]
    return f"these stay as they are: {', '.join(still[:5])}" if still else None


def _labels(pipeline: Pipeline) -> str | None:
    method = _built(pipeline).eval()
    data = _noise(pipeline)
    first, second = (
        method.loss(data.images.float() / 255, labels, torch.Generator().manual_seed(2)).item()
        for labels in (data.labels, data.labels.flip(0) // 2)
    )
    said = {pipeline.uses_labels, method.uses_labels}
    if said != {first != second}:
        return f"the loss {'looks' if first != second else 'does not look'} at labels"
    return None


def _seed(pipeline: Pipeline) -> str | None:
    one, same, other = (dict(_built(pipeline, s).named_parameters()) for s in (0, 0, 1))
    if not all(torch.equal(one[name], same[name]) for name in one):
        return "one seed gives two networks"
    if not any(not torch.equal(one[name], other[name]) for name in one):
        return "two seeds give one network"
    return None


def _every_value(pipeline: Pipeline) -> str | None:
    tried: list[dict[str, Any]] = [dict(largest(pipeline.space, pipeline.defaults))]
    for name, kind in pipeline.space.items():
        bounds: Any = kind
        for value in getattr(kind, "choices", None) or (bounds.low, bounds.high):
            tried.append({**pipeline.defaults, name: value})
    for params in tried:
        try:
            pipeline.method(params)
            builders.optimisation(params)
        except Exception as error:
            changed = {n: v for n, v in params.items() if pipeline.defaults[n] != v}
            return f"with {changed}: {type(error).__name__}: {error}"
    return None


def _read(pipeline: Pipeline) -> str | None:
    params = NotedReads(pipeline.defaults)
    pipeline.method(params)
    builders.optimisation(params)
    unread = pipeline.space.keys() - params.read
    return f"nothing reads {', '.join(sorted(unread))}" if unread else None


def _budget(pipeline: Pipeline) -> str | None:
    if pipeline.epochs < 1:
        return f"epochs={pipeline.epochs}"
    if not pipeline.metric.startswith("valid/"):
        return f"metric={pipeline.metric!r} is not measured on validation images"
    return None


CLAUSES: dict[str, Callable[[Pipeline], str | None]] = {
    "the budget is at least an epoch, the metric valid/...": _budget,
    "an image becomes a latent vector, which the other networks take": _shape,
    "one step of training has a finite loss and changes every weight": _step,
    "the loss looks at labels exactly where it is declared": _labels,
    "the weights follow from the seed": _seed,
    "every choice and both ends of every range can be built": _every_value,
    "every parameter of the space is read, by the builder or the optimizer": _read,
}


def _built(pipeline: Pipeline, seed: int = 0) -> Any:
    torch.manual_seed(seed)
    method = pipeline.method(pipeline.defaults)
    if not isinstance(method, nn.Module):
        raise TypeError(f"build gives {type(method).__name__}, not an nn.Module")
    return method


def _noise(pipeline: Pipeline) -> DeviceImages:
    spec = pipeline.spec
    generator = torch.Generator().manual_seed(1)
    shape = (COUNT, spec.channels, spec.size, spec.size)
    return DeviceImages(
        images=torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator),
        labels=torch.arange(COUNT) % len(spec.classes),
    )
