"""The published part of a search and of final numbers, as plain JSON: a file each.

`<pipeline>/search-<study>.json` and `<pipeline>/final-<run>.json`.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from analysis.document import heads
from analysis.records import PipelineRecord, StudyRecord, every_pipeline, same
from analysis.reproduction import COMMIT, VERSIONS, rerun_command, search_command
from analysis.result_rows import DEFAULTS
from search.cells.metrics import TEST
from search.errors import UserError
from search.files import durable
from search.finals import best_rerun
from search.spaces.goals import GOALS, LIMITS
from search.spaces.pipeline import METRIC, load_pipeline
from trainers.protocol import VERSION, version_of

Json = dict[str, Any]
# An entry keeps these of a row at its top; `record` is all that a report is drawn from.
ROW = heads(
    "name | kind | uses_labels | note | promised | epochs | params | seeds | metrics | means"
)


@dataclass(frozen=True, kw_only=True)
class Published:
    """All entries of a folder.

    Attributes:
        searches, finals: by pipeline, in the order of their file names.
        earlier: pipelines whose final numbers were left out, for an earlier protocol measured them.
    """

    searches: Mapping[str, tuple[Json, ...]]
    finals: Mapping[str, tuple[Json, ...]]
    earlier: tuple[str, ...] = ()

    @property
    def protocol(self) -> int:
        """The newest version that final numbers were measured by."""
        return max((version_of(e) for some in self.finals.values() for e in some), default=VERSION)

    def of_one_protocol(self) -> Published:
        """Only what was measured by the newest version."""
        finals = _filtered(self.finals, lambda e: version_of(e) == self.protocol)
        return Published(
            searches=_filtered(self.searches, lambda e: version_of(e) == self.protocol),
            finals=finals,
            earlier=tuple(name for name in in_order(self.finals) if name not in finals),
        )

    @property
    def mini(self) -> bool:
        """Whether any of it was measured on stand-in data."""
        every = (*self.searches.values(), *self.finals.values())
        return any(entry["data"] == "mini" for entries in every for entry in entries)

    def champion(self, pipeline: str, *, depth: int | None = None) -> Json | None:
        """The final numbers that are best by validation, of encoders with `depth` layers.

        Several seeds go before a single one, as in `best_rerun`, and a newer protocol
        before both.
        """
        newest: dict[str, Json] = {}  # of equal configurations
        for entry in sorted(self.finals.get(pipeline, ()), key=_age):
            row = champion(entry)
            if depth in (None, row["params"].get("depth")):
                newest[json.dumps([row["params"], row["epochs"]], sort_keys=True)] = entry
        return max(newest.values(), key=standing, default=None)

    def champions(self) -> dict[str, Json]:
        """The final numbers of each pipeline that was tested, the six first, then the variants."""
        every = {name: self.champion(name) for name in in_order(self.finals)}
        return {n: e for n, e in every.items() if e and TEST in champion(e)["metrics"]}

    def rows(self, pipeline: str, *, depth: int | None = None) -> list[tuple[Json, Json]]:
        """The trainings that the test set was read for, champions and defaults, best first.

        Each as (the entry that it is in, its row).
        """
        pairs = [
            (entry, row)
            for entry in self.finals.get(pipeline, ())
            for row in (champion(entry), row_of(entry, DEFAULTS))
            if row and TEST in row["metrics"] and depth in (None, row["params"].get("depth"))
        ]
        return sorted(pairs, key=lambda pair: standing(*pair), reverse=True)

    def configuration(self, pipeline: str, *, depth: int | None = None) -> Json | None:
        """The champion's, good for `rerun.py --config`; where there is none, of the best trial.

        A trial's numbers are those that MLflow holds, which are rounded to six digits. If a
        rerun trained the champion from a file of this kind, its source is the trial that it equals.
        With `depth` the untuned defaults of so many layers compete too, as in the table of depths.
        """
        entry = self.champion(pipeline, depth=depth)
        row = champion(entry) if entry else None
        if depth is not None:
            row = next((one for _, one in self.rows(pipeline, depth=depth)), row)
        if row:
            params, epochs, source = row["params"], row["epochs"], self._origin(pipeline, row)
        else:
            trials = [
                (search, trial)
                for search in self.searches.get(pipeline, ())
                if not (search.get("twin_of") or search.get(GOALS))
                for trial in search["trials"]
                if trial["state"] == "COMPLETE" and trial.get("feasible", True)
                if depth in (None, trial["params"].get("depth"))
            ]
            if not trials:
                return None
            search, trial = max(trials, key=lambda pair: last_accuracy(pair[1]))
            params, epochs, source = trial["params"], search["epochs"], _named(trial, search)
        return {"pipeline": pipeline, "params": params, "epochs": epochs, "source": source}

    def _origin(self, pipeline: str, row: Json) -> str:
        """The trial that a row equals, the defaults, else what its rerun was given."""
        params = row["params"]
        for search in self.searches.get(pipeline, ()):
            for trial in search["trials"]:  # which need not know parameters that came later
                if all(same(value, params.get(n)) for n, value in trial["params"].items()):
                    return _named(trial, search)
        if row["name"] == DEFAULTS or params == load_pipeline(pipeline).defaults:
            return DEFAULTS
        return next(str(e["source"]) for e in self.finals[pipeline] if row in e["rows"])


def _filtered(
    entries: Mapping[str, tuple[Json, ...]], wanted: Callable[[Json], bool]
) -> dict[str, tuple[Json, ...]]:
    kept = {name: tuple(filter(wanted, some)) for name, some in entries.items()}
    return {name: some for name, some in kept.items() if some}


def _age(final: Json) -> tuple[str, int]:
    """Orders final numbers, the latest last.

    `made` is when the first seed was trained, which a rerun with more seeds does not train again.
    """
    return str(final["made"]), len(champion(final)["seeds"])


def _named(trial: Json, search: Json) -> str:
    return f"trial {trial['number']} of {search['study']}"


def in_order(names: Mapping[str, object]) -> list[str]:
    """The six first, then the variants."""
    return [name for name in every_pipeline() if name in names]


def champion(entry: Json) -> Json:
    """The row of the champion."""
    return entry["rows"][0]


def last_accuracy(trial: Json) -> float:
    """A trial's validation accuracy when it was measured last."""
    measured: dict[str, float] = trial["accuracies"]
    return measured[max(measured, key=int)]


def row_of(entry: Json, name: str) -> Json | None:
    """The row of that name, None where there is none."""
    return next((row for row in entry["rows"] if row["name"] == name), None)


def standing(entry: Json, row: Json | None = None) -> tuple[int, tuple[bool, float]]:
    """Ranks entries by their champions, or by another of their rows, as `best_rerun` ranks them.

    A newer protocol goes before an older one.
    """
    return version_of(entry), best_rerun.standing(row or champion(entry), METRIC)


def seconds(entry: Json) -> float:
    """Seconds of one training of the champion, with its measurements: the mean over seeds."""
    metrics = champion(entry)["metrics"]
    return fmean(metrics["time/train_seconds"]) + fmean(metrics["time/evaluation_seconds"])


def search_entry(record: PipelineRecord, study: StudyRecord) -> Json:
    """A search: how it was called, where it ran, every trial with its curve."""
    best = study.complete[0] if study.complete else None
    return {
        "pipeline": record.name,
        "data": record.data.source,
        "study": study.name,
        "twin_of": study.twin_of,
        **{tag: study.tags[tag] for tag in (GOALS, LIMITS) if tag in study.tags},
        "command": search_command(record, study),
        "epochs": study.epochs,
        "rungs": list(study.rungs),
        "seconds": study.seconds,
        "data_fingerprint": study.tags.get("data_fingerprint"),
        "protocol": int(study.tags.get("protocol", 1)),
        **{
            name: study.params.get(name)
            for name in ("train_size", "set", "device", "precision", "threads", "concurrency")
        },
        **{name: study.tags.get(name) for name in ("sampler", "scheduler", "seed", "machine")},
        "versions": {name: study.tags.get(name) for name in VERSIONS},
        "commit": study.tags.get(COMMIT),
        "best": None if best is None else {"number": best.number, "value": best.value},
        "trials": [
            {
                "number": trial.number,
                "state": trial.state,
                **({} if trial.feasible else {"feasible": False}),
                "epochs": len(trial.loss),
                "seconds": round(trial.seconds, 1),
                "params": dict(trial.params),
                "accuracies": {str(epoch): value for epoch, value in sorted(trial.curve.items())},
            }
            for trial in study.trials
        ],
        "record": dataclasses.asdict(replace(study, tags=_plain(study.tags))),
    }


def _plain(tags: Mapping[str, str]) -> dict[str, str]:
    """Without MLflow's own, which name users and hold tables for its pages; but for the commit."""
    return {n: tag for n, tag in tags.items() if not n.startswith("mlflow.") or n == COMMIT}


def final_entry(record: PipelineRecord) -> Json:
    """Final numbers: rows by seed, how they were made and where."""
    result, info = record.result, record.info
    assert result is not None, f"{record.name} is not final"
    return {
        "pipeline": record.name,
        "data": record.data.source,
        "run": record.run_id,
        "command": rerun_command(record, result),
        **{name: result[name] for name in ("epochs", "source", "train_size", "data_fingerprint")},
        "protocol": version_of(result),
        "readings": result.get("readings", {}),
        **{
            name: info.get(name)
            for name in ("made", "machine", "device", "precision", "threads", "concurrency")
        },
        "versions": {name: info.get("versions", {}).get(name) for name in VERSIONS},
        "commit": info.get("commit"),
        "rows": [{name: row.get(name) for name in ROW} for row in result["rows"]],
        "comparisons": [one["verdict"] for one in result.get("comparisons", ())],
        "record": {"result": result, "info": info},
    }


def keep(folder: Path, entry: Json) -> Path:
    """Write an entry where `read` finds it; returns its file."""
    named = f"search-{entry['study']}" if "study" in entry else f"final-{entry['run'][:12]}"
    return write_json(folder / entry["pipeline"] / f"{named}.json", entry)


def write_json(path: Path, content: Json) -> Path:
    """Write it indented, whole or not at all; returns its file."""
    text = json.dumps(content, indent=1, ensure_ascii=False)
    return durable.write(path, f"{text}\n".encode())


def read(folder: Path) -> Published:
    """All entries below a folder.

    Raises:
        UserError: a file does not hold an entry.
    """
    return Published(searches=_by_pipeline(folder, "search"), finals=_by_pipeline(folder, "final"))


def _by_pipeline(folder: Path, kind: str) -> dict[str, tuple[Json, ...]]:
    lists: dict[str, list[Json]] = {}
    for file in sorted(folder.glob(f"*/{kind}-*.json")):
        try:
            entry = json.loads(file.read_text(encoding="utf-8"))
            lists.setdefault(entry["pipeline"], []).append(entry)
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise UserError(
                f"cannot read {file}: {type(error).__name__}\nbring it back: git checkout -- {file}"
            ) from None
    return {name: tuple(entries) for name, entries in lists.items()}
