"""Draws the stand-in for CIFAR-10: ten coloured shapes on coloured ground, 32 x 32.

Place, size, turn, colours, ground and noise vary, and a shape may be lighter or darker than its
ground.  No pixel then says much by itself: a linear classifier on pixels fails where a small
convolutional net succeeds, as on the real images.

Each shape is a signed distance: how far a point lies outside it (Quilez, "2D distance functions",
https://iquilezles.org/articles/distfunctions2d).  A distance gives smooth edges at once: a pixel is
covered by how far its centre lies inside.  Pixels are made with + - * / and square roots alone,
which IEEE arithmetic rounds alike on every machine, so that the fingerprint of the data agrees.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from trainers.data.datasets import LabelledImages

Array = npt.NDArray[np.float32]

_SIZE = 32
_GROUND_CELLS = 4  # the ground's texture: random greys at 5 x 5 points, smooth between them


def _disc(x: Array, y: Array, radius: float) -> Array:
    return np.sqrt(x * x + y * y) - np.float32(radius)


def _box(x: Array, y: Array, half_width: float, half_height: float) -> Array:
    return np.maximum(np.abs(x) - np.float32(half_width), np.abs(y) - np.float32(half_height))


def _sides(x: Array, y: Array, count: int, distance: float) -> Array:
    """How far a point lies beyond each side's line of a regular polygon: (count, ...)."""
    angles = 2 * np.pi * (np.arange(count) / count) + np.pi / 2
    normals = np.stack([np.cos(angles), np.sin(angles)]).astype(np.float32)
    beyond: Array = np.stack([x * nx + y * ny for nx, ny in normals.T]) - np.float32(distance)
    return beyond


def _ring(x: Array, y: Array) -> Array:
    return np.abs(_disc(x, y, 0.72)) - np.float32(0.2)


def _triangle(x: Array, y: Array) -> Array:
    farthest: Array = _sides(x, y, 3, 0.5).max(axis=0)
    return farthest


def _cross(x: Array, y: Array) -> Array:
    return np.minimum(_box(x, y, 0.95, 0.26), _box(x, y, 0.26, 0.95))


def _star(x: Array, y: Array) -> Array:
    # A five-pointed star is where at most one of five lines is crossed: the second largest counts.
    second: Array = np.sort(_sides(x, y, 5, 0.36), axis=0)[-2]
    return second


def _crescent(x: Array, y: Array) -> Array:
    bite: Array = _disc(x - np.float32(0.5), y, 0.75)
    return np.maximum(_disc(x, y, 0.95), -bite)


def _arrow(x: Array, y: Array) -> Array:
    small = np.float32(0.7)
    head: Array = _triangle(x / small, (np.float32(0.3) - y) / small) * small
    return np.minimum(head, _box(x, y + np.float32(0.45), 0.2, 0.5))


def _heart(x: Array, y: Array) -> Array:
    # A square on its corner with a disc on each upper side.
    half, shift = np.float32(0.52), np.float32(0.52 / np.sqrt(2))
    square: Array = (np.abs(x) + np.abs(y + np.float32(0.15))) / np.float32(np.sqrt(2)) - half
    discs = _disc(np.abs(x) - shift, y + np.float32(0.15) - shift, 0.52)
    return np.minimum(square, discs)


def _stripes(x: Array, y: Array) -> Array:
    bars = np.minimum(np.abs(y), np.abs(np.abs(y) - np.float32(0.64))) - np.float32(0.17)
    return np.maximum(bars, np.abs(x) - np.float32(0.82))


# Coordinates in which the shape fills about [-1, 1], (N, H, W) each -> signed distance (N, H, W).
_DISTANCES: dict[str, Callable[[Array, Array], Array]] = {
    "circle": lambda x, y: _disc(x, y, 0.85),
    "ring": _ring,
    "square": lambda x, y: _box(x, y, 0.74, 0.74),
    "triangle": _triangle,
    "cross": _cross,
    "star": _star,
    "crescent": _crescent,
    "arrow": _arrow,
    "heart": _heart,
    "stripes": _stripes,
}
SHAPES: tuple[str, ...] = tuple(_DISTANCES)


def draw_shapes(count: int, *, seed: int) -> LabelledImages:
    """`count` images (N, 3, 32, 32), labels 0 .. 9 in turn; the same for the same seed."""
    random = np.random.default_rng(seed)
    labels = np.arange(count, dtype=np.int64) % len(SHAPES)
    cover = _cover(random, labels)[:, None]
    ground, paint = _colours(random, count)
    shade = _ground_texture(random, count)[:, None]
    pixels = ground + shade
    pixels += (paint + np.float32(0.35) * shade - pixels) * cover
    # The difference of two uniform numbers: bell-shaped enough, and cheaper than a normal one.
    strength = _uniform(random, 0.0, 0.12, (count, 1, 1, 1))
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
    """How much of each pixel the shape covers, in [0, 1]: (N, 32, 32)."""
    count = len(labels)
    radius = _uniform(random, 7.0, 12.0, (count, 1, 1))  # pixels
    centre_x, centre_y = _uniform(random, -4.0, 4.0, (2, count, 1, 1))
    angle = 2 * np.pi * random.random((count, 1, 1))
    cos, sin = np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32)
    axis = np.arange(_SIZE, dtype=np.float32) - np.float32((_SIZE - 1) / 2)
    right = (axis[None, None, :] - centre_x) / radius
    up = (-axis[None, :, None] - centre_y) / radius
    cover = np.empty((count, _SIZE, _SIZE), dtype=np.float32)
    for label, distance in enumerate(_DISTANCES.values()):
        rows = slice(label, None, len(SHAPES))  # labels go in turn
        x = cos[rows] * right[rows] + sin[rows] * up[rows]
        y = cos[rows] * up[rows] - sin[rows] * right[rows]
        cover[rows] = np.clip(0.5 - distance(x, y) * radius[rows], 0, 1)
    return cover


def _colours(random: np.random.Generator, count: int) -> tuple[Array, Array]:
    """Colours of ground and shape, (N, 3, 1, 1) each, in [0, 1], clearly apart in brightness."""
    level = _uniform(random, 0.15, 0.85, (count, 1))
    step = _uniform(random, 0.25, 0.5, (count, 1))
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
    slope_x, slope_y = _uniform(random, -0.2, 0.2, (2, count, 1, 1))
    texture: Array = slope_x * (axis - np.float32(0.5))[None, None, :]
    texture = texture + slope_y * (axis - np.float32(0.5))[None, :, None]
    points = _uniform(random, -0.12, 0.12, (count, _GROUND_CELLS + 1, _GROUND_CELLS + 1))
    place = axis * np.float32(_GROUND_CELLS)
    cell = place.astype(np.int64)
    part = place - cell.astype(np.float32)
    rows = points[:, cell] + (points[:, cell + 1] - points[:, cell]) * part[None, :, None]
    texture += rows[:, :, cell] + (rows[:, :, cell + 1] - rows[:, :, cell]) * part
    return texture
