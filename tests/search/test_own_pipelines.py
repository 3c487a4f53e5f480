"""A user's own pipeline, by the commands themselves: its text travels, its file is needed once."""

from __future__ import annotations

import importlib
import json
import shutil
import signal
import sys
from contextlib import chdir
from pathlib import Path

import pytest
import torch

from search import champions
from search.errors import UserError
from search.spaces import pipeline as pipelines
from search.spaces.contract import violations
from search.spaces.pipeline import adopt, load_pipeline, pipeline_names, source_of
from tests import commands

EXAMPLE = commands.ROOT / "examples" / "my_pipeline.py"
TEXT = EXAMPLE.read_text(encoding="utf-8").replace('dataset=""', 'dataset="cifar"')


@pytest.mark.slow
def test_it_is_searched_killed_resumed_replayed_and_measured_without_its_file(
    tmp_path: Path,
) -> None:
    def tune(*words: str) -> commands.Ended:
        how = ("--data", "mini", "--train-size", "256", "--study", "own", "--epochs", "4")
        small = ("--set", "width=16", "--set", "batch_size=128", "--scheduler", "none")
        return commands.run("search/tune.py", *words, *how, *small, folder=tmp_path)

    file = tmp_path / "vicreg.py"
    file.write_text(TEXT)
    checked = commands.run("search/tune.py", "--pipeline", str(file), "--check", folder=tmp_path)
    assert checked.status == 0 and checked.out.count("kept") == 7 and "broken" not in checked.out
    words = ("search/tune.py", "--pipeline", "vicreg.py", "--data", "mini", "--train-size", "256")
    how = ("--study", "own", "--epochs", "4", "--trials", "3", "--scheduler", "none")
    small = ("--set", "width=16", "--set", "batch_size=128")
    killed = commands.start(*words, *how, *small, folder=tmp_path, own_group=True)
    commands.wait_for(killed, lambda: any((tmp_path / "mlruns").glob("studies/own/trials/*")))
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    file.unlink()

    done = tune("--pipeline", "vicreg", "--trials", "3", "--resume")
    assert done.status == 0 and "3 of 3 trials (3 complete" in done.out, done.err
    trial = done.out.split("--replay ")[1].split()[0]
    again = commands.run("search/tune.py", "--replay", trial, "--quiet", folder=tmp_path)
    assert again.status == 0, again.err
    rerun = ("search/rerun.py", "--pipeline", "vicreg", "--seeds", "1", "--without", "defaults")
    final = commands.run(*rerun, "--json", "final.json", folder=tmp_path)
    assert final.status == 0, final.err
    assert "vicreg" in json.loads((tmp_path / "final.json").read_text())["pipelines"]
    with chdir(tmp_path):
        assert champions.load("vicreg-mini").encoder(torch.rand(2, 3, 32, 32)).shape == (2, 128)
    assert commands.run("search/doctor.py", folder=tmp_path).status == 0

    file.write_text(TEXT.replace("* 25", "* 24"))
    other = ("--pipeline", "vicreg.py", "--trials", "4", "--resume")
    refused = tune(*other)
    assert refused.status == 2 and "was searched with another text of vicreg.py" in refused.err
    assert len(refused.err.splitlines()) == 2
    accepted = tune(*other, "--accept-source")
    assert accepted.status == 0 and "4 of 4 trials" in accepted.out, accepted.err
    assert commands.run("search/tune.py", "--replay", trial, "--quiet", folder=tmp_path).status == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import nothing", "own.py, line 1: ModuleNotFoundError: No module named 'nothing'"),
        ("def broken(:", "own.py: SyntaxError: invalid syntax"),
        ("PIPELINE = 1 / 0", "own.py, line 1: ZeroDivisionError: division by zero"),
        ("PIPELINE = 'mine'", "own.py has no PIPELINE = Pipeline(...)"),
        (TEXT.replace("1.0), 0.4)", "1.0), 1.4)"), "the default augment_strength=1.4 is not in"),
    ],
)
def test_a_file_that_is_no_pipeline_is_told_in_two_lines(text: str, said: str) -> None:
    with pytest.raises(UserError) as refused:
        adopt("own", text)
    assert said in str(refused.value) and len(str(refused.value).splitlines()) == 2
    assert "own" not in pipeline_names()


def test_a_file_needs_a_name_that_is_free(tmp_path: Path) -> None:
    for name, said in (
        ("mnist_vae.py", "is a built-in pipeline's"),
        ("my-own.py", "is no name in Python"),
        ("none.py", "cannot be read: No such file"),
    ):
        if not name.startswith("none"):
            shutil.copy(EXAMPLE, tmp_path / name)
        words = ("--pipeline", str(tmp_path / name))
        done = commands.run("search/tune.py", *words, folder=tmp_path)
        assert done.status == 2 and said in done.err and len(done.err.splitlines()) <= 2


@pytest.mark.parametrize(
    ("change", "clause"),
    [
        (("self.projection =", "self.other ="), "an image becomes a latent vector"),
        (("mse_loss(first, second)", "mse_loss(first, second) / 0"), "has a finite loss"),
        (("uses_labels=False", "uses_labels=True"), "looks at labels exactly where"),
        (("warmup=", "unread=(IntDistribution(1, 2), 1),\n        warmup="), "every parameter"),
        (("epochs=9", "epochs=0"), "the budget is at least an epoch"),
        (("[256, 512, 1024]), 512", "[-1, 512, 1024]), 512"), "every choice and both ends"),
    ],
)
def test_what_breaks_the_contract_is_named(
    change: tuple[str, str], clause: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipelines, "_adopted", {})
    assert change[0] in TEXT
    text = TEXT.replace("self.projection(", "self.other(") if "other" in change[1] else TEXT
    broken = [name for name, why in violations(adopt("own", text.replace(*change))) if why]
    assert broken and any(clause in name for name in broken), broken


def test_an_installed_package_brings_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As pip leaves it: a module, and the metadata that names it."""
    (tmp_path / "vicreg_package.py").write_text(TEXT)
    folder = tmp_path / "vicreg_package-1.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: vicreg-package\nVersion: 1\n")
    (folder / "entry_points.txt").write_text(
        "[latent_search.pipelines]\nvicreg_installed = vicreg_package\n"
    )
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.setattr(pipelines, "_adopted", {})
    importlib.invalidate_caches()
    pipelines._installed.cache_clear()
    try:
        assert "vicreg_installed" in pipeline_names()
        assert load_pipeline("vicreg_installed").summary.startswith("VICReg")
        assert source_of("vicreg_installed") == TEXT, "it travels as a file's text does"
    finally:
        monkeypatch.undo()
        pipelines._installed.cache_clear()
