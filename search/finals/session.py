"""The rerun of one pipeline from its plan to its result: this module connects the parts."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from typing import IO, Any

from rich.console import Console

from search.cells.cell import Cell
from search.cells.heldout import LEDGER, count_readings
from search.cells.session import CellSession, closing
from search.cells.store import CellStore
from search.cli import output
from search.cli.signals import StopOnSignal
from search.errors import Failure
from search.files import durable
from search.finals.candidates import Candidate
from search.finals.comparisons import ABLATION, DEFAULTS, RANDOM_SEARCH
from search.finals.plan import FinalPlan
from search.finals.records import Records
from search.finals.results import Result, ResultRow, RowKind
from search.finals.screen import announce
from search.spaces.pipeline import Params
from search.tracking.store import Store

RANDOM, PCA, PIXELS = "random encoder", "PCA", "raw pixels"
TRAINED = ABLATION, DEFAULTS, RANDOM_SEARCH
NOTES = {
    RANDOM: "the champion's architecture, never trained",
    PCA: "128 principal components",
    PIXELS: "the classifier sees pixels: outside the six",
}
ERROR = "valid/mae"
RECONSTRUCTED = "the champion's encoder and views, trained to reconstruct only"
# The ablation has another loss, to which the champion's learning rate need not fit: it is chosen
# among these multiples by validation, in trainings of a third of the epochs with one seed.
RATES = (0.1, 0.3, 1.0, 3.0)
SHARE = 3


def rerun(plan: FinalPlan, store: Store, stop: StopOnSignal, console: Console) -> Result:
    """Train, choose and test as planned."""
    announce(console, plan)
    records = Records(plan, store)
    log_file = plan.home / "finals" / f"{plan.experiment}.log"
    with closing(records), output.output_to(log_file) as screen:
        return _Rerun(plan, records, stop, screen).result()


class _Rerun:
    """The steps for one pipeline, in their order: train, choose, then open the test set."""

    def __init__(
        self, plan: FinalPlan, records: Records, stop: StopOnSignal, screen: IO[str]
    ) -> None:
        self._plan = plan
        self._records = records
        say = output.console(screen, quiet=plan.quiet)
        self._warn = functools.partial(output.warn, say)
        self._cell_store = CellStore(plan.home / "finals", say=self._warn)
        self._session = CellSession(plan, self._cell_store, stop, screen)

    def result(self) -> Result:
        """Everything about the pipeline."""
        plan = self._plan
        cells = plan.final_cells()
        if len(plan.candidates) == 1:  # what is trained beside it need not wait for a choice
            cells += self._known_beside(plan.candidates[0], plan.budgets[0])
        self._session.train(cells, "final trainings", plan.data)
        trained = self._final_rows()
        if not trained:
            failures, own = self._session.failures, plan.final_cells()
            reason = next((why for cell, why in failures.items() if cell in own), "unknown")
            raise Failure(
                f"no configuration of {plan.name} could be trained with every seed: {reason}\n"
                "choose others with --trial, --study or a larger --top"
            )
        finals = self._reconstructing(trained)
        best = max(finals, key=lambda index: _mean(finals[index], plan.pipeline.metric))
        chosen = plan.candidates[best]
        others = self._other_rows(chosen, plan.budgets[best])
        champion, ran_up = trained[best], [row for i, row in trained.items() if i != best]

        # Nothing is chosen any more: only now is the test set opened.
        self._read_test([champion, *others])
        run_ids = self._records.record(champion, {"champion": "true"})
        for row in ran_up:
            self._records.record(row, {"champion": "false"})
        for row in others:
            named = row.name.replace(" ", "_").lower()
            self._records.record(row, {} if row.kind == "ablation" else {"baseline": named})
        result = Result(
            pipeline=plan.name,
            experiment=plan.experiment,
            experiment_id=self._records.experiment_id,
            run_id=self._records.run_id,
            data=plan.data,
            rows=(champion, *ran_up, *others),
            metric=plan.pipeline.metric,
            promised=chosen.promised,
            source=chosen.source,
            settings=plan.settings,
            failures={f"{c.kind} seed {c.seed}": why for c, why in self._session.failures.items()},
            model=self._records.register(champion, run_ids),
            readings=count_readings(plan.home / LEDGER, plan.experiment),
        )
        for line in self._records.restored:
            self._warn(f"restored in MLflow: {line}")
        self._records.conclude(result)
        _export(plan, result)
        return result

    def _row(
        self,
        name: str,
        kind: RowKind,
        cells: Sequence[Cell],
        note: str,
        promised: float | None = None,
    ) -> ResultRow | None:
        """The row of these cells; None without any, or where one could not be trained."""
        kept = tuple(self._cell_store.found(cells))
        if not kept or len(kept) < len(cells):
            return None
        trained = cells[0].kind == "trained"
        return ResultRow(
            name=name,
            kind=kind,
            kept=kept,
            uses_labels=trained and self._plan.pipeline.uses_labels,
            note=note,
            promised=promised,
        )

    def _final_rows(self) -> dict[int, ResultRow]:
        """The candidates that were trained with every seed; recorded at once, untested."""
        rows = {}
        for index, candidate in enumerate(self._plan.candidates):
            row = self._row(
                f"config {index + 1}",
                "final",
                self._plan.candidate_cells(index),
                candidate.source,
                candidate.promised,
            )
            if row:
                rows[index] = row
                self._records.record(row, {})
        return rows

    def _reconstructing(self, finals: dict[int, ResultRow]) -> dict[int, ResultRow]:
        """Those that may be the champion; told of the others."""
        plan = self._plan
        if plan.mini or not plan.pipeline.reconstructs:
            return finals
        self._session.make_baselines(plan.cells("pca"), plan.data)
        pca = self._row(PCA, "baseline", plan.cells("pca"), NOTES[PCA])
        assert pca is not None
        errors = {row.name: _mean(row, ERROR) for row in finals.values()}
        own = plan.data.source == "own"  # a user's few images are soon learned by heart by PCA
        kept = set(errors) if own else as_good_as_pca(plan.name, errors, _mean(pca, ERROR))
        for name, error in errors.items():
            if name not in kept or (own and error > _mean(pca, ERROR)):
                told = f"{name}: its {ERROR} is {error:.4f}, PCA's {_mean(pca, ERROR):.4f}"
                self._warn(told if own else f"{told}, so it is no champion")
        return {index: row for index, row in finals.items() if row.name in kept}

    def _known_beside(self, chosen: Candidate, epochs: int) -> list[Cell]:
        rows = self._rows_beside(chosen, epochs).values()
        cells = [cell for row in rows for cell in row]
        return [*cells, *self._rate_cells(chosen.params, epochs).values()]

    def _rows_beside(self, chosen: Candidate, epochs: int) -> dict[str, list[Cell]]:
        """What is trained beside a champion and follows from no measurement."""
        plan, found = self._plan, self._plan.random_search.get(chosen.study or "")
        rows = {}
        if DEFAULTS not in plan.without:
            rows[DEFAULTS] = plan.cells("trained", plan.pipeline.defaults, epochs)
        if found:
            rows[RANDOM_SEARCH] = plan.cells("trained", found.params, epochs)
        return rows

    def _other_rows(self, chosen: Candidate, epochs: int) -> list[ResultRow]:
        """The ablation and the baselines of a champion, at its budget."""
        plan, params = self._plan, chosen.params
        beside = self._rows_beside(chosen, epochs)
        reconstructed, found = "", plan.random_search.get(chosen.study or "")
        if plan.pipeline.ablation and ABLATION not in plan.without:
            rate, reconstructed = self._ablations_rate(params, epochs)
            beside[ABLATION] = plan.cells("ablation", {**params, "lr": rate}, epochs)
        untrained = {
            RANDOM: plan.cells("random_encoder", params),
            PCA: plan.cells("pca"),
            PIXELS: plan.cells("pixels"),
        }
        trained = [cell for cells in beside.values() for cell in cells]
        self._session.train(trained, " and ".join(beside), plan.data)
        every = [cell for cells in untrained.values() for cell in cells]
        self._session.make_baselines(every, plan.data)
        ablation, defaults, drawn = (beside.get(row, []) for row in TRAINED)
        champion = plan.cells("trained", params, epochs)
        and_champion = ", and the champion itself" * (defaults == champion)
        equal = f"{found.source}, in equal time" if found else ""
        promised = found.promised if found else None
        rows = [
            self._row(ABLATION, "ablation", ablation, reconstructed),
            self._row(DEFAULTS, "baseline", defaults, "untuned" + and_champion),
            self._row(RANDOM_SEARCH, "baseline", drawn, equal, promised),
            *(self._row(name, "baseline", own, NOTES[name]) for name, own in untrained.items()),
        ]
        return [row for row in rows if row]

    def _rate_cells(self, params: Params, epochs: int) -> dict[float, Cell]:
        """Learning rate -> a short training of the ablation with it; empty without an ablation."""
        plan, cells = self._plan, dict[float, Cell]()
        if plan.pipeline.ablation and ABLATION not in plan.without:
            bounds: Any = plan.pipeline.space["lr"]
            for multiple in RATES:
                rate = min(max(multiple * params["lr"], bounds.low), bounds.high)
                changed = {**params, "lr": rate}
                [cells[rate], *_] = plan.cells("ablation", changed, max(1, epochs // SHARE))
        return cells

    def _ablations_rate(self, params: Params, epochs: int) -> tuple[float, str]:
        """(The ablation's learning rate, a note on how it was chosen)."""
        plan, cells, short = self._plan, self._rate_cells(params, epochs), max(1, epochs // SHARE)
        self._session.train(list(cells.values()), "the ablation's learning rate", plan.data)
        metric = plan.pipeline.metric
        kept = {rate: self._cell_store.find(cell) for rate, cell in cells.items()}
        reached = {rate: one.metrics[metric] for rate, one in kept.items() if one is not None}
        best = max(reached, key=reached.__getitem__, default=float(params["lr"]))
        note = (
            f"{RECONSTRUCTED}; learning rate {best:.3g}, the best of {len(reached)} on validation "
        )
        return best, f"{note}images after {short} epoch{'s' * (short > 1)}"

    def _read_test(self, rows: Sequence[ResultRow]) -> None:
        plan = self._plan
        named = [
            (kept, f"{plan.experiment} rerun {plan.id}: {row.name}")
            for row in rows
            for kept in row.kept
        ]
        for kept, count in self._session.read_test(plan.data, named):
            if count > 1:
                text = f"cell {kept.cell.id}: reading {count} of the test set"
                self._session.console.print(text)


def as_good_as_pca(pipeline: str, errors: Mapping[str, float], pca: float) -> set[str]:
    """The configurations whose pictures are no worse than PCA's of as many numbers.

    Args:
        errors: configuration -> its mean absolute error on validation images.

    Raises:
        UserError: none of them.
    """
    kept = {name for name, error in errors.items() if error <= pca}
    if not kept:
        named = ", ".join(f"{name} {error:.4f}" for name, error in errors.items())
        raise Failure(
            f"{pipeline} has no champion: PCA's {ERROR} is {pca:.4f}, the configurations' {named}\n"
            f"give more --epochs, a larger --top, or search with --limit '{ERROR}<={pca:.4f}'"
        )
    return kept


def _mean(row: ResultRow, metric: str) -> float:
    estimate = row.estimate(metric)
    assert estimate is not None
    return estimate.mean


def _export(plan: FinalPlan, result: Result) -> None:
    """`best.json` on this disk, good for `--config`."""
    file = plan.home / "champions" / f"{plan.experiment}.json"
    durable.write(file, json.dumps({**result.best, "source": result.source}, indent=2) + "\n")
