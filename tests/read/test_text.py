from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphql_runs.read.text import fold, like


def test_only_ascii_letters_are_folded() -> None:
    assert fold("ABC Äß İ") == "abc Äß İ"


@pytest.mark.parametrize(
    ("text", "pattern", "matches"),
    [
        ("digits", "digits", True),
        ("digits", "dig", False),
        ("digits", "dig%", True),
        ("digits", "%its", True),
        ("digits", "%git%", True),
        ("digits", "d_g_t_", True),
        ("digits", "d_g", False),
        ("100%", "100\\%", True),
        ("1000", "100\\%", False),
        ("a_b", "a\\_b", True),
        ("axb", "a\\_b", False),
        ("", "%", True),
        ("", "_", False),
        ("ab", "%ab%ab%", False),
        ("aba", "ab%ba", False),
        ("a.c", "a.c", True),
        ("abc", "a.c", False),
        ("a\nb", "a%b", True),
    ],
)
def test_like(text: str, pattern: str, matches: bool) -> None:
    assert like(text, pattern) is matches


@given(st.text(alphabet="ab\n", max_size=12), st.text(alphabet="ab%_", max_size=8))
def test_like_is_what_the_backtracking_form_says(text: str, pattern: str) -> None:
    regex = pattern.replace("%", ".*").replace("_", ".")
    assert like(text, pattern) is (re.fullmatch(regex, text, re.DOTALL) is not None)


def test_a_nasty_pattern_does_not_take_forever() -> None:
    assert not like("a" * 5000, "%a" * 200 + "%b")
