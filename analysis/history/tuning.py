"""The gain of tuning: the tuned configuration against the defaults, on validation and on test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from analysis import result_rows
from analysis.document import Block, Bullets, Cell, Heading, Table, heads
from analysis.records import PipelineRecord, StudyRecord, TrialRecord, same
from analysis.sentences import points
from search.cells.metrics import TEST
from search.cells.statistics import Estimate
from search.finals.comparisons import DEFAULTS


@dataclass(frozen=True, kw_only=True)
class OnTest:
    """Defaults and champion on the test set, paired by seed.

    Attributes:
        defaults, champion: mean accuracies, in [0, 1].
        difference: champion - defaults over the seeds that both have.
        same: whether both are the same trainings.
    """

    defaults: float
    champion: float
    difference: Estimate
    same: bool


@dataclass(frozen=True, kw_only=True)
class Gain:
    """The gain of a pipeline's tuning.

    Attributes:
        default: `valid/accuracy` of the defaults in the search, None if it measured none.
        state: how the defaults' trial ended; None if the study did not try them.
        best: `valid/accuracy` of the best complete trial, None where there is none.
        test: on the test set, None where nothing is final.
    """

    default: float | None
    state: str | None
    best: float | None
    test: OnTest | None

    @property
    def on_validation(self) -> float | None:
        """best - default, None unless both were trained to the end."""
        if self.default is None or self.best is None or self.state != "COMPLETE":
            return None
        return self.best - self.default


def compute_gain(record: PipelineRecord, study: StudyRecord | None) -> Gain:
    """Compute it from a study's trials, and from the rerun's rows `defaults` and champion."""
    trials = study.trials if study else ()
    default = next((t for t in trials if _is_default(t, trials, record)), None)
    return Gain(
        default=default.value if default else None,
        state=default.state if default else None,
        best=study.complete[0].value if study and study.complete else None,
        test=_on_test(record),
    )


def _is_default(trial: TrialRecord, trials: Sequence[TrialRecord], record: PipelineRecord) -> bool:
    """Whether a trial had the defaults, except values that the search held fixed (`--set`)."""
    free = {
        name for name in trial.params if len({str(other.params.get(name)) for other in trials}) > 1
    }
    defaults = record.pipeline.defaults
    return bool(free) and all(same(trial.params[name], defaults.get(name)) for name in free)


def _on_test(record: PipelineRecord) -> OnTest | None:
    champion = result_rows.champion(record)
    defaults = result_rows.find(record, DEFAULTS)
    difference = result_rows.difference(champion, defaults)
    if champion is None or defaults is None or difference is None:
        return None
    return OnTest(
        defaults=result_rows.mean(defaults, TEST) or 0.0,
        champion=result_rows.mean(champion, TEST) or 0.0,
        difference=difference,
        same=defaults["cells"] == champion["cells"],
    )


def blocks(
    records: Sequence[PipelineRecord], studies: Mapping[str, StudyRecord | None]
) -> list[Block]:
    """A line a pipeline, and the table."""
    gains = {record.name: compute_gain(record, studies[record.name]) for record in records}
    return [
        Heading("What tuning brought"),
        Bullets(tuple(_told(name, gain) for name, gain in gains.items())),
        Table(
            name="tuning",
            title="Defaults against the tuned configuration",
            caption="Validation: the defaults, tried in the search (but for what it held fixed), "
            "against its best complete trial, one training each. Test: means of the reruns' rows "
            "`defaults` and champion over fresh seeds. Differences in points.",
            columns=heads(
                "pipeline | defaults, validation | best, validation | points | defaults, test "
                "| champion, test | points, test | seeds"
            ),
            rows=tuple(_row(name, gain) for name, gain in gains.items()),
        ),
    ]


def _row(name: str, gain: Gain) -> tuple[Cell, ...]:
    default: Cell = gain.default
    if gain.default is not None and gain.state != "COMPLETE":
        default = f"{gain.default:.4f} ({(gain.state or '').lower()})"
    gained = gain.on_validation
    shown = (name, default, gain.best, None if gained is None else points(gained))
    test = gain.test
    if test is None:
        return (*shown, None, None, None, None)
    difference = "the same" if test.same else points(test.difference.mean)
    return (*shown, test.defaults, test.champion, difference, test.difference.n)


def _told(name: str, gain: Gain) -> str:
    if gain.test:
        return _told_of_test(name, gain.test)
    if gain.best is None:
        return f"{name}: no complete trial to compare the defaults with."
    gained = gain.on_validation
    if gained is None:
        why = "were not tried" if gain.state is None else "did not complete"
        return f"{name}: the defaults {why} in this search."
    if gained <= 0:
        return f"{name}: no trial of the search beat the defaults (validation; not final)."
    return f"{name}: {points(gained)} points on validation images (one training each; not final)."


def _told_of_test(name: str, test: OnTest) -> str:
    if test.same:
        return f"{name}: the champion is the defaults, so tuning changed nothing."
    difference = test.difference
    text = (
        f"{name}: {points(difference.mean)} points on test images (defaults "
        f"{100 * test.defaults:.2f} %, champion {100 * test.champion:.2f} %"
    )
    if difference.low is None or difference.high is None:
        return text + "; one seed, so no interval)."
    interval = f"{points(difference.low)} to {points(difference.high)}"
    text += f"; {difference.n} seeds, 95 % interval {interval})"
    if difference.low > 0:
        return text + "."
    if difference.high < 0:
        return text + ": the search chose something worse than the defaults."
    return text + ": a difference is not shown."
