"""Seconds of (Q K^T) V against Q (K^T V), the same product in two orders, by sequence length.

    python benchmarks/attention.py [--d 64] [--threads 2] [--quick]

This is attention without a softmax; with one between Q K^T and V only the first order is possible
(docs/theory.md, question 7). The first takes 2 n^2 d multiplications, the second 2 n d^2: they are
equal at n = d. The two take turns, so that other work on the machine slows both; the medians over
the rounds are printed, and the length from which the second is the faster one.
"""

from __future__ import annotations

import itertools
import math
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch

from benchmarks import machine
from benchmarks.machine import seconds

LENGTHS = (16, 32, 64, 128, 256, 512, 1024, 2048, 4096)
QUICK = (16, 64, 256, 1024)
LEAST = 2e-3  # seconds that one timing lasts at least; a single short product is lost in the clock
SIDES = ("(Q K^T) V", "Q (K^T V)")


def measure(n: int, d: int, rounds: int) -> list[float]:
    """Median seconds of each order, for float32 matrices (n, d)."""
    generator = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(n, d, generator=generator) for _ in range(3))
    orders = {SIDES[0]: lambda: (q @ k.T) @ v, SIDES[1]: lambda: q @ (k.T @ v)}
    first, second = (order() for order in orders.values())
    scale = float(first.abs().max())
    if float((first - second).abs().max()) > 1e-4 * scale:
        raise RuntimeError(f"the two orders differ at n = {n}, d = {d}")
    sides = {
        name: partial(seconds, order, max(1, math.ceil(LEAST / seconds(order, 3))))
        for name, order in orders.items()
    }
    return list(machine.in_turn(rounds, sides).values())


def crossover(lengths: Sequence[int], ratios: Sequence[float]) -> float | None:
    """The length from which the ratio stays above 1, between neighbours on a log scale.

    None where it is never crossed: below 1 at the largest length, or above 1 at all.
    """
    length = None
    pairs = itertools.pairwise(zip(lengths, ratios, strict=True))
    for (n, ratio), (next_n, next_ratio) in pairs:
        if ratio < 1 <= next_ratio:
            share = math.log(1 / ratio) / math.log(next_ratio / ratio)
            length = n * (next_n / n) ** share
    return length if ratios[-1] >= 1 else None


def main() -> None:
    """Time both orders at every length, then print the ratios and the crossover."""
    parser = machine.options(__doc__, "4 lengths, 3 rounds instead of 15", d=64, threads=2)
    arguments = parser.parse_args()
    if arguments.d < 1 or arguments.threads < 1:
        parser.error(f"--d {arguments.d} --threads {arguments.threads}: both must be 1 or more")

    torch.set_num_threads(arguments.threads)
    rounds, lengths = (3, QUICK) if arguments.quick else (15, LENGTHS)
    where = machine.announce("torch")
    print(f"{arguments.threads} threads, d = {arguments.d}, float32, medians of {rounds} rounds")
    print(f"{'length':>8} {SIDES[0]:>12} {SIDES[1]:>12} {'ratio':>8} {'by count':>9}")
    ratios = []
    for n in lengths:
        first, second = measure(n, arguments.d, rounds)
        ratios.append(first / second)
        print(
            f"{n:>8,} {1e6 * first:>9,.1f} us {1e6 * second:>9,.1f} us {ratios[-1]:>8.2f} "
            f"{n / arguments.d:>9.2f}",
            flush=True,
        )
    crossed = crossover(lengths, ratios)
    figures = {"d": arguments.d, "threads": arguments.threads, "rounds": rounds}
    ratio = dict(zip(map(str, lengths), ratios, strict=True))
    machine.keep(
        arguments.json, machine=where, figures={**figures, "ratio": ratio, "crossover": crossed}
    )
    if crossed is not None:
        print(f"{SIDES[1]} is the faster one from a length of about {crossed:,.0f} on")
    elif min(ratios) >= 1:
        print(f"no crossover: {SIDES[1]} is the faster one at every length")
    else:
        print(f"no crossover: {SIDES[0]} is the faster one at the largest length")


if __name__ == "__main__":
    with torch.no_grad():
        main()
