"""The command, on a real store."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from analysis import publish
from analysis.build import STAND_IN
from analysis.publication import entries, publishing
from analysis.records import Findings
from search.cells.opening import open_folder
from search.champions import published_folder
from search.files import locations
from search.finals.candidates import read_config
from search.spaces.pipeline import load_pipeline
from tests import commands
from tests.analysis.blocks import Reader
from tests.analysis.publication.conftest import lower, with_rows

REPORT = ("--out", "out", "--report", "docs/report")


@pytest.mark.slow
def test_entries_networks_tables_and_the_report_of_them(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "mlruns", tmp_path / "mlruns")
    locations.correct(tmp_path / "mlruns" / "mlflow.db")
    out = tmp_path / "out"
    out.mkdir()
    marks = "<!-- results: {} -->\n<!-- results end -->\n"
    (out / "README.md").write_text("".join(map(marks.format, ("headline", "searches"))))
    given = ("--data", "mini", "--points", "60", "--out", "out", "--report", "out/report")
    done = commands.run("analysis/publish.py", *given, folder=tmp_path)
    assert (done.status, done.err) == (0, "")
    page = (out / "README.md").read_text()
    assert "| `mnist_autoencoder` | no | 3 |" in page and "| `mnist_supervised` | 2 |" in page
    assert page.count("Stand-in data") == 2
    assert len(list(out.glob("mnist_supervised/search-*.json"))) == 1
    champion_folder = published_folder("mnist_autoencoder", out)
    assert open_folder(champion_folder, "", mend="").model.decoder is not None
    given_again = read_config(
        str(champion_folder / "model.json"), "mnist_autoencoder", load_pipeline("mnist_autoencoder")
    )
    assert given_again.epochs == 1
    check_report(out / "report", tmp_path)
    before = {file: file.read_bytes() for file in out.rglob("*") if file.is_file()}
    assert commands.run("analysis/publish.py", *given, "--quiet", folder=tmp_path).status == 0
    assert {file: file.read_bytes() for file in out.rglob("*") if file.is_file()} == before
    check = ("analysis/publish.py", "--out", "out", "--check")
    assert commands.run(*check, folder=tmp_path).status == 0
    (out / "README.md").write_text(page.replace("| no | 3 |", "| no | 4 |"))
    stale = commands.run(*check, folder=tmp_path)
    assert stale.status == 1 and "not what out/ says: out/README.md" in stale.out
    (tmp_path / "mlruns").rename(tmp_path / "gone")
    alone = "--tables", "--report", "again", *given[:-2]
    mended = commands.run("analysis/publish.py", *alone, folder=tmp_path)
    assert (mended.status, mended.err) == (0, "")
    assert mended.out.endswith("\n1 file changed in out/ and the pages of its tables\n")
    assert (out / "README.md").read_text() == page
    for file in (tmp_path / "again").rglob("*.*"):
        if file.stem not in ("sweeps", "reproduction", "files", "report"):  # which tell of sweeps
            known = out / "report" / file.relative_to(tmp_path / "again")
            assert file.read_bytes() == known.read_bytes(), "as it was with the store"
    assert {"summary.md", "tsne.md"} <= {file.name for file in (tmp_path / "again").iterdir()}
    [final] = entries.read(out).finals["mnist_autoencoder"]
    model = {**final.result["model"], "cell": "another"}
    entries.keep(out, replace(final, result={**final.result, "model": model}))
    lost = commands.run("analysis/publish.py", *alone, folder=tmp_path)
    assert lost.status == 1 and "is not the network whose final numbers are published" in lost.err


def check_report(report: Path, store: Path) -> None:
    """See that the pages have all of it, that what they point to is there, and nothing beside."""
    assert (report / "report.pdf").read_bytes().startswith(b"%PDF")
    linked = set()
    for page in report.glob("*.md"):
        text = page.read_text()
        assert f"> {STAND_IN}" in text and str(store) not in text, page
        read = Reader(MarkdownIt("commonmark").enable("table").render(text))
        assert "**" not in read.words and "| ---" not in read.words and read.open == []
        for address in [*(a["href"] for a in read.all("a")), *(i["src"] for i in read.all("img"))]:
            if "://" not in str(address):
                linked.add((report / str(address)).resolve())
    assert [file for file in linked if not file.exists()] == []
    made = {file for file in report.rglob("*") if file.is_file()}
    assert made - linked == {report / "files.txt"}
    assert {"summary.md", "reasoning.md", "tsne.md", "sweeps.md"} <= {f.name for f in made}
    sweep = json.loads((report / "sweeps" / "interpolation.json").read_text())
    assert sweep["rows"]


def test_of_a_store_only_the_published_champions_count(
    findings: Findings, published_folder: Path
) -> None:
    def here() -> set[str]:
        published = entries.read(published_folder)
        return {record.name for record in publishing.published_here(findings, published)}

    assert here() == set(findings.records)
    [final] = entries.read(published_folder).finals["mnist_autoencoder"]
    better = lower(final.champion, -0.01)
    better["params"] = {**better["params"], "width": 99}
    entries.keep(published_folder, with_rows(final, better, run="of another store"))
    assert here() == set(findings.records) - {"mnist_autoencoder"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("limit", "said", "mend"),
    [
        ("LARGEST", r"report.pdf \d\.\d MB, 0\.0 at most", "draw fewer images: --points 30"),
        ("LARGEST_WEIGHTS", r"with those of mnist_autoencoder, 0\.0 at most", "--set width=16"),
    ],
)
def test_what_is_too_large_is_refused_and_leaves_the_earlier(
    limit: str,
    said: str,
    mend: str,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setattr(publishing, limit, 20_000)
    report = tmp_path / "report"
    report.mkdir()
    for name in ("README.md", "files.txt"):
        (report / name).write_text("README.md\n")
    given = ["--data", "mini", "--points", "60", "--out", str(tmp_path / "out"), "--quiet"]
    assert publish.main([*given, "--report", str(report)]) == 1
    what, how = capsys.readouterr().err.splitlines()
    assert re.search(said, what) and how.endswith(mend)
    assert {file.read_text() for file in report.iterdir()} == {"README.md\n"}


def test_a_page_of_somebody_else_is_refused_before_anything_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(publishing, "open_existing", lambda uri: pytest.fail("read"))
    (tmp_path / "README.md").write_text("mine")
    given = ["--data", "mini", "--out", str(tmp_path / "out"), "--report", str(tmp_path)]
    assert publish.main(given) == 2
    what, how = capsys.readouterr().err.splitlines()
    assert what == f"error: {tmp_path / 'README.md'}: not written by this command"
    assert how == "give another --report"
    (tmp_path / "files.txt").write_text("README.md\n")
    with pytest.raises(pytest.fail.Exception, match="read"):
        publish.main(given)


def test_stand_in_data_are_not_published(capsys: pytest.CaptureFixture[str]) -> None:
    for given, say in (((), "results/\ngive another --out"), (REPORT, "report/\ngive another")):
        assert publish.main(["--data", "mini", *given]) == 2
        assert f"error: stand-in data are not published in docs/{say}" in capsys.readouterr().err
