from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphql_runs.model.errors import InvalidText
from graphql_runs.model.regex import compiled

LETTERS = "abAZ_0 9.\n-]^é日\u2028\U0001f600"

one = st.sampled_from(
    [
        "a", "b", "Z", "_", "0", " ", "é", "日", "\U0001f600", ".", r"\.", r"\n", r"\x41", r"\u00e9", r"\d", r"\D", r"\w", r"\W",
        r"[\s]", r"\S", "[ab]", "[^ab]", "[a-zé]", r"[^\w-]", "[]a]", r"[\d_-]", "[^日]", r"[\W]", "-", "]", "}",
    ]
)  # fmt: skip
edge = st.sampled_from(["^", r"\A", r"\b"])
times = st.sampled_from(["*", "+", "?", "{2}", "{1,3}", "{0,2}", "{2,}", "*?", "+?", "??", "{1,2}?"])
bodies = st.recursive(
    one | edge,
    lambda part: st.one_of(
        st.lists(part, max_size=3).map("".join),
        st.lists(part, min_size=1, max_size=3).map(lambda parts: f"({'|'.join(parts)})"),
        st.builds(lambda part, times: f"(?:{part}){times}", part, times),
        st.builds(lambda one, times: f"{one}{times}", one, times),
    ),
    max_leaves=6,
)
patterns = st.builds(lambda flags, body: flags + body, st.sampled_from(["", "(?i)", "(?s)", "(?is)"]), bodies)
texts = st.text(LETTERS, max_size=8)


@given(patterns, texts)
def test_a_pattern_means_what_it_means_in_python(pattern: str, text: str) -> None:
    """With ASCII classes; without `$`, which Python also finds before a last line feed, and `(?i)`, which folds more there."""
    regex = compiled(pattern)
    if not pattern.startswith("(?i"):
        assert regex.matches(text) is (re.search(pattern, text, re.ASCII) is not None)
    if regex.portable is not None:
        # The words for databases, read by an engine that backtracks.
        assert regex.matches(text) is (re.search(regex.portable, text) is not None)


@pytest.mark.parametrize(
    ("pattern", "found", "missed"),
    [
        ("loss", ["my loss"], ["Loss", ""]),
        ("", ["", "x"], []),
        ("^train$", ["train"], ["train\n", "a train", "train a"]),
        ("^a|b$", ["ax", "xb"], ["xa", "bx"]),
        ("(?i)größe", ["GRöße"], ["GRÖSSE", "GRÖßE"]),
        ("(?i)[k-m]", ["K", "l"], ["\u212a"]),
        ("(?i)^[^a]$", ["b"], ["A", "aA"]),
        (".", ["x", "\r", "\u2028"], ["\n", ""]),
        ("(?s)^.$", ["\n"], ["\n\n"]),
        (r"\d", ["7"], ["٧"]),
        (r"\bdef\b", ["abc def", "def-x", "édef"], ["defx", "_def"]),
        (r"a\z", ["a"], ["a\n"]),
        ("x{2,3}y", ["xxy", "xxxxy"], ["xy"]),
        ("a{0}b", ["b"], ["a"]),
        (r"[\]\\^-]+$", ["]\\^-"], ["a"]),
        ("[[]", ["["], ["]"]),
        (r"\x{1F600}\u0041\x42", ["\U0001f600AB"], ["AB"]),
        ("a\0b", ["a\0b"], ["ab"]),
        (r"[^\D\d]|[^\x{0}-\x{10FFFF}]", [], ["a", "1", ""]),
        ("(a|ab)(c|bcd)(d*)$", ["abcd"], ["abx"]),
    ],
)
def test_what_is_found(pattern: str, found: list[str], missed: list[str]) -> None:
    regex = compiled(pattern)
    assert [text for text in [*found, *missed] if regex.matches(text)] == found
    assert regex.portable is not None
    portable = re.compile(regex.portable)
    assert [text for text in [*found, *missed] if portable.search(text)] == found


@pytest.mark.parametrize(
    ("pattern", "column", "words"),
    [
        ("ab(?=c)", 3, "look-around"),
        ("(?<!a)b", 1, "look-around"),
        (r"(a)\1", 4, "back-references"),
        (r"a\k<n>", 2, "back-references"),
        ("(?P<n>a)", 1, "plain groups"),
        ("(?>a)", 1, "plain groups"),
        ("a(?i)b", 2, "at the start"),
        ("(?m)a", 1, "at the start"),
        ("a++", 3, "possessive"),
        ("a**", 3, "cannot be repeated"),
        ("^*", 2, "cannot be repeated"),
        ("*a", 1, "nothing to repeat"),
        ("(|+)", 3, "nothing to repeat"),
        ("{2}", 1, "nothing to repeat"),
        ("a{x}", 2, "{n,m}"),
        ("a{,3}", 2, "{n,m}"),
        ("a{3,2}", 2, "more than"),
        ("a{1001}", 2, "more than 1000"),
        ("(a{40}){40}", 8, "more than 1000"),
        ("[0-9]{900}" * 6, 1, "more than 5000"),
        ("a)b", 2, "closes nothing"),
        ("a(b", 2, "not closed"),
        ("a[b", 2, "not closed"),
        ("[z-a]", 2, "range"),
        (r"[a-\d]", 2, "range"),
        (r"[\b]", 2, "no character"),
        ("[[:alpha:]]", 2, "named classes"),
        (r"\pL", 1, "Unicode classes"),
        (r"\Z", 1, r"\z"),
        (r"\q", 1, r"\q"),
        (r"a\Bb", 2, r"\B is not available"),
        (r"\xg0", 1, "hexadecimal"),
        (r"\x{110000}", 1, "no character"),
        ("\ud800", 1, "no character"),
        ("a\\", 3, "ends with a backslash"),
        ("(" * 60 + ")" * 60, 52, "nested"),
    ],
)
def test_what_is_refused_and_where(pattern: str, column: int, words: str) -> None:
    with pytest.raises(InvalidText) as caught:
        compiled(pattern, "filter.name.regex")
    assert words in caught.value.message
    assert f"character {column}:" in caught.value.message
    place = {"code": "BAD_USER_INPUT", "field": "filter.name.regex", "line": 1, "column": column}
    assert caught.value.extensions == place


def test_a_place_on_a_later_line_is_given_by_line_and_column() -> None:
    with pytest.raises(InvalidText) as caught:
        compiled("ab\nc(?!d)")
    assert (caught.value.line, caught.value.column) == (2, 2)


@pytest.mark.parametrize(
    "pattern", ["(a+)+$", "x(a|a)*$", "x(a|b|ab)*c$", "xa*a*a*a*b", "x(.*)(.*)x", "x(a?){30}y", "b(x*)*y"]
)
def test_what_backtracks_without_end_takes_no_time_and_is_not_given_to_databases(pattern: str) -> None:
    regex = compiled(pattern)
    assert regex.portable is None
    assert regex.matches("x" + "a" * 60_000 + "!") is False


@pytest.mark.parametrize(
    "pattern", [".*loss.*", "^resnet[0-9]+$", "(?i)adam|sgd", "^a{1,100}$", "epoch-\\d+-.*"]
)
def test_what_people_write_is_given_to_databases(pattern: str) -> None:
    assert compiled(pattern).portable is not None
