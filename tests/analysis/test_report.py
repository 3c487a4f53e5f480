"""The command: from a real store with one champion and one search to all files of the report."""

from __future__ import annotations

import base64
import io
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from mlflow.tracking import MlflowClient
from PIL import Image

from analysis import publish, report as report_command
from search.files import locations
from tests import commands
from tests.stores import prepare
from tests.unprivileged import unprivileged

IDS = (
    *("summary", "reasoning", "search", "reconstructions", "interpolation", "tsne"),
    *("structure", "mistakes", "sweeps", "reproduction"),
)


@pytest.fixture(scope="module")
def report(folder: Path) -> commands.Ended:
    return commands.run("analysis/report.py", "--data", "mini", "--points", "120", folder=folder)


@pytest.fixture(scope="module")
def page(folder: Path, report: commands.Ended) -> str:
    assert (report.status, report.err) == (0, "")
    return (folder / "report" / "index.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_it_says_what_it_made_and_what_is_missing(report: commands.Ended) -> None:
    assert (report.status, report.err) == (0, "")
    assert re.search(r"\d+ files in report/ after \d+ s: \d+ figures, \d+ tables", report.out)
    assert "Stand-in data" in report.out
    searched = "python search/tune.py --pipeline cifar_contrastive --data mini"
    assert f"cifar_contrastive is missing. Run: {searched}" in report.out
    final = "python search/rerun.py --pipeline mnist_supervised --data mini"
    assert "mnist_supervised is not final: drawn from its best trial. Run: " + final in report.out


@pytest.mark.slow
def test_every_section_is_there_and_every_picture_shows_something(page: str) -> None:
    sections = re.findall(r'<section[^>]* id="(\w+)"', page)
    assert [name for name in sections if name in IDS] == list(IDS)
    pictures = re.findall(r'src="data:image/(png|svg\+xml);base64,([^"]+)"', page)
    assert len(pictures) == page.count('src="data:image/') > 10
    for kind, picture in pictures:
        content = base64.b64decode(picture)
        if kind == "png":
            drawn = np.asarray(Image.open(io.BytesIO(content)).convert("L"))
            assert drawn.std() > 1, "one colour only"
        else:
            assert content.count(b"<path") + content.count(b"<image") > 5, "an empty canvas"


@pytest.mark.slow
def test_all_files_are_there(folder: Path, page: str) -> None:
    out = folder / "report"
    assert (out / "report.pdf").read_bytes().startswith(b"%PDF-")
    pngs, svgs = (sorted(f.stem for f in (out / "figures").glob(f"*.{k}")) for k in ("png", "svg"))
    csvs, texs = (sorted(f.stem for f in (out / "tables").glob(f"*.{k}")) for k in ("csv", "tex"))
    assert pngs == svgs and len(pngs) > 10
    assert csvs == texs and len(csvs) > 5
    assert {"sweep_interpolation", "sweep_interpolation_4_7"} <= set(pngs)
    assert "sweep_interpolation" in csvs
    assert all(file.stat().st_size > 20 for file in out.rglob("*") if file.is_file())


@pytest.mark.slow
def test_what_is_not_final_has_no_test_figures(folder: Path, page: str) -> None:
    text = (folder / "report" / "tables" / "champions.csv").read_text()
    [line] = [line for line in text.splitlines() if "supervised" in line]
    assert "not final" in line
    ledger = (folder / "mlruns" / "test_readings.jsonl").read_text().splitlines()
    purposes = {json.loads(line)["purpose"] for line in ledger}
    assert purposes and not any("supervised" in purpose for purpose in purposes)


@pytest.mark.slow
def test_the_same_again_draws_nothing_and_writes_the_same(folder: Path, page: str) -> None:
    out, kept = folder / "report", folder / "mlruns" / "analysis_cache"
    before = {file: file.stat().st_mtime_ns for file in kept.iterdir()}
    figures = {file: file.read_bytes() for file in (out / "figures").iterdir()}
    given = ("--data", "mini", "--points", "120", "--quiet")
    done = commands.run("analysis/report.py", *given, folder=folder)
    assert (done.status, done.out, done.err) == (0, "", "")
    assert {file: file.stat().st_mtime_ns for file in kept.iterdir()} == before
    assert {file: file.read_bytes() for file in (out / "figures").iterdir()} == figures
    assert (out / "index.html").read_text(encoding="utf-8") == page


COUNTED = """
<script>
addEventListener("load", async () => {
  await Promise.all([...document.images].filter(i => i.src).map(i => i.decode().catch(() => 0)));
  const all = [...document.querySelectorAll("figure img")];
  const told = [all.length, all.filter(i => !i.naturalWidth).length];
  document.documentElement.setAttribute("data-told", told.join(" "));
});
</script>
"""


@pytest.mark.slow
def test_alone_in_a_folder_a_browser_finds_nothing_missing(
    page: str, tmp_path: Path, browser: Callable[..., str]
) -> None:
    file = tmp_path / "alone" / "page.html"
    file.parent.mkdir()
    file.write_text(page.replace("</body>", f"{COUNTED}</body>"), encoding="utf-8")
    shown = browser(file, width=1400, patience=commands.TIMEOUT)
    told = re.search(r'data-told="(\d+) (\d+)"', shown)
    assert told
    pictures, broken = map(int, told.groups())
    assert (pictures, broken) == (page.count('src="data:image/'), 0)


# What cannot be -----------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_sweep_is_reported_without_any_search(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "mlruns", tmp_path / "mlruns")
    locations.correct(tmp_path / "mlruns" / "mlflow.db")
    client = MlflowClient(tracking_uri=f"sqlite:///{tmp_path / 'mlruns' / 'mlflow.db'}")
    for experiment in client.search_experiments():
        if not experiment.name.startswith(("sweep_", "Default")):
            client.delete_experiment(experiment.experiment_id)
    done = commands.run("analysis/report.py", "--data", "mini", "--formats", "csv", folder=tmp_path)
    assert (done.status, done.err) == (0, "")
    tables = [file.stem for file in (tmp_path / "report" / "tables").iterdir()]
    assert tables and all(name.startswith("sweep_") for name in tables)


def test_what_is_refused_leaves_no_folder(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert report_command.main([]) == 2
    what, how = capsys.readouterr().err.splitlines()
    assert "there is no MLflow store" in what and "python search/tune.py --pipeline" in how
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("command", [report_command.main, publish.main])
def test_a_store_that_may_only_be_read_is_told_before_the_work(
    command: Callable[[list[str]], int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(prepare(tmp_path))
    command(["--out", "before"])  # imports what nobody may read where Python is somebody's own
    capsys.readouterr()
    tmp_path.chmod(0o777)
    Path("mlruns").chmod(0o555)
    with unprivileged(tmp_path):
        assert command(["--out", "out"]) == 1
    said = capsys.readouterr().err.splitlines()
    assert said[0].endswith("mlruns: Permission denied") and "folder of your own" in said[1]
    assert not Path("out").exists()
