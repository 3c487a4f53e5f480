"""Two methods compared, the correction for many comparisons, and the words for the outcome."""

from __future__ import annotations

import dataclasses
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from search.cells.statistics import SIGNIFICANT, Estimate, difference, holm, p_text

METHOD, OTHERS = "contrastive", ("autoencoder", "supervised")
ABLATION, DEFAULTS, RANDOM_SEARCH = "ablation", "defaults", "random search"
# What a contrastive champion is compared with on its data set, fixed before anything is measured.
ITS_ABLATION = "its ablation"
OWN = {ITS_ABLATION: ABLATION, "its defaults": DEFAULTS, "random search": RANDOM_SEARCH}
FAMILY = len(OWN) + len(OTHERS)
RIGHT = "right"  # of a row in results.json: which test images each training classified rightly


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two methods on the same test images.

    Attributes:
        difference: of the test accuracies, first - second, for other seeds and images.
        p: two-sided; None from one seed.
        p_holm: corrected for the whole family of comparisons.
    """

    first: str
    second: str
    difference: Estimate
    p: float | None
    p_holm: float | None = None


@dataclass(frozen=True, kw_only=True)
class Compared:
    """The comparisons of a contrastive champion.

    Attributes:
        comparisons: Holm-corrected over the family.
        refused: pipelines whose numbers are of other data.
        missing: what was not measured by this protocol, or is the champion itself. It counts in
            the correction all the same.
    """

    comparisons: tuple[Comparison, ...]
    refused: tuple[str, ...]
    missing: tuple[str, ...]


def compare_champion(
    main: Mapping[str, Any], opponents: Mapping[str, Mapping[str, Any] | None]
) -> Compared:
    """Compare a contrastive champion with rows of its own and with its data set's others.

    Args:
        main: its results.json.
        opponents: the other pipelines' results.json, None where there is none.
    """
    champion = main["rows"][0]
    rows = {
        label: next((row for row in main["rows"] if row["name"] == name), None)
        for label, name in OWN.items()
    }
    rows |= {name: result and result["rows"][0] for name, result in opponents.items()}
    refused = tuple(n for n, one in opponents.items() if one and not comparable(main, one))
    found = {
        label: row[RIGHT]
        for label, row in rows.items()
        if row and row.get(RIGHT) and row["cells"] != champion["cells"] and label not in refused
    }
    if not champion.get(RIGHT):
        found = {}
    compared = [
        compare(main["pipeline"], label, hits=(unpacked(champion[RIGHT]), unpacked(right)))
        for label, right in found.items()
    ]
    return Compared(
        comparisons=tuple(correct(compared, FAMILY)),
        refused=refused,
        missing=tuple(label for label in rows if label not in {*found, *refused}),
    )


def comparable(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two results.json of one protocol were measured on the same data."""
    return bool(one["data_fingerprint"] == other["data_fingerprint"])


def packed(hits: np.ndarray) -> dict[str, Any]:
    """(seeds, images) bool -> JSON, a bit an image."""
    bits = [b64encode(row.tobytes()).decode() for row in np.packbits(hits, axis=1)]
    return {"images": hits.shape[1], "bits": bits}


def unpacked(right: Mapping[str, Any]) -> np.ndarray:
    """What `packed` was given."""
    rows = np.stack([np.frombuffer(b64decode(bits), dtype=np.uint8) for bits in right["bits"]])
    return np.unpackbits(rows, axis=1, count=right["images"]).astype(bool)


def compare(first: str, second: str, *, hits: tuple[np.ndarray, np.ndarray]) -> Comparison:
    """Compare two methods.

    Args:
        hits: (seeds, images) bool for each, whether a test image was classified rightly.

    Raises:
        ValueError: the hits are of different images, or there are none.
    """
    estimated, p = difference(*hits)
    return Comparison(first=first, second=second, difference=estimated, p=p)


def correct(comparisons: Sequence[Comparison], family: int) -> list[Comparison]:
    """The same with Holm's correction for a family of so many, some of which may be missing."""
    tested = [i for i, c in enumerate(comparisons) if c.p is not None]
    adjusted = holm([comparisons[i].p or 0.0 for i in tested], family)
    by_index = dict(zip(tested, adjusted, strict=True))
    return [dataclasses.replace(one, p_holm=by_index.get(i)) for i, one in enumerate(comparisons)]


def comparisons_json(comparisons: Sequence[Comparison]) -> list[dict[str, Any]]:
    """The comparisons with their sentences."""
    return [{**dataclasses.asdict(c), "verdict": verdict(c)} for c in comparisons]


def verdict(comparison: Comparison) -> str:
    """One sentence, computed from the corrected test."""
    c = comparison
    ahead, behind = (c.first, c.second) if c.difference.mean >= 0 else (c.second, c.first)
    points = f"{100 * abs(c.difference.mean):.2f} points"
    if c.difference.low is None or c.difference.high is None:
        return f"{ahead} is ahead of {behind} by {points}; one seed says nothing of others"
    ends = (c.difference.low, c.difference.high)
    low, high = ends if c.difference.mean >= 0 else (-ends[1], -ends[0])
    test = (
        f"95 % interval {100 * low:+.2f} to {100 * high:+.2f}, {c.difference.n} seeds, "
        f"p {p_text(c.p_holm)}"
    )
    if c.p_holm is not None and c.p_holm < SIGNIFICANT:
        return f"{ahead} is better than {behind} by {points} ({test})"
    return f"no difference shown between {c.first} and {c.second}: {points} ({test})"
