"""Two methods compared: the test, its correction, the verdict in words."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from search.cells.statistics import Estimate, holm
from search.finals.comparisons import (
    RIGHT,
    Comparison,
    compare_champion,
    correct,
    packed,
    unpacked,
    verdict,
)
from tests.search.cells.test_statistics import hits


def made_up(mean: float, p: float | None = 0.01) -> Comparison:
    around = {"low": mean - 0.01, "high": mean + 0.01}
    if p is None:
        around = dict.fromkeys(around)  # type: ignore[assignment]
    estimate = Estimate(mean=mean, n=1 if p is None else 3, **around)
    return Comparison(first="A", second="B", difference=estimate, p=p)


def test_the_correction_is_over_the_whole_family_measured_or_not() -> None:
    """One seed has no test, and yet the family stays as large as it was fixed."""
    given = [made_up(0.1, 0.01), made_up(0.1, None), made_up(0.1, 0.03)]
    corrected = correct(given, 4)
    first, last = holm([0.01, 0.03], family=4)
    assert [c.p_holm for c in corrected] == [first, None, last] == [0.04, None, 0.09]
    assert [replace(c, p_holm=None) for c in corrected] == given, "nothing else changes"
    assert correct([], 4) == []


def test_the_verdict_in_words() -> None:
    said = [
        verdict(correct([made_up(*given)], 1)[0])
        for given in ((0.02,), (-0.02,), (0.002, 0.2), (-0.04, None))
    ]
    shown = "by 2.00 points (95 % interval +1.00 to +3.00, 3 seeds, p 0.0100)"
    assert said == [
        f"A is better than B {shown}",
        f"B is better than A {shown}",
        "no difference shown between A and B: 0.20 points "
        "(95 % interval -0.80 to +1.20, 3 seeds, p 0.2000)",
        "B is ahead of A by 4.00 points; one seed says nothing of others",
    ]


def test_the_verdict_is_by_the_corrected_p_below_a_twentieth() -> None:
    """0.039 is shown alone and not among three; without a correction nothing is."""
    given = made_up(0.02, 0.039)
    assert "is better" in verdict(correct([given], 1)[0])
    for one in (correct([given] * 3, 3)[0], given, replace(given, p_holm=0.05)):
        assert verdict(one).startswith("no difference shown")
    assert verdict(given).endswith("p unknown)")


def test_what_was_right_is_kept_bit_by_bit() -> None:
    given = hits("10110010111 00000000001")
    assert np.array_equal(unpacked(packed(given)), given)


def test_only_what_was_measured_alike_and_is_another_is_compared() -> None:
    """The defaults are the champion here, and the autoencoder's numbers are of other data."""
    right = packed(hits("1100110011 1100110010"))

    def result(*rows: str, of: str = "data") -> dict[str, object]:
        made = [{"name": name, "cells": [name + of], RIGHT: right} for name in rows]
        return {"pipeline": "mnist_contrastive", "data_fingerprint": of, "rows": made}

    main = result("config 1", "ablation", "defaults", "random search")
    champion, _, defaults, drawn = main["rows"]  # type: ignore[misc]
    defaults["cells"], drawn[RIGHT] = champion["cells"], None
    opponents = {"mnist_autoencoder": result("config 1", of="others"), "mnist_supervised": None}
    found = compare_champion(main, opponents)
    assert [one.second for one in found.comparisons] == ["its ablation"]
    assert found.refused == ("mnist_autoencoder",)
    assert found.missing == ("its defaults", "random search", "mnist_supervised")
    champion[RIGHT] = None
    assert compare_champion(main, opponents).comparisons == ()
