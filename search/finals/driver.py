"""A rerun from its plan to its last line: puts the parts together."""

from __future__ import annotations

import json
import shlex
from argparse import Namespace
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO

import torch
from rich.console import Console

from search import cluster, tracking
from search.errors import FAILED, INTERRUPTED, UserError
from search.finals import baselines, table
from search.finals.across import ABLATION, compare_datasets
from search.finals.cells import Cell, Shelf
from search.finals.comparisons import Comparison
from search.finals.measurement import LEDGER, TestSet
from search.finals.plan import FinalPlan, NothingToRerun, open_store, settle
from search.finals.records import Records
from search.finals.results import Result, Row, RowKind, comparisons_json
from search.finals.training import train_cells
from search.home import HOME, check_disk
from search.pipeline import Params, pipeline_names
from search.ray_run import StopOnSignal
from search.resources import cpu_count
from search.tracking_address import without_secrets
from trainers.data import DataError

DEFAULTS, RANDOM, PCA, PIXELS = "defaults", "random encoder", "PCA", "raw pixels"
NOTES = {
    RANDOM: "the champion's architecture, never trained",
    PCA: "128 principal components",
    PIXELS: "the classifier sees pixels: outside the six",
}
RECONSTRUCTED = "the champion's encoder and views, trained to reconstruct only"


class Interrupted(Exception):
    """A signal asked to stop; what is done is kept."""


def run(options: Namespace) -> int:
    """Make the final numbers as the options say; returns the exit status."""
    everything = options.pipeline == "all"
    names = pipeline_names() if everything else [options.pipeline]
    store = open_store(options)
    home = HOME.absolute()
    check_disk(home)
    console = Console(highlight=False, quiet=options.quiet)
    results: list[Result] = []
    skipped: dict[str, str] = {}
    failed = locked = False
    with ExitStack() as held, StopOnSignal() as stop:
        try:
            for name in names:
                try:
                    plan = settle(options, name, store)
                    if not locked:  # not before all is known to be right: it makes a folder
                        held.enter_context(Shelf(home / "finals").locked())
                        locked = True
                    result = _rerun(plan, store, stop, console)
                except NothingToRerun as error:
                    if not everything:
                        raise
                    skipped[name] = str(error).splitlines()[0]
                    console.print(f"{skipped[name]}: skipped", style="yellow", markup=False)
                    continue
                except (UserError, DataError) as error:
                    if not everything:
                        raise
                    failed = True
                    console.print(f"{name}: {error}", style="red", markup=False)
                    continue
                results.append(result)
                table.show(console, plan, result)
        except Interrupted:
            again = shlex.join(["python", "search/rerun.py", *options.arguments])
            console.print(
                f"interrupted; what is trained is kept. To go on: {without_secrets(again)}",
                markup=False,
                soft_wrap=True,
            )
            return INTERRUPTED
        if not results and not failed:
            raise UserError(
                "no pipeline has a finished study\n"
                "search first: python search/tune.py --pipeline cifar_contrastive",
                status=FAILED,
            )
        compared = compare_datasets(store, results, home, lambda line: _warn(console, line))
        table.show_comparisons(console, compared)
    if options.json:
        _write_json(Path(options.json), results, skipped, compared)
    table.conclude(console, results, store)
    return FAILED if failed else 0


def _rerun(plan: FinalPlan, store: tracking.Store, stop: StopOnSignal, console: Console) -> Result:
    table.announce(console, plan)
    records = Records(plan, store)
    log_file = plan.home / "finals" / f"{plan.experiment}.log"
    try:
        with cluster.output_to(log_file) as screen:
            return _Rerun(plan, records, stop, screen).result()
    except BaseException as error:
        records.end("KILLED" if isinstance(error, Interrupted | KeyboardInterrupt) else "FAILED")
        raise


class _Rerun:
    """The steps for one pipeline, in their order: train, choose, then open the test set."""

    def __init__(
        self, plan: FinalPlan, records: Records, stop: StopOnSignal, screen: IO[str]
    ) -> None:
        self._plan = plan
        self._records = records
        self._stop = stop
        self._screen = screen
        self._shelf = Shelf(plan.home / "finals")
        self._failures: dict[Cell, str] = {}

    def result(self) -> Result:
        """Everything about the pipeline."""
        plan = self._plan
        self._train("final trainings", plan.final_cells())
        finals = self._final_rows()
        if not finals:
            reason = next(iter(self._failures.values()), "unknown")
            raise UserError(
                f"no configuration of {plan.name} could be trained with every seed: {reason}\n"
                "choose others with --trial, --study or a larger --top",
                status=FAILED,
            )
        best = max(finals, key=lambda index: _mean(finals[index], plan.pipeline.metric))
        chosen = plan.candidates[best]
        others = self._other_rows(chosen.params, plan.budgets[best])
        champion, ran_up = finals[best], [row for i, row in finals.items() if i != best]

        # Nothing is chosen any more: only now is the test set opened.
        self._read_test([champion, *others])
        run_ids = self._record(champion, {"champion": "true"})
        for row in ran_up:
            self._record(row, {"champion": "false"})
        for row in others:
            named = row.name.replace(" ", "_").lower()
            self._record(row, {} if row.kind == "ablation" else {"baseline": named})
        result = Result(
            pipeline=plan.name,
            experiment=plan.experiment,
            experiment_id=self._records.experiment_id,
            run_id=self._records.run_id,
            source_of_data=plan.data.source,
            fingerprint=plan.data.fingerprint,
            train_size=len(plan.data.train),
            classes=plan.data.classes,
            rows=(champion, *ran_up, *others),
            metric=plan.pipeline.metric,
            promised=chosen.promised,
            source=chosen.source,
            settings=plan.settings,
            failures={f"{c.kind} seed {c.seed}": why for c, why in self._failures.items()},
            model=self._records.register(champion, run_ids),
        )
        self._records.conclude(result)
        _export(plan, result)
        return result

    def _train(self, what: str, cells: Sequence[Cell]) -> None:
        plan = self._plan
        self._failures |= train_cells(
            cells,
            shelf=self._shelf,
            title=f"{plan.experiment}: {what}",
            data=plan.data,
            resources=plan.resources,
            address=plan.address,
            home=plan.home,
            screen=self._screen,
            quiet=plan.quiet,
            stop=self._stop,
        )
        self._go_on()

    def _go_on(self) -> None:
        if self._stop.event.is_set():
            raise Interrupted

    def _row(
        self,
        name: str,
        kind: RowKind,
        cells: Sequence[Cell],
        note: str,
        promised: float | None = None,
    ) -> Row | None:
        """The row of these cells; None where one of them could not be trained."""
        found = [self._shelf.find(cell) for cell in cells]
        kept = tuple(one for one in found if one is not None)
        if len(kept) < len(cells):
            return None
        trained = cells[0].kind == "trained"
        return Row(
            name=name,
            kind=kind,
            kept=kept,
            uses_labels=trained and self._plan.pipeline.uses_labels,
            note=note,
            promised=promised,
        )

    def _final_rows(self) -> dict[int, Row]:
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
                self._record(row, {})
        return rows

    def _other_rows(self, params: Params, epochs: int) -> list[Row]:
        """The ablation and the baselines of a champion with `params`, at its budget."""
        plan = self._plan
        champion = plan.cells("trained", params, epochs)
        defaults: list[Cell] = []
        ablation: list[Cell] = []
        if DEFAULTS not in plan.without:
            defaults = plan.cells("trained", plan.pipeline.defaults, epochs)
        if plan.pipeline.ablation and ABLATION not in plan.without:
            ablation = plan.cells("ablation", params, epochs)
        untrained = {
            RANDOM: plan.cells("random_encoder", params),
            PCA: plan.cells("pca"),
            PIXELS: plan.cells("pixels"),
        }
        named = {DEFAULTS: defaults, ABLATION: ablation}
        self._train(" and ".join(n for n, cells in named.items() if cells), [*defaults, *ablation])
        baselines.make_missing(
            [cell for cells in untrained.values() for cell in cells],
            shelf=self._shelf,
            data=plan.data,
            resources=plan.resources,
            screen=self._screen,
            quiet=plan.quiet,
            go_on=self._go_on,
        )
        rows = []
        if ablation:
            rows.append(self._row(ABLATION, "ablation", ablation, RECONSTRUCTED))
        if defaults:
            and_champion = ", and the champion itself" * (defaults == champion)
            rows.append(self._row(DEFAULTS, "baseline", defaults, "untuned" + and_champion))
        for name, cells in untrained.items():
            rows.append(self._row(name, "baseline", cells, NOTES[name]))
        return [row for row in rows if row]

    def _read_test(self, rows: Sequence[Row]) -> None:
        plan = self._plan
        unread = [(row, kept) for row in rows for kept in row.kept if not kept.tested]
        if not unread:
            return
        say = Console(file=self._screen, highlight=False, quiet=plan.quiet)
        torch.set_num_threads(cpu_count())
        test = TestSet(
            plan.data.dataset,
            data_dir=plan.data_dir,
            mini=plan.mini,
            ledger=plan.home / LEDGER,
            device=plan.resources.device,
        )
        for row, kept in unread:
            self._go_on()
            if kept.tested:
                continue  # by a row before: the defaults may be the champion
            purpose = f"{plan.experiment} rerun {plan.id}: {row.name}"
            count = test.read(kept, purpose=purpose)["reading"]["reading"]
            if count > 1:
                say.print(f"{row.name}, cell {kept.cell.id}: reading {count} of the test set")

    def _record(self, row: Row, tags: Mapping[str, str]) -> dict[str, str]:
        return {
            kept.cell.id: self._records.record(
                kept, row.kind, row.name, tags, uses_labels=row.uses_labels
            )
            for kept in row.kept
        }


def _warn(console: Console, line: str) -> None:
    console.print(line, style="yellow", markup=False, soft_wrap=True)


def _mean(row: Row, metric: str) -> float:
    found = row.estimate(metric)
    assert found is not None
    return found.mean


def _export(plan: FinalPlan, result: Result) -> None:
    """`best.json` on this disk, good for `--config`."""
    folder = plan.home / "champions"
    folder.mkdir(exist_ok=True)
    cell = result.champion.kept[0].cell
    best = {"pipeline": plan.name, "params": dict(cell.params), "epochs": cell.epochs}
    partial = folder / f".{plan.experiment}.json"
    partial.write_text(json.dumps({**best, "source": result.source}, indent=2) + "\n")
    partial.replace(folder / f"{plan.experiment}.json")


def _write_json(
    path: Path,
    results: Sequence[Result],
    skipped: Mapping[str, str],
    compared: Mapping[str, Sequence[Comparison]],
) -> None:
    whole = {
        "pipelines": {result.pipeline: result.to_json() for result in results},
        "skipped": dict(skipped),
        "comparisons": {name: comparisons_json(made) for name, made in compared.items()},
    }
    partial = path.with_name(f".{path.name}.part")
    partial.write_text(json.dumps(whole, indent=1) + "\n")
    partial.replace(path)
