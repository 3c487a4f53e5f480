"""What is expensive is computed once."""

from __future__ import annotations

import sys
import types
from pathlib import Path

import numpy as np
import pytest

from analysis.cache import Cache
from analysis.tsne.embedding import Embedding


class Counted:
    """Arrays that know how often they were computed."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> dict[str, np.ndarray]:
        self.times += 1
        return {"a": np.arange(6).reshape(2, 3), "b": np.array(0.5)}


def test_the_same_key_is_computed_once(tmp_path: Path) -> None:
    compute = Counted()
    for key in ({"seed": 1, "weights": "ab"}, {"weights": "ab", "seed": 1}):
        found = Cache(tmp_path / "new").get("x", key, compute)
        np.testing.assert_array_equal(found["a"], np.arange(6).reshape(2, 3))
        assert found["b"] == 0.5
    assert compute.times == 1
    [file] = (tmp_path / "new").iterdir()
    assert file.match("x-*.npz"), "no partial file stays"


@pytest.mark.parametrize("components", [50, None])
def test_a_result_comes_back_with_its_type(tmp_path: Path, components: int | None) -> None:
    plane = np.arange(6, dtype=np.float32).reshape(3, 2)
    made = Embedding(plane=plane, method="tsne", perplexity=7.5, components=components)
    for compute in (lambda: made, lambda: None):
        found = Cache(tmp_path).get("x", {}, compute, kind=Embedding)
        assert isinstance(found, Embedding)
        np.testing.assert_array_equal(found.plane, plane)
        assert (found.method, found.perplexity, found.components) == ("tsne", 7.5, components)


@pytest.mark.parametrize("damage", ["empty", "halved", "flipped"])
def test_what_is_damaged_is_computed_again(tmp_path: Path, damage: str) -> None:
    compute = Counted()
    Cache(tmp_path).get("x", {}, compute)
    [file] = tmp_path.iterdir()
    whole = file.read_bytes()
    data = whole.index(np.arange(6).tobytes())
    flipped = whole[:data] + b"\x01" + whole[data + 1 :]
    file.write_bytes({"empty": b"", "halved": whole[: len(whole) // 2], "flipped": flipped}[damage])
    found = Cache(tmp_path).get("x", {}, compute)
    np.testing.assert_array_equal(found["a"], np.arange(6).reshape(2, 3))
    assert compute.times == 2
    assert file.stat().st_size == len(whole)


@pytest.mark.parametrize("other", [("y", {"seed": 1}), ("x", {"seed": 2}), ("x", {})])
def test_another_name_or_key_is_computed_anew(
    tmp_path: Path, other: tuple[str, dict[str, int]]
) -> None:
    compute = Counted()
    cache = Cache(tmp_path)
    cache.get("x", {"seed": 1}, compute)
    cache.get(*other, compute)
    assert compute.times == 2


def test_other_code_computes_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file that computes is part of the key by itself."""
    changed = tmp_path / "module.py"
    changed.write_text("x = 1\n")
    module = types.ModuleType("a_module_of_this_test")
    module.__file__ = str(changed)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(Counted, "__module__", module.__name__)
    compute, cache = Counted(), Cache(tmp_path)
    for _ in range(2):
        cache.get("x", {}, compute)
    assert compute.times == 1
    changed.write_text("x = 2\n")
    cache.get("x", {}, compute)
    assert compute.times == 2


def test_only_one_is_kept_where_only_one_is_wanted(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    cache.get("pictures", {"seed": 1}, Counted(), only=True)
    cache.get("latents", {"seed": 1}, Counted())
    cache.get("pictures", {"seed": 2}, Counted(), only=True)
    assert sorted(file.name.split("-")[0] for file in tmp_path.iterdir()) == ["latents", "pictures"]
    last = Counted()
    cache.get("pictures", {"seed": 2}, last, only=True)
    assert last.times == 0


def test_what_broke_off_leaves_nothing(tmp_path: Path) -> None:
    def broken() -> dict[str, np.ndarray]:
        raise ArithmeticError

    cache = Cache(tmp_path / "cache")
    with pytest.raises(ArithmeticError):
        cache.get("x", {}, broken)
    assert not list(tmp_path.rglob("*.npz"))
    assert cache.get("x", {}, Counted())["b"] == 0.5
