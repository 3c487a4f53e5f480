"""The devices that augmentation is tested on."""

from __future__ import annotations

import pytest
import torch


@pytest.fixture(params=["cpu"] + (["cuda"] if torch.cuda.is_available() else []))
def device(request: pytest.FixtureRequest) -> str:
    """The CPU, and a GPU where there is one."""
    return str(request.param)
