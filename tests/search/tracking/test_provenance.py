"""What is said of a machine."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from search.tracking import provenance


def test_a_gpu_is_named_without_a_cuda_context(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provenance, "gpu_count", lambda: 2)
    monkeypatch.setattr(provenance, "GPUS", tmp_path)
    for touched in ("get_device_name", "get_device_properties", "_lazy_init"):
        monkeypatch.setattr(torch.cuda, touched, lambda *given: pytest.fail("a context"))
    assert provenance.machine("cuda").startswith("2 x GPU, ")
    (tmp_path / "0000:01:00.0").mkdir()
    told = "Model: \t\t NVIDIA H200\nIRQ:   \t\t 1\n"
    (tmp_path / "0000:01:00.0" / "information").write_text(told)
    assert provenance.machine("cuda").startswith("2 x NVIDIA H200, ")
    assert "GPU" not in provenance.machine()
