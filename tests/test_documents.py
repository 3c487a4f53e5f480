"""What the pages point to exists: links, headings, files, commands and their options."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from analysis import publish, report
from search import doctor, embed, rerun, studies, sweep, tune
from search.cli.arguments import Parser
from search.grids.sweep import sweep_names
from search.spaces import pipeline
from search.spaces.pipeline import pipeline_names

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted(
    file.relative_to(ROOT).as_posix()
    for pattern in ("*.md", "deploy/*.md", "docs/**/*.md")
    for file in ROOT.glob(pattern)
)
FOLDERS = ("analysis", "benchmarks", "deploy", "docs", "examples", "models", "search", "tests")
FOLDERS += ("trainers",)
KNOWN = {file.name for folder in FOLDERS for file in (ROOT / folder).rglob("*")}
KNOWN |= {file.name for file in ROOT.iterdir()}
MADE = {
    *("best.json", "final.json", "model.json", "results.json", "mine.py"),
    *("index.html", "report.pdf", "search.html"),
}
FILE = re.compile(r"[\w./*-]*\w\.(?:py|md|json|jsonl|toml|txt|yaml|sh|svg|png|ipynb|cff|html|pdf)")
PARSERS: dict[str, Callable[[], Parser]] = {
    "search/tune.py": tune.parser,
    "search/rerun.py": rerun.parser,
    "search/sweep.py": sweep.parser,
    "search/doctor.py": doctor.parser,
    "search/embed.py": embed.parser,
    "search/studies.py": studies.parser,
    "analysis/report.py": report.parser,
    "analysis/publish.py": publish.parser,
}
COMMAND = re.compile(r"(?:python |latent-search )((?:search/|analysis/)?\w+(?:\.py)?)((?: .*)?)$")


def tokens(page: str) -> list[Token]:
    """All of a page, those within lines too."""
    parsed = MarkdownIt("commonmark").enable("table").parse((ROOT / page).read_text("utf-8"))
    return [each for block in parsed for each in (block, *(block.children or []))]


def headings(page: Path) -> set[str]:
    """The addresses that GitHub gives to a page's headings."""
    lines = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", line.lower()).replace(" ", "-") for line in lines}


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page: str) -> None:
    links = [str(t.attrs[key]) for t in tokens(page) for key in ("href", "src") if key in t.attrs]
    for link in links:
        place, _, heading = link.partition("#")
        if "://" in link or link.startswith("mailto:"):
            continue
        target = (ROOT / page).parent / place if place else ROOT / page
        assert target.exists(), link
        assert not heading or heading in headings(target), link


@pytest.mark.parametrize("page", PAGES)
def test_every_file_that_is_named_exists(page: str) -> None:
    words = [w for t in tokens(page) if t.type == "code_inline" for w in t.content.split()]
    for word in words:
        known = [ROOT / word, (ROOT / page).parent / word]
        if word.split("/")[0] in FOLDERS and "/" in word and "<" not in word:
            assert any(file.exists() for file in known), word
        elif FILE.fullmatch(word) and "/" not in word and word not in MADE:
            assert word in KNOWN, word


def commands(page: str) -> Iterator[tuple[str, list[str]]]:
    """(script, words) of each command in a page's blocks and lines."""
    for token in tokens(page):
        if token.type not in ("fence", "code_inline"):
            continue
        for line in re.sub(r"\\\n\s*", "", token.content).split("\n"):
            for part in re.split(r" && |; ", line):
                found = COMMAND.search(part)
                if found and not re.search(r"\$|NAME|FILE|\|", part):
                    script = found[1]
                    if not script.endswith(".py"):
                        script = f"{'analysis' if script == 'report' else 'search'}/{script}.py"
                    yield script, shlex.split(found[2], comments=True)


ALL = [(page, *command) for page in PAGES for command in commands(page)]


def test_commands_are_found_in_every_kind_of_page() -> None:
    assert {"README.md", "CONTRIBUTING.md", "deploy/README.md", "docs/searching.md"} <= {
        page for page, _, _ in ALL
    }
    assert {script for _, script, _ in ALL} >= PARSERS.keys()


@pytest.mark.parametrize(("page", "script", "words"), ALL)
def test_every_command_has_options_that_exist(
    page: str, script: str, words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # some options look whether a file could be written
    monkeypatch.setattr(pipeline, "_adopted", {})
    for folder in ("examples", "mlruns/pipelines"):  # as after a first search
        (tmp_path / folder).mkdir(parents=True)
        shutil.copy(ROOT / "examples" / "my_pipeline.py", tmp_path / folder)
    if script not in PARSERS:
        assert (ROOT / script).exists()
    elif words != ["--help"] and "..." not in words:
        PARSERS[script]().parse_args(words)


def test_every_pipeline_and_every_sweep_is_described() -> None:
    for page, names in (("searching", pipeline_names()), ("sweeps", sweep_names())):
        rows = re.findall(r"^\| (`[^|]+) \|", (ROOT / f"docs/{page}.md").read_text("utf-8"), re.M)
        assert sorted(name for row in rows for name in re.findall(r"`(\w+)`", row)) == sorted(names)


def test_the_readme_is_short_and_its_two_commands_are_a_line_each() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    assert len(text.split()) <= 1300
    for name in ("main-job", "tests", "uv"):
        [line] = re.findall(rf"<!-- {name} -->\n```\n(.*?)\n```\n", text, re.DOTALL)
        assert "\n" not in line and line.count(" && ") == 2
