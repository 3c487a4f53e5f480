"""Commands that really run, and all that the runs say of how they were made."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from analysis import report, reproduction
from analysis.document import Bullets, Paragraph, Table
from analysis.records import Findings, PipelineRecord, main_study
from search import rerun, tune
from search.tracking.provenance import TWIN_OF

PARSERS = {
    "search/tune.py": tune.parser,
    "search/rerun.py": rerun.parser,
    "analysis/report.py": report.parser,
}


def parsed(command: str) -> Any:
    python, script, *words = shlex.split(command)
    assert python == "python"
    return PARSERS[script]().parse_args(words)


def test_every_command_is_one_that_the_programs_take(findings: Findings) -> None:
    section = reproduction.section(findings)
    [commands] = [block for block in section.blocks if isinstance(block, Bullets)]
    assert len(commands.items) == 13, "a search and a rerun for each of the six, and the report"
    for item in commands.items:
        assert parsed(item.strip("`")).data == "mini"


def test_a_searchs_command_says_what_its_run_says(findings: Findings) -> None:
    record = findings.records["cifar_contrastive"]
    search, final = map(parsed, reproduction.commands_of(record, findings))
    assert search.pipeline == final.pipeline == "cifar_contrastive"
    assert (search.study, search.trials, search.epochs) == (record.studies[0].name, 12, 9)
    assert (search.sampler, search.scheduler, search.seed) == ("tpe", "predictive", 0)
    assert search.train_size is None, "all images were used"
    assert (final.top, final.seeds, final.epochs) == (2, 3, None)


def test_a_random_search_is_made_by_the_call_that_makes_its_study(findings: Findings) -> None:
    record = findings.records["cifar_contrastive"]
    [study] = record.studies
    tags = {**study.tags, "study": f"{study.name}-random", "sampler": "random", TWIN_OF: study.name}
    twin = replace(study, name=f"{study.name}-random", tags=tags, trials=study.trials[:2])
    with_twin = replace(record, studies=(study, twin))
    both, _ = map(parsed, reproduction.commands_of(with_twin, findings))
    assert (both.study, both.baseline, both.trials) == (study.name, "random", 12)
    assert main_study(with_twin.studies) is study


def test_a_smaller_search_is_told(findings: Findings) -> None:
    record = findings.records["mnist_supervised"]
    [study] = record.studies
    smaller = replace(
        study, params={**study.params, "train_size": "100", "set": "width=16:32 lr=0.001:0.01"}
    )
    changed = replace(record, studies=(smaller,))
    search, _ = map(parsed, reproduction.commands_of(changed, findings))
    assert search.train_size == 100
    assert search.set == ["width=16:32", "lr=0.001:0.01"]


def test_a_rerun_is_called_as_it_was_but_for_what_lies_where(findings: Findings) -> None:
    record = findings.records["mnist_supervised"]
    called = "python search/rerun.py --pipeline mnist_supervised --data-dir '/my data' --epochs 30"
    called += " --set width=48 --json=/tmp/out.json --tracking-uri sqlite:////tmp/m.db --seed 7"
    [_, command] = reproduction.commands_of(replace(record, command=called), findings)
    plain = "python search/rerun.py --pipeline mnist_supervised --epochs 30 --set width=48 --seed 7"
    assert command == plain


def test_ids_versions_and_fingerprints_are_all_there(findings: Findings) -> None:
    section = reproduction.section(findings)
    [table] = [block for block in section.blocks if isinstance(block, Table)]
    cells = [str(cell) for row in table.rows for cell in row]
    for record in findings.records.values():
        assert {record.run_id, record.studies[0].run_id, record.data.fingerprint} <= set(cells)
        assert record.weights in table.caption
    assert {"bfloat16", "float32", "1409 7919 4243", "0123456789ab"} <= set(cells)
    assert "final numbers, models:/mnist_autoencoder-mini/1" in cells
    text = " ".join(block.text for block in section.blocks if isinstance(block, Paragraph))
    assert "read for 18 sets of weights" in text, "three seeds of six champions say so"
    assert "All runs were made with python 3.11.7, torch 2.13.0, ray 2.60.0" in text
    assert "In 6 of 6 studies several trials ran at a time" in text


def test_without_final_numbers(
    findings: Findings,
    unfinished: Callable[[PipelineRecord], PipelineRecord],
    only: Callable[..., Findings],
) -> None:
    name = "cifar_autoencoder"
    alone = only(findings, name, **{name: unfinished(findings.records[name])})
    section = reproduction.section(alone)
    [table] = [block for block in section.blocks if isinstance(block, Table)]
    assert [row[1] for row in table.rows] == [f"{name}-20251120-1200", "best trial, not final"]
    bullets = [item for b in section.blocks if isinstance(b, Bullets) for item in b.items]
    rerun_it = f"{name}: `python search/rerun.py --pipeline {name} --data mini`"
    assert rerun_it in bullets
    assert sum("tune.py" in item for item in bullets) == 1 + 5, "its own, and the missing ones"
