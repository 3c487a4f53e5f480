"""The networks as they are: each layer's shape and weights, traced on a dummy image, and drawn."""

from __future__ import annotations

import math
import textwrap
from typing import Any, NamedTuple

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.patches import Rectangle
from torch import Tensor, nn

from analysis import style
from analysis.records import PipelineRecord
from models import PatchWhitening, parameter_count
from models.layers import FlattenPixels, MeanPixels, UnflattenPixels
from search.spaces.rebuild import untrained

# Each begins a layer of the drawing.
WEIGHED = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear, PatchWhitening)
TIMES = "\N{MULTIPLICATION SIGN}"


class Layer(NamedTuple):
    """A convolution or a linear map with what follows it up to the next.

    Attributes:
        operations: in words, one for each module that does something.
        shape: (C, H, W) or (D,) behind it.
        parameters: trainable scalars.
    """

    operations: tuple[str, ...]
    shape: tuple[int, ...]
    parameters: int


class Part(NamedTuple):
    """An encoder, a decoder, a head.

    Attributes:
        name: what it is.
        note: when it is trained and used.
        enters: shape of what enters it.
        layers: in order.
    """

    name: str
    note: str
    enters: tuple[int, ...]
    layers: tuple[Layer, ...]

    @property
    def parameters(self) -> int:
        """The sum over all layers."""
        return sum(layer.parameters for layer in self.layers)


def compute_architecture(record: PipelineRecord) -> tuple[Part, ...]:
    """Trace the networks that `record` is drawn from, on one black image.

    The encoder comes first, the others stand on its latent.
    """
    spec = record.data.spec
    model = record.model
    image = torch.zeros(1, spec.channels, spec.size, spec.size)
    with torch.no_grad():
        latent = model.encoder(image)
    with torch.random.fork_rng(devices=[]):
        method: Any = untrained(record.info)  # a run does not keep heads that only served the loss
    jointly = "trained with the encoder"
    parts = [_trace("encoder", "what is compared", model.encoder, image)]
    if model.decoder is not None:
        parts.append(_trace("decoder", jointly, model.decoder, latent))
    projection = getattr(method, "projection", None)  # a contrastive loss stands on it
    if isinstance(projection, nn.Module) and not isinstance(projection, nn.Identity):
        note = f"{jointly}, then discarded"
        parts.append(_trace("projection head", note, projection.eval(), latent))
    if model.classifier is not None:
        frozen = "trained afterwards, on frozen latents"
        when = frozen if method.classifier is None else jointly
        parts.append(_trace("classifier", when, model.classifier, latent))
    return tuple(parts)


def _trace(name: str, note: str, module: nn.Module, given: Tensor) -> Part:
    """Run `module` on `given` and note what each of its leaves gives."""
    seen: list[tuple[nn.Module, Tensor]] = []
    hooks = [
        leaf.register_forward_hook(lambda leaf, _, output: seen.append((leaf, output.clone())))
        for leaf in module.modules()
        if not list(leaf.children())
    ]
    try:
        with torch.no_grad():
            output = module(given)
    finally:
        for hook in hooks:
            hook.remove()
    layers: list[Layer] = []
    waiting: list[str] = []  # what stands before the first weights
    for leaf, result in seen:
        operations, shape = _words(leaf), tuple(result.shape[1:])
        if isinstance(leaf, WEIGHED):
            layers.append(Layer((*waiting, *operations), shape, parameter_count(leaf)))
            waiting = []
        elif layers and not isinstance(leaf, nn.Flatten | FlattenPixels | MeanPixels | nn.Dropout):
            before, _, parameters = layers.pop()
            parameters += parameter_count(leaf)
            layers.append(Layer((*before, *operations), shape, parameters))
        else:
            waiting += operations
    # A module may end in a function, which no hook sees.
    if seen and not torch.equal(seen[-1][1], output):
        before, _, parameters = layers.pop()
        if torch.allclose(torch.sigmoid(seen[-1][1]), output, atol=1e-5):
            before = (*before, "sigmoid")
        layers.append(Layer(before, tuple(output.shape[1:]), parameters))
    return Part(name=name, note=note, enters=tuple(given.shape[1:]), layers=tuple(layers))


def _words(leaf: nn.Module) -> list[str]:
    """Words for what a module does; none if it does nothing or only reorders numbers."""
    if isinstance(leaf, nn.Conv2d | nn.ConvTranspose2d):
        kind = "transposed" if isinstance(leaf, nn.ConvTranspose2d) else "conv"
        size = f"{kind} {leaf.kernel_size[0]} {TIMES} {leaf.kernel_size[1]}"
        return [size] if leaf.stride == (1, 1) else [size, f"stride {leaf.stride[0]}"]
    if isinstance(leaf, PatchWhitening):
        return [f"whitened {leaf.kernel} {TIMES} {leaf.kernel}", "patches"]
    if isinstance(leaf, nn.BatchNorm1d | nn.BatchNorm2d):
        return ["batch norm" if leaf.affine else "standardise"]
    if isinstance(leaf, nn.MaxPool2d | nn.AvgPool2d):
        kind = "max" if isinstance(leaf, nn.MaxPool2d) else "average"
        return [f"{kind} pool {leaf.kernel_size}"]
    if isinstance(leaf, nn.PixelShuffle):
        return [f"pixel shuffle {leaf.upscale_factor}"]
    if isinstance(leaf, nn.Dropout):
        return [f"dropout {leaf.p:.2g}"] if leaf.p else []
    if isinstance(leaf, (nn.Identity, nn.Flatten, FlattenPixels, nn.Unflatten, UnflattenPixels)):
        return []
    names = {"Linear": "linear", "GroupNorm": "group norm", "MeanPixels": "mean of each map"}
    return [names.get(type(leaf).__name__, type(leaf).__name__)]


# Drawing ----------------------------------------------------------------------------------------

COLUMN, ROW = 1.0, 1.62  # inches from layer to layer, from part to part
TALLEST = 0.62  # inches of the largest image
TONES = ("#cfe3f2", "#f6dfb3", "#cbe8dd", "#ead0e0")  # pale, of different greys


def architecture_figure(name: str, parts: tuple[Part, ...]) -> Canvas:
    """Each part as a row of shapes: maps as planes as large as their side, vectors as bars."""
    columns = max(len(part.layers) for part in parts) + 1
    height = ROW * len(parts) + 0.35
    canvas, [axis] = style.axes(width=max(5.4, COLUMN * columns + 0.3), height=height)
    for row, part in enumerate(parts):
        _draw_part(axis, part, top=-row * ROW, tone=TONES[row % len(TONES)], first=row == 0)
    axis.set_xlim(-0.5 * COLUMN, (columns - 0.5) * COLUMN)
    axis.set_ylim(-ROW * len(parts) + 0.1, 0.1)
    axis.set_aspect("equal")
    axis.set_axis_off()
    axis.set_title(f"{name}: the networks")
    return canvas


def _draw_part(axis: Axes, part: Part, *, top: float, tone: str, first: bool) -> None:
    middle = top - 0.58
    heading = f"{part.name}, {part.parameters:,} weights"
    start = -0.45 * COLUMN, top - 0.02
    name = axis.text(*start, heading, va="center", fontsize=8.5, weight="bold")
    note = axis.annotate(part.note, (1, 0.5), (6, 0), name, "offset points", va="center")
    note.set(fontsize=8, color="0.35")
    note.set_in_layout(False)  # it may reach beyond the last column, which need not shrink for it
    shapes = [part.enters, *(layer.shape for layer in part.layers)]
    reaches = [_draw_shape(axis, s, i * COLUMN, middle, tone) for i, s in enumerate(shapes)]
    _label(axis, 0, middle, part.enters, "image" if first else "latent", more="")
    for place, layer in enumerate(part.layers, start=1):
        weights = f"{layer.parameters:,}"
        _label(axis, place * COLUMN, middle, layer.shape, *layer.operations, more=weights)
        ends = (place - 1) * COLUMN + reaches[place - 1], place * COLUMN - reaches[place]
        look = {"arrowstyle": "-|>", "mutation_scale": 7, "color": "0.35", "lw": 0.8}
        look |= {"shrinkA": 0, "shrinkB": 0}
        axis.annotate("", (ends[1] - 0.04, middle), (ends[0] + 0.04, middle), arrowprops=look)


def _draw_shape(axis: Axes, shape: tuple[int, ...], x: float, y: float, tone: str) -> float:
    """Planes for (C, H, W), a bar for (D,); returns half of its width."""

    def add(corner: tuple[float, float], width: float, height: float) -> None:
        plane = Rectangle(corner, width, height, edgecolor="0.25", facecolor=tone, linewidth=0.7)
        axis.add_patch(plane)

    if len(shape) == 1:
        height = TALLEST * min(1.0, 0.3 + math.log2(shape[0]) / 14)
        add((x - 0.05, y - height / 2), 0.1, height)
        return 0.06
    channels, side, _ = shape
    size = TALLEST * max(0.22, min(1.0, side / 32))
    planes = min(4, max(1, round(math.log2(channels) / 2)))
    step = 0.035
    left = x - (size + step * (planes - 1)) / 2
    for plane in reversed(range(planes)):
        corner = (left + step * plane, y - size / 2 + step * (plane - (planes - 1) / 2))
        add(corner, size, size)
    return (size + step * (planes - 1)) / 2


def _label(axis: Axes, x: float, y: float, shape: tuple[int, ...], *words: str, more: str) -> None:
    """The shape below the drawing, then what made it, short words on one line, then `more`."""
    below = y - TALLEST / 2 - 0.06
    size = f" {TIMES} ".join(map(str, shape))
    axis.text(x, below, size, ha="center", va="top", fontsize=7.5, weight="bold")
    lines = textwrap.wrap(", ".join(word.replace(" ", "\xa0") for word in words), 19)
    text = "\n".join([*(line.rstrip(",") for line in lines), more])
    axis.text(x, below - 0.13, text, ha="center", va="top", fontsize=6.4, linespacing=1.15)
