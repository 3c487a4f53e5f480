"""A step of every pipeline on CUDA, traced on fake tensors where there is no GPU."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from search.spaces.pipeline import load_pipeline, pipeline_names
from trainers.precision import DTYPES

HERE = Path(__file__).parent
TORCH = Path(torch.__file__).parent
MOST = 530  # launches: what a GPU waits for is the CPU that makes them


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("g++"), reason="needs a C++ compiler")
def test_a_step_stays_on_the_device_and_all_is_measured_there(tmp_path: Path) -> None:
    library = tmp_path / "stand_in.so"
    flags = ["-O0", "-std=c++20", "-shared", "-fPIC", f"-I{TORCH}/include", f"-L{TORCH}/lib"]
    source = [str(HERE / "stand_in.cpp"), "-lc10", "-ltorch_cpu", "-o", str(library)]
    subprocess.run(["g++", *flags, *source], check=True, capture_output=True)
    command = [sys.executable, str(HERE / "trace_steps.py"), str(library)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    traced = [json.loads(line) for line in done.stdout.splitlines()]
    built_in = [name for name in pipeline_names() if load_pipeline(name).dataset]
    assert len(traced) == len(built_in) * len(DTYPES) + 2, "and two more optimizers"
    assert [step for step in traced if step["faults"]] == []
    assert all(0 < step["launches"] <= MOST for step in traced), traced
