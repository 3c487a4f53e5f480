"""What an earlier search found, for one that starts from it: `--from STUDY`.

Two searches may differ in data, budget and goal, so that their values do not compare. A new search
learns the order of the earlier one's trials, by whatever these were compared there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import FrozenTrial, TrialState, create_trial

from search.errors import UserError
from search.files.home import PUBLISHED
from search.spaces.pipeline import Scalar, nearest
from search.spaces.space import Space
from search.study import study as studies
from search.study.samplers import MOST, rank
from search.study.storage import RDBStorage, load_study, study_names

STATES = ("COMPLETE", "PRUNED")  # of trials that have a place in an order


@dataclass(frozen=True, kw_only=True)
class Known:
    """The order of an earlier search's trials.

    Attributes:
        source: the study.
        configurations: those that lie in the new space, the best first; at most `MOST`.
        left_out: how many lie outside.
    """

    source: str
    configurations: Sequence[Mapping[str, Scalar]]
    left_out: int

    @classmethod
    def of(cls, study: optuna.Study) -> Known | None:
        """What the study was started from, if it was."""
        kept = study.user_attrs.get(studies.KNOWN)
        return cls(**kept) if kept else None

    def trials(self, space: Space) -> list[FrozenTrial]:
        """The same as trials, for a sampler."""
        return [
            create_trial(params=dict(params), distributions=dict(space), value=-float(place))
            for place, params in enumerate(self.configurations)
        ]

    def describe(self) -> str:
        """A sentence for the screen."""
        count = len(self.configurations)
        text = f"starts from {self.source}: the order of {count} of its trials is known"
        outside = "lies" if self.left_out == 1 else "lie"
        return text + (f", {self.left_out} {outside} outside this space" if self.left_out else "")


def find(name: str, storage: RDBStorage | None, space: Space) -> Known:
    """What the study `name`, of this folder or published, knows of `space`.

    Raises:
        UserError: there is no such study, or nothing in it that a search in `space` could use.
    """
    published = {
        file.stem.removeprefix("search-"): file for file in PUBLISHED.glob("*/search-*.json")
    }
    here = study_names(storage) if storage else []
    if storage and name in here:
        study = load_study(storage, name)
        if len(study.directions) > 1:
            raise UserError(f"--from {name}: it has two goals, so that its trials have no order")
        minimise = study.direction is optuna.study.StudyDirection.MINIMIZE
        ended = [t for t in studies.trained(study) if t.state.name in STATES]
        found = [(t, t.params) for t in ended]
    elif name in published:
        minimise = False
        listed = json.loads(published[name].read_text(encoding="utf-8"))["study"]["trials"]
        found = [(_frozen(t), t["params"]) for t in listed if t["state"] in STATES]
    else:
        hint = nearest(name, [*here, *published])
        raise UserError(f"--from {name}: there is no such study{hint}")
    found.sort(key=lambda pair: rank(pair[0], 1 if minimise else -1))
    inside = [{n: params[n] for n in space} for _, params in found if _lies_in(space, params)]
    if not inside:
        raise UserError(f"--from {name}: none of its {len(found)} trials lies in this space")
    return Known(source=name, configurations=inside[:MOST], left_out=len(found) - len(inside))


def _frozen(listed: Mapping[str, Any]) -> FrozenTrial:
    """A published trial, as far as its rank follows from it."""
    return create_trial(
        state=TrialState[listed["state"]],
        value=listed["value"] if listed["state"] == "COMPLETE" else None,
        intermediate_values={int(epoch): value for epoch, value in listed["curve"].items()},
    )


def _lies_in(space: Space, params: Mapping[str, Any]) -> bool:
    return all(name in params and _contains(space[name], params[name]) for name in space)


def _contains(distribution: BaseDistribution, value: Any) -> bool:
    if isinstance(distribution, CategoricalDistribution):
        return value in distribution.choices
    assert isinstance(distribution, IntDistribution | FloatDistribution)
    if isinstance(value, str) or not distribution.low <= value <= distribution.high:
        return False
    return distribution.step is None or (value - distribution.low) % distribution.step == 0
