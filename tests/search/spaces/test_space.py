"""`--set`, drawing and comparing spaces."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from search.errors import UserError
from search.spaces import space as spaces
from search.spaces.pipeline import load_pipeline, pipeline_names

SPACE = {
    "width": IntDistribution(16, 64, step=16),
    "depth": IntDistribution(3, 6),
    "lr": FloatDistribution(5e-4, 1e-2, log=True),
    "dropout": FloatDistribution(0.0, 0.3),
    "batch_size": CategoricalDistribution([128, 256, 512]),
    "block": CategoricalDistribution(["strided", "pooled"]),
}
DEFAULTS = {
    "width": 32,
    "depth": 3,
    "lr": 2e-3,
    "dropout": 0.1,
    "batch_size": 256,
    "block": "strided",
}


def test_without_settings_nothing_changes() -> None:
    assert spaces.narrow(SPACE, DEFAULTS, []) == (SPACE, DEFAULTS)


@pytest.mark.parametrize(
    ("setting", "name", "distribution", "default"),
    [
        ("width=48", "width", IntDistribution(48, 48, step=16), 48),
        ("width=32:64", "width", IntDistribution(32, 64, step=16), 32),
        ("width=48:64", "width", IntDistribution(48, 64, step=16), 48),
        (" depth = 4 : 5 ", "depth", IntDistribution(4, 5), 4),
        ("lr=1e-3:5e-3", "lr", FloatDistribution(1e-3, 5e-3, log=True), 2e-3),
        ("lr=3e-3:1e-2", "lr", FloatDistribution(3e-3, 1e-2, log=True), 3e-3),
        ("lr=5e-4:1e-2", "lr", SPACE["lr"], 2e-3),
        ("dropout=0", "dropout", FloatDistribution(0.0, 0.0), 0.0),
        ("batch_size=128", "batch_size", CategoricalDistribution([128]), 128),
        ("batch_size=512, 128", "batch_size", CategoricalDistribution([512, 128]), 512),
        ("block=pooled", "block", CategoricalDistribution(["pooled"]), "pooled"),
    ],
)
def test_a_setting_fixes_narrows_or_chooses(
    setting: str, name: str, distribution: object, default: object
) -> None:
    space, defaults = spaces.narrow(SPACE, DEFAULTS, [setting])
    assert space == {**SPACE, name: distribution}
    assert list(space) == list(SPACE), "the order is the tables' order"
    assert defaults == {**DEFAULTS, name: default}
    assert type(defaults[name]) is type(DEFAULTS[name])


def test_the_last_setting_of_a_parameter_counts() -> None:
    space, _ = spaces.narrow(SPACE, DEFAULTS, ["width=32", "width=64"])
    assert space["width"] == IntDistribution(64, 64, step=16)


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("widht=32", "did you mean width?"),
        ("zzzz=32", "there are: width, depth"),
        ("width", "expected NAME=VALUE"),
        ("width=", "expected NAME=VALUE"),
        ("=32", "no parameter ''"),
        ("width=128", "16 to 64 step 16"),
        ("width=8:32", "out of range"),
        ("width=20", "not a multiple of the step"),
        ("width=32.5", "not a whole number"),
        ("width=many", "not a whole number"),
        ("width=64:32", "64 is above 32"),
        ("width=16:", "not a whole number"),
        ("width=:64", "not a whole number"),
        ("lr=1", "0.0005 to 0.01 (log)"),
        ("lr=nan", "not finite"),
        ("lr=inf", "not finite"),
        ("lr=1e-3:x", "'x' is not a number"),
        ("batch_size=100", "'100' is not a choice"),
        ("block=strided,poold", "'poold' is not a choice"),
    ],
)
def test_a_wrong_setting_is_named_with_what_is_allowed(setting: str, said: str) -> None:
    with pytest.raises(UserError) as caught:
        spaces.narrow(SPACE, DEFAULTS, [setting])
    assert said in str(caught.value)
    assert setting.strip() in str(caught.value)
    assert len(str(caught.value).splitlines()) <= 3
    assert caught.value.status == 2


def test_drawing_stays_inside_and_reaches_the_bounds() -> None:
    """The chance that a bound or choice of a grid is never drawn is below 1e-20."""
    rng = np.random.default_rng(0)
    drawn = [spaces.draw(SPACE, rng) for _ in range(400)]
    for name, distribution in SPACE.items():
        values = [params[name] for params in drawn]
        assert all(distribution._contains(distribution.to_internal_repr(v)) for v in values)
        if isinstance(distribution, IntDistribution):
            grid = range(distribution.low, distribution.high + 1, distribution.step)
            assert set(values) == set(grid)
            assert all(type(v) is int for v in values)
        elif isinstance(distribution, CategoricalDistribution):
            assert set(values) == set(distribution.choices)
        else:
            assert all(type(v) is float for v in values)


def test_a_log_scale_is_drawn_evenly_on_the_log_scale() -> None:
    """Half of the draws below the geometric mean, within five standard deviations."""
    rng = np.random.default_rng(1)
    values = [spaces.draw({"lr": SPACE["lr"]}, rng)["lr"] for _ in range(2000)]
    below = sum(float(v) < math.sqrt(5e-4 * 1e-2) for v in values)
    assert abs(below - 1000) < 5 * math.sqrt(500)


def test_the_largest_configuration() -> None:
    assert spaces.largest(SPACE, DEFAULTS) == {
        **{"width": 64, "depth": 6, "lr": 2e-3},
        **{"dropout": 0.1, "batch_size": 512, "block": "pooled"},
    }


def test_the_size_counts_configurations() -> None:
    grid = {name: SPACE[name] for name in ("width", "depth", "batch_size", "block")}
    assert spaces.size(grid) == 4 * 4 * 3 * 2
    assert spaces.size(SPACE) == math.inf
    fixed, _ = spaces.narrow(SPACE, DEFAULTS, ["lr=1e-3", "dropout=0", "width=32"])
    assert spaces.size(fixed) == 4 * 3 * 2


def test_keys_tell_configurations_apart_and_not_their_order() -> None:
    assert spaces.key(DEFAULTS) == spaces.key(dict(reversed(DEFAULTS.items())))
    assert spaces.key(DEFAULTS) != spaces.key({**DEFAULTS, "lr": 2.0001e-3})


def test_signatures_tell_spaces_apart() -> None:
    narrowed, _ = spaces.narrow(SPACE, DEFAULTS, ["lr=1e-3:1e-2"])
    assert spaces.signature(SPACE) == spaces.signature(dict(reversed(SPACE.items())))
    assert spaces.signature(SPACE) != spaces.signature(narrowed)


@pytest.mark.parametrize(
    ("distribution", "words"),
    [
        (SPACE["width"], "16 to 64 step 16"),
        (SPACE["depth"], "3 to 6"),
        (SPACE["lr"], "0.0005 to 0.01 (log)"),
        (SPACE["dropout"], "0 to 0.3"),
        (SPACE["block"], "strided, pooled"),
        (IntDistribution(32, 32), "32 (fixed)"),
    ],
)
def test_a_distribution_in_words(distribution: BaseDistribution, words: str) -> None:
    assert spaces.describe(distribution) == words


@pytest.mark.parametrize("name", pipeline_names())
def test_any_draw_of_a_pipelines_space_can_be_set_again(name: str) -> None:
    """What a user copies from a table into `--set` is accepted and fixes just that."""
    pipeline = load_pipeline(name)
    rng = np.random.default_rng(5)
    for _ in range(5):
        params = spaces.draw(pipeline.space, rng)
        settings = [f"{key}={value}" for key, value in params.items()]
        space, defaults = spaces.narrow(pipeline.space, pipeline.defaults, settings)
        assert defaults == params
        assert spaces.size(space) == 1


def test_a_configuration_that_fits_is_let_through() -> None:
    """Bounds are not held but for the sign, and a whole number is a number."""
    spaces.check(SPACE, DEFAULTS, where="here")
    spaces.check(SPACE, dict(reversed(DEFAULTS.items())), where="here")
    spaces.check(SPACE, {**DEFAULTS, "width": 17, "lr": 3, "dropout": 0.9}, where="here")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"widht": 32}, "no parameter 'widht'; did you mean width?"),
        ({"width": 32.0}, "width is 32.0\nallowed: 16 to 64 step 16"),
        ({"width": "32"}, "width is '32'"),
        ({"width": True}, "width is True"),
        ({"width": None}, "width is None"),
        ({"lr": "1e-3"}, "lr is '1e-3'\nallowed: 0.0005 to 0.01 (log)"),
        ({"lr": True}, "lr is True"),
        ({"lr": math.nan}, "lr is nan"),
        ({"lr": math.inf}, "lr is inf"),
        ({"lr": [1e-3]}, "lr is [0.001]"),
        ({"batch_size": 100}, "batch_size is 100\nallowed: 128, 256, 512"),
        ({"batch_size": "128"}, "batch_size is '128'"),
        ({"batch_size": 128.0}, "batch_size is 128.0"),
        ({"width": 0}, "width is 0\nallowed: 16 to 64 step 16"),
        ({"width": -16}, "width is -16"),
        ({"width": 10**400}, "width is 1000000000000"),
        ({"lr": 10**400}, "lr is 1000000000000"),
        ({"lr": 0.0}, "lr is 0.0"),
        ({"dropout": -0.1}, "dropout is -0.1"),
        ({"block": "poold"}, "block is 'poold'\nallowed: strided, pooled"),
        ({"block": ["pooled"]}, "block is ['pooled']"),
    ],
)
def test_a_configuration_that_does_not_fit_is_named(changes: dict[str, object], said: str) -> None:
    with pytest.raises(UserError) as caught:
        spaces.check(SPACE, {**DEFAULTS, **changes}, where="--config f.json")
    assert str(caught.value).startswith(f"--config f.json: {said}")
    assert caught.value.status == 2


def test_all_that_a_configuration_lacks_is_named() -> None:
    some = {name: value for name, value in DEFAULTS.items() if name not in ("lr", "block")}
    with pytest.raises(UserError, match=r"^here: lr, block is missing\nthere are: width, "):
        spaces.check(SPACE, some, where="here")


@pytest.mark.parametrize("params", [None, 3, "width", ["width"]])
def test_a_configuration_is_a_table(params: object) -> None:
    with pytest.raises(UserError, match=r"^here: params is not a table"):
        spaces.check(SPACE, params, where="here")  # type: ignore[arg-type]


@pytest.mark.parametrize("name", pipeline_names())
def test_what_a_search_finds_fits_its_pipeline_even_from_json(name: str) -> None:
    pipeline = load_pipeline(name)
    rng = np.random.default_rng(6)
    for params in (pipeline.defaults, *(spaces.draw(pipeline.space, rng) for _ in range(5))):
        spaces.check(pipeline.space, json.loads(json.dumps(params)), where="here")
