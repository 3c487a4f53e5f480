"""A hash of code: comments, docstrings, places and names of files do not change it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from search.files import fingerprint

FILES = {
    "nets/layer.py": '"""A module."""\n\nSIZE = 3  # wide\n\n\ndef twice(x):\n'
    '    """Double it."""\n    return 2 * x\n',
    "nets/deep/loss.py": "class Loss:\n    '''Words.'''\n\n    name = 'l1'\n",
    "recipe.py": "from nets.layer import twice\n\nprint(twice(4))\n",
    "unrelated.py": "x = 1\n",
    "nets/notes.txt": "x = 1\n",
}


@pytest.fixture
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """`code(file=(old, new))`: the fingerprint of the small tree with that text replaced."""
    monkeypatch.setattr(fingerprint, "ROOT", tmp_path)
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)

    def changed(name: str = "recipe.py", old: str = "", new: str = "") -> str:
        text = FILES[name]
        assert old in text
        (tmp_path / name).write_text(text.replace(old, new, 1) if old else text + new)
        digest = fingerprint.of_code("nets/**/*.py", file=tmp_path / "recipe.py")
        (tmp_path / name).write_text(text)
        return digest

    return changed


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("nets/layer.py", "# wide", "# the widest of all"),
        ("nets/layer.py", "  # wide", ""),
        ("nets/layer.py", "A module.", "Another text\n\nwith a second paragraph."),
        ("nets/layer.py", "Double it.", "Return two times x."),
        ("nets/deep/loss.py", "'''Words.'''", '"""More words."""'),
        ("nets/deep/loss.py", "    '''Words.'''\n\n", ""),
        ("nets/layer.py", "SIZE = 3", '"""New words."""\nSIZE = 3'),
        ("nets/layer.py", "2 * x", "(2  *  x)"),
        ("recipe.py", "\n\n", "\n\n\n\n"),
        ("recipe.py", "from nets.layer import", "from elsewhere import"),
        ("recipe.py", "import twice", "import (\n    twice,\n)"),
        ("unrelated.py", "x = 1", "x = 2"),
        ("nets/notes.txt", "x = 1", "x = 2"),
    ],
)
def test_prose_other_files_and_places_of_imports_do_not_change_the_fingerprint(
    code: Callable[..., str], name: str, old: str, new: str
) -> None:
    assert code(name, old, new) == code()
    assert len(code()) == 16


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("nets/layer.py", "SIZE = 3", "SIZE = 4"),
        ("nets/layer.py", "2 * x", "x * 2"),
        ("nets/layer.py", "twice(x)", "twice(y)"),
        ("nets/deep/loss.py", "'l1'", "'l2'"),
        ("recipe.py", "twice(4)", "twice(5)"),
        ("recipe.py", "", "print(1)\n"),
        ("recipe.py", "import twice", "import thrice as twice"),
    ],
)
def test_code_changes_the_fingerprint(
    code: Callable[..., str], name: str, old: str, new: str
) -> None:
    assert code(name, old, new) != code()


def test_a_moved_file_does_not_change_the_fingerprint_and_a_new_one_does(
    code: Callable[..., str], tmp_path: Path
) -> None:
    before = code()
    (tmp_path / "nets" / "layer.py").rename(tmp_path / "nets" / "deep" / "sheet.py")
    moved = fingerprint.of_code("nets/**/*.py", file=tmp_path / "recipe.py")
    assert moved == before
    (tmp_path / "nets" / "more.py").write_text("")
    assert fingerprint.of_code("nets/**/*.py", file=tmp_path / "recipe.py") != before
