"""Draws the stand-in for CIFAR-10: ten patterns in two colours, 32 x 32.

Place, period, slope, colours, ground and noise vary, and a pattern may be lighter or darker than
its ground. No pixel then says much by itself, so that a linear classifier on pixels fails; but a
crop in other colours still shows the same pattern, which is what a contrastive encoder learns by.

A pattern repeats one tile of side 1. A tile is a signed distance: how far a point lies outside the
paint (Quilez, "2D distance functions", https://iquilezles.org/articles/distfunctions2d). A distance
gives smooth edges at once: a pixel is covered by how far its centre lies inside. Pixels are made
with + - * / and square roots alone, which IEEE arithmetic rounds alike on every machine, so that
the fingerprint of the data agrees.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from trainers.data.datasets import LabelledImages

Array = npt.NDArray[np.float32]

_SIZE = 32
_PERIODS = (8.0, 11.0)  # pixels
_STEEPEST = 0.2  # slope of a pattern's rows, about 11 degrees
_GROUND_CELLS = 4  # the ground's texture: random greys at 5 x 5 points, smooth between them
_HALF = np.float32(np.sqrt(0.5))  # of a diagonal


def _to_tile(position: Array) -> Array:
    """Places in the plane -> places in their tile, in [-1/2, 1/2]."""
    return np.subtract(position, np.round(position), dtype=np.float32)


def _checks(x: Array, y: Array) -> Array:
    across, down = np.abs(x) - np.float32(0.25), np.abs(y) - np.float32(0.25)
    return np.maximum(np.minimum(across, down), -np.maximum(across, down))


def _triangle(x: Array, y: Array) -> Array:
    sides = np.maximum(np.float32(np.sqrt(0.75)) * np.abs(x) - np.float32(0.5) * y, y)
    return sides - np.float32(0.17)


def _cross(x: Array, y: Array) -> Array:
    rising, falling = np.abs(x + y) * _HALF, np.abs(x - y) * _HALF
    thin, far = np.minimum(rising, falling), np.maximum(rising, falling)
    return np.maximum(thin - np.float32(0.1), far - np.float32(0.45))


# Places in a tile, (N, H, W) each -> signed distance in tiles, (N, H, W).
_DISTANCES: dict[str, Callable[[Array, Array], Array]] = {
    "rows": lambda x, y: np.abs(y) - np.float32(0.25),
    "columns": lambda x, y: np.abs(x) - np.float32(0.25),
    "slants": lambda x, y: (np.abs(_to_tile(x + y)) - np.float32(0.25)) * _HALF,
    "zigzag": lambda x, y: (np.abs(_to_tile(y + np.abs(x))) - np.float32(0.22)) * _HALF,
    "grid": lambda x, y: np.minimum(np.abs(x), np.abs(y)) - np.float32(0.1),
    "checks": _checks,
    "dots": lambda x, y: np.sqrt(x * x + y * y) - np.float32(0.3),
    "rings": lambda x, y: np.abs(np.sqrt(x * x + y * y) - np.float32(0.33)) - np.float32(0.1),
    "triangles": _triangle,
    "crosses": _cross,
}
PATTERNS: tuple[str, ...] = tuple(_DISTANCES)


def draw_patterns(count: int, *, seed: int) -> LabelledImages:
    """`count` images (N, 3, 32, 32), labels 0 .. 9 in turn; the same for the same seed."""
    random = np.random.default_rng(seed)
    labels = np.arange(count, dtype=np.int64) % len(PATTERNS)
    cover = _cover(random, labels)[:, None]
    ground, paint = _colours(random, count)
    shade = _ground_texture(random, count)[:, None]
    pixels = ground + shade
    pixels += (paint + np.float32(0.35) * shade - pixels) * cover
    # The difference of two uniform numbers: bell-shaped enough, and cheaper than a normal one.
    strength = _uniform(random, 0.0, 0.05, (count, 1, 1, 1))
    noise = random.random(pixels.shape, dtype=np.float32)
    noise -= random.random(pixels.shape, dtype=np.float32)
    noise *= strength
    pixels += noise
    pixels *= np.float32(255)
    pixels += np.float32(0.5)
    return LabelledImages(np.clip(pixels, 0, 255, out=pixels).astype(np.uint8), labels)


def _uniform(random: np.random.Generator, low: float, high: float, shape: tuple[int, ...]) -> Array:
    return (low + (high - low) * random.random(shape)).astype(np.float32)


def _cover(random: np.random.Generator, labels: npt.NDArray[np.int64]) -> Array:
    """How much of each pixel the pattern covers, in [0, 1]: (N, 32, 32)."""
    count = len(labels)
    period = _uniform(random, *_PERIODS, (count, 1, 1))
    place_x, place_y = _uniform(random, 0.0, 1.0, (2, count, 1, 1))
    slope = _uniform(random, -_STEEPEST, _STEEPEST, (count, 1, 1))
    scale = np.float32(1) / (period * np.sqrt(np.float32(1) + slope * slope))
    right = np.arange(_SIZE, dtype=np.float32)[None, None, :]
    up = -np.arange(_SIZE, dtype=np.float32)[None, :, None]
    x = _to_tile((right + slope * up) * scale + place_x)
    y = _to_tile((up - slope * right) * scale + place_y)
    cover = np.empty((count, _SIZE, _SIZE), dtype=np.float32)
    for label, distance in enumerate(_DISTANCES.values()):
        rows = slice(label, None, len(PATTERNS))  # labels go in turn
        cover[rows] = np.clip(0.5 - distance(x[rows], y[rows]) * period[rows], 0, 1)
    return cover


def _colours(random: np.random.Generator, count: int) -> tuple[Array, Array]:
    """Colours of ground and paint, (N, 3, 1, 1) each, in [0, 1], clearly apart in brightness."""
    level = _uniform(random, 0.15, 0.85, (count, 1))
    step = _uniform(random, 0.4, 0.55, (count, 1))
    lighter = random.random((count, 1)) < 0.5
    # The way that was drawn, unless it leads out of the range of brightness.
    lighter = np.where(level + step > 0.95, False, np.where(level - step < 0.05, True, lighter))
    other = np.where(lighter, level + step, level - step)
    ground = level + _uniform(random, -0.2, 0.2, (count, 3))
    paint = other + _uniform(random, -0.2, 0.2, (count, 3))
    return ground[:, :, None, None], paint[:, :, None, None]


def _ground_texture(random: np.random.Generator, count: int) -> Array:
    """Light and dark that drift over the picture: a slope and soft blots, (N, 32, 32)."""
    axis = (np.arange(_SIZE, dtype=np.float32) + np.float32(0.5)) / np.float32(_SIZE)
    slope_x, slope_y = _uniform(random, -0.08, 0.08, (2, count, 1, 1))
    texture: Array = slope_x * (axis - np.float32(0.5))[None, None, :]
    texture = texture + slope_y * (axis - np.float32(0.5))[None, :, None]
    points = _uniform(random, -0.04, 0.04, (count, _GROUND_CELLS + 1, _GROUND_CELLS + 1))
    place = axis * np.float32(_GROUND_CELLS)
    cell = place.astype(np.int64)
    part = place - cell.astype(np.float32)
    rows = points[:, cell] + (points[:, cell + 1] - points[:, cell]) * part[None, :, None]
    texture += rows[:, :, cell] + (rows[:, :, cell + 1] - rows[:, :, cell]) * part
    return texture
