"""Which of the final trainings may be the champion."""

from __future__ import annotations

import pytest

from search.errors import FAILED, UserError
from search.finals.session import as_good_as_pca

ERRORS = {"config 1": 0.0501, "config 2": 0.0500, "config 3": 0.0712}


def test_a_champion_reconstructs_as_well_as_pca() -> None:
    assert as_good_as_pca("cifar_autoencoder", ERRORS, 0.0500) == {"config 2"}


def test_without_one_there_is_no_champion() -> None:
    with pytest.raises(UserError) as caught:
        as_good_as_pca("cifar_autoencoder", ERRORS, 0.0499)
    assert str(caught.value).splitlines() == [
        "cifar_autoencoder has no champion: PCA's valid/mae is 0.0499, the configurations' "
        "config 1 0.0501, config 2 0.0500, config 3 0.0712",
        "give more --epochs, a larger --top, or search with --limit 'valid/mae<=0.0499'",
    ]
    assert caught.value.status == FAILED
