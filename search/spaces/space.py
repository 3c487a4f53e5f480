"""Spaces of parameters: fixing, narrowing, checking, drawing, describing.

A space is a mapping of names to Optuna's distributions. Bounds are inclusive everywhere.
"""

from __future__ import annotations

import json
import math
import reprlib
import sys
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
    distribution_to_json,
)

from search.errors import UserError
from search.spaces.pipeline import Scalar, nearest

Space = Mapping[str, BaseDistribution]


def parameters(**table: tuple[BaseDistribution, Scalar]) -> dict[str, Any]:
    """A pipeline's `space` and `defaults`, from a (distribution, default) a parameter."""
    return {
        "space": {name: distribution for name, (distribution, _) in table.items()},
        "defaults": {name: default for name, (_, default) in table.items()},
    }


def narrow(
    space: Space, defaults: Mapping[str, Scalar], settings: Iterable[str]
) -> tuple[dict[str, BaseDistribution], dict[str, Scalar]]:
    """Apply `--set` to a space: `width=32` fixes, `lr=1e-4:1e-2` narrows, `block=a,b` chooses.

    Returns the new space and defaults that lie inside it (moved to the nearest bound).

    Raises:
        UserError: a parameter is unknown, or a value is out of range, of the wrong kind or form.
    """
    narrowed = dict(space)
    for setting in settings:
        name, equals, text = setting.partition("=")
        name = name.strip()
        if not equals or not text.strip():
            raise UserError(
                f"--set {setting}: expected NAME=VALUE, NAME=LOW:HIGH or NAME=A,B\n"
                "for example: --set width=32 --set lr=1e-4:1e-2"
            )
        if name not in space:
            raise UserError(f"--set {setting}: no parameter {name!r}{nearest(name, list(space))}")
        narrowed[name] = _restrict(setting, space[name], text.strip())
    moved = {name: _into(narrowed[name], value) for name, value in defaults.items()}
    return narrowed, moved


def _restrict(setting: str, distribution: BaseDistribution, text: str) -> BaseDistribution:
    allowed = f"allowed: {describe(distribution)}"
    if isinstance(distribution, CategoricalDistribution):
        by_text = {str(choice): choice for choice in distribution.choices}
        chosen = [part.strip() for part in text.split(",")]
        unknown = [part for part in chosen if part not in by_text]
        if unknown:
            raise UserError(f"--set {setting}: {unknown[0]!r} is not a choice\n{allowed}")
        return CategoricalDistribution([by_text[part] for part in dict.fromkeys(chosen)])
    low_text, _, high_text = text.partition(":")
    whole = isinstance(distribution, IntDistribution)
    low = _number(setting, low_text, whole, allowed)
    high = _number(setting, high_text, whole, allowed) if ":" in text else low
    if low > high:
        raise UserError(f"--set {setting}: {low} is above {high}\n{allowed}")
    assert isinstance(distribution, IntDistribution | FloatDistribution)
    if low < distribution.low or high > distribution.high:
        raise UserError(f"--set {setting}: out of range\n{allowed}")
    if isinstance(distribution, FloatDistribution):
        return FloatDistribution(low, high, log=distribution.log)
    on_grid = all((bound - distribution.low) % distribution.step == 0 for bound in (low, high))
    if not on_grid:
        raise UserError(f"--set {setting}: not a multiple of the step\n{allowed}")
    return IntDistribution(int(low), int(high), log=distribution.log, step=distribution.step)


def _number(setting: str, text: str, whole: bool, allowed: str) -> float:
    try:
        value = int(text) if whole else float(text)
    except ValueError:
        kind = "a whole number" if whole else "a number"
        raise UserError(f"--set {setting}: {text!r} is not {kind}\n{allowed}") from None
    # A whole number may have more digits than any float.
    if not abs(value) <= sys.float_info.max:
        raise UserError(f"--set {setting}: {text!r} is not finite\n{allowed}")
    return value


def _into(distribution: BaseDistribution, value: Scalar) -> Scalar:
    if isinstance(distribution, CategoricalDistribution):
        return value if value in distribution.choices else distribution.choices[0]  # type: ignore[return-value]
    assert isinstance(distribution, IntDistribution | FloatDistribution)
    assert not isinstance(value, str)
    return type(distribution.low)(min(max(value, distribution.low), distribution.high))


def describe(distribution: BaseDistribution) -> str:
    """A distribution in words: `0.0001 to 0.01 (log)`, `16 to 64 step 16`, `l1, l2, mixed`."""
    if isinstance(distribution, CategoricalDistribution):
        return ", ".join(str(choice) for choice in distribution.choices)
    assert isinstance(distribution, IntDistribution | FloatDistribution)
    if distribution.single():
        return f"{distribution.low:g} (fixed)"
    text = f"{distribution.low:g} to {distribution.high:g}"
    if distribution.log:
        return text + " (log)"
    if isinstance(distribution, IntDistribution) and distribution.step != 1:
        return text + f" step {distribution.step}"
    return text


def draw(space: Space, rng: np.random.Generator) -> dict[str, Scalar]:
    """One configuration, uniform over the space (on the log scale where it has one)."""
    return {name: _draw(distribution, rng) for name, distribution in space.items()}


def _draw(distribution: BaseDistribution, rng: np.random.Generator) -> Scalar:
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices[rng.integers(len(distribution.choices))]  # type: ignore[return-value]
    assert isinstance(distribution, IntDistribution | FloatDistribution)
    low, high = distribution.low, distribution.high
    if isinstance(distribution, IntDistribution) and not distribution.log:
        steps = (distribution.high - distribution.low) // distribution.step
        return distribution.low + distribution.step * int(rng.integers(steps + 1))
    if distribution.log:
        value = math.exp(rng.uniform(math.log(low), math.log(high)))
    else:
        value = rng.uniform(low, high)
    value = min(max(value, low), high)
    return round(value) if isinstance(distribution, IntDistribution) else float(value)


def largest(space: Space, defaults: Mapping[str, Scalar]) -> dict[str, Scalar]:
    """The most expensive model: the defaults with every number at the top of its range."""
    params = dict(defaults)
    for name, distribution in space.items():
        if isinstance(distribution, IntDistribution):
            params[name] = distribution.high
        elif isinstance(distribution, CategoricalDistribution):
            numbers = [choice for choice in distribution.choices if isinstance(choice, int)]
            # By convention the last of several words is the most expensive (strided, pooled).
            params[name] = max(numbers) if numbers else distribution.choices[-1]  # type: ignore[assignment]
    return params


def values(distribution: BaseDistribution) -> list[int]:
    """The whole numbers of a choice, or the top of a range."""
    if isinstance(distribution, CategoricalDistribution):
        return [int(choice) for choice in distribution.choices]  # type: ignore[arg-type]
    assert isinstance(distribution, IntDistribution)
    return [distribution.high]


def size(space: Space) -> float:
    """The number of distinct configurations; infinite where a parameter is continuous."""
    total = 1.0
    for distribution in space.values():
        if distribution.single():
            continue
        if isinstance(distribution, CategoricalDistribution):
            total *= len(distribution.choices)
        elif isinstance(distribution, IntDistribution):
            total *= (distribution.high - distribution.low) // distribution.step + 1
        else:
            return math.inf
    return total


def key(params: Mapping[str, Scalar]) -> str:
    """A text that is equal for equal configurations."""
    return json.dumps(dict(params), sort_keys=True)


def signature(space: Space) -> dict[str, str]:
    """The space as JSON-able text by parameter, for comparing a study with a new request."""
    return {name: distribution_to_json(space[name]) for name in sorted(space)}


def check(space: Space, params: Mapping[str, object], *, where: str) -> None:
    """Make sure that `params` and `space` name the same parameters, with values of the right kind.

    Values outside the bounds pass if their sign is right: a later version may have narrowed or
    moved the space.

    Raises:
        UserError: the message begins with `where`.
    """
    if not isinstance(params, Mapping):
        raise UserError(f"{where}: params is not a table of names and values")
    for name in params:
        if name not in space:
            raise UserError(f"{where}: no parameter {name!r}{nearest(name, list(space))}")
    missing = [name for name in space if name not in params]
    if missing:
        raise UserError(f"{where}: {', '.join(missing)} is missing\nthere are: {', '.join(space)}")
    for name, distribution in space.items():
        if not _fits(distribution, params[name]):
            shown = reprlib.repr(params[name])
            raise UserError(f"{where}: {name} is {shown}\nallowed: {describe(distribution)}")


def _fits(distribution: BaseDistribution, value: object) -> bool:
    if isinstance(distribution, CategoricalDistribution):
        return any(
            type(value) is type(choice) and value == choice for choice in distribution.choices
        )
    assert isinstance(distribution, IntDistribution | FloatDistribution)
    whole = isinstance(distribution, IntDistribution)
    if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
        return False
    try:
        number = float(value)
    except OverflowError:  # a whole number of hundreds of digits
        return False
    if distribution.low > 0:
        return math.isfinite(number) and number > 0
    return math.isfinite(number) and (distribution.low < 0 or number >= 0)
