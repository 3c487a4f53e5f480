"""The published part of a search and of final numbers: all that a report is drawn from, as JSON.

`<pipeline>/search-<study>.json` and `<pipeline>/final-<run>.json`; what is drawn from a champion's
weights finds them in `<pipeline>/champion/`.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any, Self, TypeVar

from pydantic import TypeAdapter, ValidationError

from analysis.records import PipelineRecord, StudyRecord, every_pipeline
from analysis.reproduction import COMMIT, rerun_command, search_command
from search.cells.metrics import TEST
from search.errors import UserError
from search.files import durable
from search.finals import best_rerun
from search.finals.comparisons import (
    DEFAULTS,
    METHOD,
    OTHERS,
    compare_champion,
    comparisons_json,
)
from search.spaces.pipeline import METRIC
from trainers.protocol import VERSION, version_of

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What a search and final numbers have in common.

    Attributes:
        pipeline: that it is of.
        data: `real`, `mini` (stand-ins), or the name of a user's own images.
        command: that repeats it.
    """

    pipeline: str
    data: str
    command: str


@dataclass(frozen=True, kw_only=True)
class Search(Entry):
    """A study as MLflow holds it, without MLflow's own tags."""

    study: StudyRecord

    @classmethod
    def of(cls, record: PipelineRecord, study: StudyRecord) -> Self:
        """A study of a store."""
        # MLflow's own tags name users and hold tables for its pages; but for the commit.
        plain = {n: t for n, t in study.tags.items() if not n.startswith("mlflow.") or n == COMMIT}
        return cls(
            pipeline=record.name,
            data=record.data.label,
            command=search_command(record, study),
            study=replace(study, tags=plain),
        )

    @property
    def protocol(self) -> int:
        """Version that its numbers were measured by."""
        return int(self.study.tags.get("protocol", 1))

    @property
    def file(self) -> str:
        """Name of its file."""
        return f"search-{self.study.name}.json"


@dataclass(frozen=True, kw_only=True)
class Final(Entry):
    """Final numbers.

    Attributes:
        run: of the rerun.
        result: its results.json: rows by seed, comparisons, readings, ...
        info: its champion's model.json: how and where that was made.
    """

    run: str
    result: Json
    info: Json

    @classmethod
    def of(cls, record: PipelineRecord) -> Self:
        """A rerun of a store."""
        assert record.result is not None, f"{record.name} is not final"
        return cls(
            pipeline=record.name,
            data=record.data.label,
            command=rerun_command(record.command),
            run=record.run_id,
            result=dict(record.result),
            info=dict(record.info),
        )

    @property
    def champion(self) -> Json:
        """The row of the champion."""
        row: Json = self.result["rows"][0]
        return row

    @property
    def protocol(self) -> int:
        """Version that its numbers were measured by."""
        return version_of(self.result)

    @property
    def seconds(self) -> float:
        """Of one training of the champion, with its measurements: the mean over seeds."""
        metrics = self.champion["metrics"]
        return fmean(metrics["time/train_seconds"]) + fmean(metrics["time/evaluation_seconds"])

    @property
    def file(self) -> str:
        """Name of its file."""
        return f"final-{self.run[:12]}.json"

    def row(self, name: str) -> Json | None:
        """The row of that name, None where there is none."""
        return next((row for row in self.result["rows"] if row["name"] == name), None)

    def standing(self, row: Json | None = None) -> tuple[int, tuple[bool, float]]:
        """Ranks final numbers by their champions, or by another row, as `best_rerun` ranks them.

        A newer protocol goes before an older one.
        """
        return self.protocol, best_rerun.standing(row or self.champion, METRIC)

    def age(self) -> tuple[str, int]:
        """Orders final numbers, the latest last.

        `made` is when the first seed was trained, which a rerun with more seeds does not train
        again.
        """
        return str(self.info["made"]), len(self.champion["seeds"])


E = TypeVar("E", Search, Final)


@dataclass(frozen=True, kw_only=True)
class Published:
    """All entries of a folder.

    Attributes:
        searches, finals: by pipeline, in the order of their file names.
        earlier: pipelines whose final numbers were left out, for an earlier protocol measured them.
    """

    searches: Mapping[str, tuple[Search, ...]]
    finals: Mapping[str, tuple[Final, ...]]
    earlier: tuple[str, ...] = ()

    @property
    def protocol(self) -> int:
        """The newest version that final numbers were measured by."""
        return max((one.protocol for some in self.finals.values() for one in some), default=VERSION)

    def of_one_protocol(self) -> Published:
        """Only what was measured by the newest version."""
        finals = _measured_by(self.protocol, self.finals)
        return Published(
            searches=_measured_by(self.protocol, self.searches),
            finals=finals,
            earlier=tuple(name for name in in_order(self.finals) if name not in finals),
        )

    @property
    def mini(self) -> bool:
        """Whether any of it was measured on stand-in data."""
        every = (*self.searches.values(), *self.finals.values())
        return any(entry.data == "mini" for entries in every for entry in entries)

    def champion(self, pipeline: str) -> Final | None:
        """The final numbers that are best by validation.

        Several seeds go before a single one, as in `best_rerun`, and a newer protocol
        before both.
        """
        newest: dict[str, Final] = {}  # of equal configurations
        for final in sorted(self.finals.get(pipeline, ()), key=Final.age):
            row = final.champion
            newest[json.dumps([row["params"], row["epochs"]], sort_keys=True)] = final
        return max(newest.values(), key=Final.standing, default=None)

    def champions(self) -> dict[str, Final]:
        """The final numbers of each pipeline that was tested, the six first, then the variants."""
        every = {name: self.champion(name) for name in in_order(self.finals)}
        return {n: one for n, one in every.items() if one and TEST in one.champion["metrics"]}

    def comparisons(self, final: Final) -> list[Json]:
        """Of a contrastive champion, with the champions of today, whichever store they are from."""
        dataset, _, method = final.pipeline.partition("_")
        if method != METHOD:
            return []
        champions = {name: self.champion(name) for name in (f"{dataset}_{o}" for o in OTHERS)}
        opponents = {name: one.result if one else None for name, one in champions.items()}
        return comparisons_json(compare_champion(final.result, opponents).comparisons)

    def rows(self, pipeline: str, *, depth: int | None = None) -> list[Json]:
        """The trainings that the test set was read for, champions and defaults, best first."""
        pairs = [
            (final, row)
            for final in self.finals.get(pipeline, ())
            for row in (final.champion, final.row(DEFAULTS))
            if row and TEST in row["metrics"] and depth in (None, row["params"].get("depth"))
        ]
        pairs.sort(key=lambda pair: pair[0].standing(pair[1]), reverse=True)
        return [row for _, row in pairs]


def _measured_by(version: int, entries: Mapping[str, tuple[E, ...]]) -> dict[str, tuple[E, ...]]:
    kept = {n: tuple(e for e in some if e.protocol == version) for n, some in entries.items()}
    return {name: some for name, some in kept.items() if some}


def in_order(names: Mapping[str, object]) -> list[str]:
    """The six first, then the variants."""
    return [name for name in every_pipeline() if name in names]


def keep(folder: Path, entry: Search | Final) -> Path:
    """Write an entry where `read` finds it, whole or not at all; returns its file."""
    text = json.dumps(dataclasses.asdict(entry), indent=1, ensure_ascii=False)
    return durable.write(folder / entry.pipeline / entry.file, f"{text}\n".encode())


def read(folder: Path) -> Published:
    """All entries below a folder.

    Raises:
        UserError: a file does not hold an entry.
    """
    return Published(
        searches=_by_pipeline(folder, "search", Search), finals=_by_pipeline(folder, "final", Final)
    )


def _by_pipeline(folder: Path, named: str, kind: type[E]) -> dict[str, tuple[E, ...]]:
    lists: dict[str, list[E]] = {}
    for file in sorted(folder.glob(f"*/{named}-*.json")):
        try:
            entry = TypeAdapter(kind).validate_json(file.read_bytes())
        except ValidationError as error:
            raise UserError(
                f"cannot read {file}: {error.errors()[0]['msg']}\n"
                f"bring it back: git checkout -- {file}"
            ) from None
        lists.setdefault(entry.pipeline, []).append(entry)
    return {name: tuple(entries) for name, entries in lists.items()}
