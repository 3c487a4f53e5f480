"""A benchmark's figures have a place before they are measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import machine


def test_a_place_that_takes_no_figures_is_refused_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parser = machine.options("Measures.", "less")
    file = tmp_path / "figures.json"
    assert parser.parse_args(["--json", str(file)]).json == file
    with pytest.raises(SystemExit):
        parser.parse_args(["--json", "/dev/full"])
    assert "/dev/full is not a regular file" in capsys.readouterr().err
