"""The commands' functions from Python: as docs/python.md has them, and their errors."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests import commands

PAGE = (commands.ROOT / "docs" / "python.md").read_text(encoding="utf-8")
LINES = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)[0]
SHORT = """
import dataclasses, json
from search.pipelines import cifar_contrastive as short
from trainers.data import mini
short.PIPELINE = dataclasses.replace(short.PIPELINE, epochs=1)
mini._PATTERNS_TRAINING = 1_200
"""
SAID = """
import torch
table = study.trials()
assert list(table["number"]) == sorted(table["number"])
assert table["value"].max() == study.best.value
best = table[table["number"] == study.best.number]
assert best["params_lr"].item() == study.best.params["lr"]
row = final.result["rows"][0]
assert row["params"] == study.best.params and len(row["metrics"]["test/accuracy"]) == 3
assert encoder(torch.rand(5, 3, 32, 32)).shape == (5, 128)
again = search.run("cifar_contrastive", trials=21, data="mini", study=study.name, resume=True,
                   limits={"model/parameters": 200_000})
print(json.dumps([len(table), len(again.trials()), study.name == again.name]))
"""
WRONG = """
import sys, json
import search
light = not {"torch", "ray", "optuna", "mlflow"} & set(sys.modules)
from search.errors import UserError
said = []
for given in ({"trials": 0}, {"data": "mimi"}, {"lr": 3}, {"set": {"width": 31}, "data": "mini"}):
    try:
        search.run("mnist_supervised", **given)
    except UserError as error:
        said.append(str(error))
print(json.dumps([light, said]))
"""


def python(code: str, folder: Path) -> commands.Ended:
    environment = {**commands.plain_environment(), "PYTHONPATH": str(commands.ROOT)}
    return commands.cold(code, folder=folder, environment=environment)


@pytest.mark.slow
def test_the_lines_of_the_page_do_what_they_say(tmp_path: Path) -> None:
    done = python(SHORT + LINES + SAID, tmp_path)
    assert done.status == 0, done.err
    assert json.loads(done.out.splitlines()[-1]) == [20, 21, True]
    assert "learning brought" in done.out, "what the command prints"


def test_errors_are_the_commands_and_importing_is_light(tmp_path: Path) -> None:
    done = python(WRONG, tmp_path)
    assert done.status == 0, done.err
    light, said = json.loads(done.out)
    assert light
    few, data, unknown, width = said
    assert few == "--trials: 0 is too small, at least 1 is needed"
    assert "'mimi' here; did you mean mini?" in data
    assert "unknown argument '--lr'" in unknown
    assert width.startswith("--set width=31") and not (tmp_path / "mlruns").exists()
