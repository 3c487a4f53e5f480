"""Why the pipelines are as they are, and what won in their searches."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from analysis import reasoning
from analysis.document import Bullets, Heading, Paragraph, Table
from analysis.reasoning.chapter import chosen
from analysis.reasoning.references import REFERENCES, cited_in, needed
from analysis.records import SIX, Findings, PipelineRecord
from search.spaces.pipeline import load_pipeline, pipeline_names
from tests.analysis.blocks import figures

ROOT = Path(__file__).resolve().parents[3]


def test_each_pipeline_has_its_prose_diagram_space_and_story(findings: Findings) -> None:
    section = reasoning.section(findings)
    assert section.id == "reasoning"
    tables = {block.name: block for block in section.blocks if isinstance(block, Table)}
    texts = [block.text for block in section.blocks if isinstance(block, Paragraph)]
    headings = [block.text for block in section.blocks if isinstance(block, Heading)]
    assert list(figures(section)) == [f"architecture_{name}" for name in SIX]
    for name, record in findings.records.items():
        assert " ".join(record.pipeline.reasoning.split()) in texts
        assert any(f"`{name}`" in heading for heading in headings)
        space = tables[f"space_{name}"]
        assert [row[0] for row in space.rows] == list(record.pipeline.space)
        changed = {space.rows[index][0] for index in space.bold}
        assert changed == {"width", *(["depth"] if name == "cifar_supervised" else [])}
    bullets = [item for b in section.blocks if isinstance(b, Bullets) for item in b.items]
    assert len([item for item in bullets if item.startswith("**Won:**")]) == 6


def test_how_sharply_it_won(findings: Findings) -> None:
    record = findings.records["mnist_autoencoder"]
    [study] = record.studies
    won, champion = chosen(record, study)
    assert "trial 5 with 98.50 % on validation images, +1.00 points against the second of 5" in won
    assert "more than the champion's standard deviation over seeds" in won
    assert champion.startswith("**Champion:** trial 5 of") and "another" not in champion
    best, second = study.complete[0], replace(study.complete[1], value=study.complete[0].value)
    won, champion = chosen(record, replace(study, trials=(best, second)))
    assert "no more than" in won and "may be chance" in won
    assert "another than the best of the search" in champion
    assert chosen(record, replace(study, trials=(best,)))[0].endswith("the only one.")


def test_goals_of_its_own_have_no_winner(findings: Findings) -> None:
    record = findings.records["mnist_autoencoder"]
    [study] = record.studies
    tags = {**study.tags, "goals": "valid/accuracy valid/mae:min"}
    won, champion = chosen(record, replace(study, tags=tags))
    assert "searched by `valid/accuracy` and `valid/mae:min`." in won
    assert champion.startswith("**Champion:** trial 5 of") and "another" not in champion


def test_not_final_without_complete_trials_and_without_a_study(
    findings: Findings,
    unfinished: Callable[[PipelineRecord], PipelineRecord],
    only: Callable[..., Findings],
) -> None:
    name = "cifar_contrastive"
    record = unfinished(findings.records[name])
    [study] = record.studies
    pruned = replace(study, trials=tuple(t for t in study.trials if t.state == "PRUNED"))
    for studies in ((study,), (pruned,), ()):
        changed = replace(record, studies=studies)
        section = reasoning.section(only(findings, name, **{name: changed}))
        [space] = [block for block in section.blocks if isinstance(block, Table)]
        assert space.columns[-1] == "best trial"
        bullets = [item for b in section.blocks if isinstance(b, Bullets) for item in b.items]
        assert any("nothing yet" in item for item in bullets) == (studies == (pruned,))
        assert not any(item.startswith("**Champion") for item in bullets)


# Literature -------------------------------------------------------------------------------------


def test_whatever_is_cited_is_in_the_list() -> None:
    """In the pipelines' prose and in what the sections' files say in brackets."""
    cited = set().union(*(cited_in(load_pipeline(n).reasoning) for n in pipeline_names()))
    for file in (ROOT / "analysis").rglob("*.py"):
        text = re.sub(r'"\s+f?"', "", file.read_text(encoding="utf-8"))  # joined strings
        cited |= set().union(*map(cited_in, re.findall(r"\([^()]*\d{4}\)", text)))
    assert cited - {reference.cited for reference in REFERENCES} == set()


def test_citations_are_found() -> None:
    text = """as in SimCLR (Chen et al., 2020) and Adam (Kingma and Ba, 2015; Loshchilov and
    Hutter, 2019), He et al. (2015), t-SNE (van der Maaten and Hinton, 2008), the year 1999"""
    assert cited_in(text) == {
        *("Chen et al., 2020", "Kingma and Ba, 2015", "Loshchilov and Hutter, 2019"),
        *("He et al., 2015", "van der Maaten and Hinton, 2008"),
    }


def test_a_reference_is_shown_where_it_is_needed() -> None:
    always = {reference.cited for reference in needed([])}
    assert {"Chen et al., 2020", "Akiba et al., 2019"} <= always
    assert "Khosla et al., 2020" not in always
    assert "Khosla et al., 2020" in {one.cited for one in needed(["SupCon, Khosla et al., 2020"])}


def test_references_are_well_formed() -> None:
    for reference in REFERENCES:
        assert re.fullmatch(r"https://[^\s()]+", reference.address), reference
        first = reference.authors.split(",")[0].split(". ")[-1]
        assert reference.cited.startswith(first.split()[-1]) or first in reference.cited, reference
    years = [reference.cited for reference in REFERENCES]
    assert len(set(years)) == len(years)
