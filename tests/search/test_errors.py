"""What the person at the terminal reads is short, whatever they gave."""

from __future__ import annotations

import pytest

from search.errors import LINES, WIDTH, shorten


def test_what_is_short_stays_as_it_is() -> None:
    for message in ("", "one", "one\ntwo\nthree", "x" * WIDTH):
        assert shorten(message) == message


def test_a_long_value_loses_its_middle_and_the_reason_stays() -> None:
    said = shorten(f"error: --study {'x' * 5000} is not a valid name\nfix it")
    first, second = said.splitlines()
    assert first.startswith("error: --study xxx") and first.endswith("xxx is not a valid name")
    assert " ... " in first and second == "fix it"


@pytest.mark.parametrize("mark", ["\n", "\r", "\u2028"])
def test_no_more_than_three_lines_and_the_last_of_them_says_how_to_fix_it(mark: str) -> None:
    lines = shorten(f"error: {f'a{mark}' * 5000}\nfix it").splitlines()
    assert len(lines) == LINES and lines[-1] == "fix it"
    assert all(len(line) <= WIDTH for line in lines)
