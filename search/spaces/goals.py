"""What a search is after: one or two goals to reach, and limits that a trial has to keep."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from search.errors import UserError
from search.spaces.pipeline import Params, Pipeline

PARAMETERS = "model/parameters"  # the one metric that is known before a trial is trained
AT_THE_END = (
    "memory/peak_gib",
    PARAMETERS,
    *(f"time/{part}_seconds" for part in ("classifier", "epoch", "evaluation", "knn", "linear")),
    *("time/images_per_second", "train/loss", "train/lr"),
    *(f"train/{name}accuracy" for name in ("", "knn_", "linear_")),
    *(f"valid/{name}accuracy" for name in ("", "knn_", "linear_")),
    "valid/rankme",
)
OF_LABELS = ("accuracy", "classifier_seconds", "knn_seconds", "linear_seconds")
# A scheduler can compare these. The last two are measured where there are no labels.
AT_RUNGS = (
    *("train/loss", "valid/accuracy", "valid/elbo", "valid/kl"),
    *("valid/rankme", "valid/neg_mae", "valid/view_information"),
)

# Tags in MLflow.
FEASIBLE = "feasible"  # of a complete trial of a limited study: whether it keeps all limits
FRONT = "front"  # of a trial of a two-goal study: whether no other trial is better in both
GOALS = "goals"  # of a study with other goals than the pipeline's, and of its trials
LIMITS = "limits"


@dataclass(frozen=True)
class Limit:
    """`metric <= bound` or `metric >= bound`, at a trial's end."""

    metric: str
    operator: str
    bound: float

    @classmethod
    def parse(cls, text: str) -> Limit:
        """The limit that `valid/mae<=0.05` names.

        Raises:
            ValueError: the text has no operator, no metric or no finite number; says which.
        """
        match = re.fullmatch(r"([^<>=]*)(<=|>=)([^<>=]*)", text)
        if not match:
            raise ValueError("expected METRIC<=NUMBER or METRIC>=NUMBER")
        metric, operator, number = (part.strip() for part in match.groups())
        try:
            bound = float(number)
        except ValueError:
            raise ValueError(f"{number!r} is not a number") from None
        if not math.isfinite(bound):
            raise ValueError(f"{number} is not finite")
        return cls(metric, operator, bound)

    def __str__(self) -> str:
        return f"{self.metric}{self.operator}{repr(self.bound).removesuffix('.0')}"

    @property
    def key(self) -> str:
        """The metric in MLflow that says by how much: `over/valid/mae`, `under/valid/accuracy`."""
        return f"{'over' if self.operator == '<=' else 'under'}/{self.metric}"

    def violation(self, value: float) -> float:
        """How far `value` is beyond the bound, as a share of the bound; 0 or less keeps it.

        Samplers add up the violations of several limits, so that these must not have units.
        """
        beyond = value - self.bound if self.operator == "<=" else self.bound - value
        return beyond / (abs(self.bound) or 1.0)

    def amount(self, violation: float) -> float:
        """A violation in the metric's own unit."""
        return violation * (abs(self.bound) or 1.0)

    def beyond(self, violation: float) -> str:
        """`0.26 over`, `1,200 under`."""
        amount = self.amount(violation)
        text = f"{amount:,.0f}" if amount >= 1000 else f"{amount:.4g}"
        return f"{text} {self.key.partition('/')[0]}"

    def describe(self, violation: float) -> str:
        """`valid/mae is 0.26 over 0.05`."""
        _, bound = str(self).split(self.operator)
        return f"{self.metric} is {self.beyond(violation)} {bound}"


@dataclass(frozen=True)
class Goal:
    """A metric to maximise, or to minimise, at a trial's end."""

    metric: str
    minimise: bool = False

    @classmethod
    def parse(cls, text: str) -> Goal:
        """The goal that `valid/accuracy` or `valid/mae:min` names."""
        metric, _, direction = text.strip().partition(":")
        if direction not in ("", "min") or text.strip().endswith(":"):
            raise ValueError(f"{direction!r} is not a direction; expected METRIC or METRIC:min")
        return cls(metric, direction == "min")

    def __str__(self) -> str:
        return self.metric + ":min" * self.minimise

    @property
    def direction(self) -> Literal["minimize", "maximize"]:
        """Optuna's word."""
        return "minimize" if self.minimise else "maximize"

    def better(self, value: float, than: float) -> bool:
        """Whether one value is nearer to the goal than another."""
        return value < than if self.minimise else value > than


@dataclass(frozen=True)
class Aims:
    """One or two goals, and limits in the order of their texts, which are unique."""

    goals: tuple[Goal, ...]
    limits: tuple[Limit, ...] = ()

    @classmethod
    def of(cls, metric: str) -> Aims:
        """Maximise one metric."""
        return cls((Goal(metric),))

    @property
    def metric(self) -> str:
        """The metric of the first goal."""
        return self.goals[0].metric

    @property
    def several(self) -> bool:
        """Whether there are two goals, which have a front and no best trial."""
        return len(self.goals) > 1

    @property
    def rung_metric(self) -> str | None:
        """The metric by which a scheduler can compare trials, None if there is none."""
        return self.metric if not self.several and self.metric in AT_RUNGS else None

    @property
    def needed(self) -> list[str]:
        """The metrics that must be finite numbers at a trial's end."""
        goals = [goal.metric for goal in self.goals]
        return list(dict.fromkeys([*goals, *(limit.metric for limit in self.limits)]))

    def violations(self, metrics: Mapping[str, float]) -> dict[str, float]:
        """The limits on these metrics -> by what share of the bound each is exceeded."""
        return {
            str(limit): limit.violation(metrics[limit.metric])
            for limit in self.limits
            if limit.metric in metrics
        }

    def to_json(self, metric: str) -> dict[str, list[str]]:
        """What differs from the aim to maximise this metric, for a study's identity."""
        aims = {GOALS: list(map(str, self.goals)), LIMITS: list(map(str, self.limits))}
        usual = {GOALS: [metric], LIMITS: []}
        return {name: texts for name, texts in aims.items() if texts != usual[name]}

    @classmethod
    def from_json(cls, identity: Mapping[str, Any], metric: str) -> Aims:
        """The aims of the study with this identity; `metric` is what its pipeline maximises."""
        goals = tuple(map(Goal.parse, identity.get(GOALS, [metric])))
        return cls(goals, tuple(map(Limit.parse, identity.get(LIMITS, []))))


def known_before(pipeline: Pipeline, params: Params) -> dict[str, float]:
    """The metrics of a configuration that are known before it is trained."""
    import torch

    from models import parameter_count

    with torch.device("meta"):  # shapes without numbers
        return {PARAMETERS: float(parameter_count(pipeline.method(params)))}


def metric_names(pipeline: Pipeline) -> list[str]:
    """The metrics that the pipeline's trials log at their end."""
    import torch

    with torch.device("meta"):
        method = pipeline.method(pipeline.defaults)
    names = [*AT_THE_END, *["valid/mae"] * (method.decoder is not None)]
    names += ["valid/elbo", "valid/kl"] if hasattr(method.encoder, "distribution") else []
    if not pipeline.spec.classes:
        names = [name for name in names if not name.endswith(OF_LABELS)]
        names += ["valid/view_information", *["valid/neg_mae"] * (method.decoder is not None)]
    return sorted(names)


def parse_aims(pipeline: Pipeline, objectives: Sequence[str], limits: Sequence[str]) -> Aims:
    """The aims that `--objective` and `--limit` name.

    Raises:
        UserError: one that cannot be parsed, an unknown metric, or two that contradict each other.
    """
    if not (objectives or limits):
        return Aims.of(pipeline.metric)
    names = metric_names(pipeline)

    def parse(kind: type[Goal | Limit], option: str, texts: Sequence[str]) -> list[Any]:
        aims: dict[str, Goal | Limit] = {}
        for text in texts:
            try:
                aim = kind.parse(text)
                if aim.metric not in names:
                    raise ValueError("the pipeline's trials log no such metric")
                same = aim.key if isinstance(aim, Limit) else aim.metric
                if same in aims:
                    raise ValueError(f"{aim.metric} was named before, in {aims[same]}")
            except ValueError as error:
                shown = text if len(text) <= 60 else f"{text[:60]}..."
                known = ", ".join(names)
                raise UserError(f"{option} {shown}: {error}\nthere are: {known}") from None
            aims[same] = aim
        return list(aims.values())

    goals = parse(Goal, "--objective", objectives) or [Goal(pipeline.metric)]
    if len(goals) > 2:
        raise UserError(
            f"--objective: {len(goals)} goals were given\n"
            "name one or two, and make limits of the others: --limit METRIC<=NUMBER"
        )
    return Aims(tuple(goals), tuple(sorted(parse(Limit, "--limit", limits), key=str)))


def feasible(violations: Mapping[str, float]) -> bool:
    """Whether all limits are kept."""
    return all(violation <= 0 for violation in violations.values())


def describe(violations: Mapping[str, float]) -> str:
    """The limits that are not kept, and by how much."""
    return ", ".join(
        Limit.parse(text).describe(violation)
        for text, violation in violations.items()
        if violation > 0
    )
