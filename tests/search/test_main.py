"""`latent-search NAME` is `python search/NAME.py`: the same words, the same exit status."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from tomllib import loads

import pytest

from search import main

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", main.COMMANDS)
@pytest.mark.parametrize("options", [["--help"], ["--nonsense"]])
def test_a_command_is_its_script(name: str, options: list[str], tmp_path: Path) -> None:
    module, _ = main.COMMANDS[name]
    file = f"{module.replace('.', '/')}.py"
    hides = tmp_path / "hides" / file  # what stands in the working folder is not what is run
    hides.parent.mkdir(parents=True)
    hides.write_text("raise SystemExit('wrong')")
    program = ("-P", "-c", "from search.main import main; main()", name)
    by_script, installed = (
        subprocess.run([sys.executable, *words, *options], cwd=folder, capture_output=True)
        for words, folder in (([ROOT / file], tmp_path), (program, tmp_path / "hides"))
    )
    assert (installed.returncode, installed.stdout, installed.stderr) == (
        (by_script.returncode, by_script.stdout, by_script.stderr)
    )
    assert by_script.returncode == (0 if options == ["--help"] else 2)


def test_without_a_command_they_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert [main.main([]), main.main(["--help"])] == [0, 0]
    once, again = capsys.readouterr().out.split("usage: latent-search COMMAND [OPTIONS]\n")[1:]
    assert once == again
    for name, (_, summary) in main.COMMANDS.items():
        assert f"\n  {name} " in once and summary in once


def test_a_command_that_there_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["tun", "--trials", "3"]) == 2
    known = "error: no command 'tun'; did you mean tune?\nsee latent-search --help\n"
    assert capsys.readouterr() == ("", known)


def test_the_installed_command_is_this_one() -> None:
    scripts = loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    points = [EntryPoint(name, value, "console_scripts") for name, value in scripts.items()]
    assert [(point.name, point.load()) for point in points] == [("latent-search", main.main)]
