"""Every method in turn, for all tests of the training."""

from __future__ import annotations

import pytest

from tests.trainers.small import KINDS


@pytest.fixture(params=KINDS, ids=lambda kind: kind.__name__)
def method_kind(request: pytest.FixtureRequest) -> type:
    """Each method's class in turn."""
    return request.param
