"""The README is a newcomer's way in."""

from pathlib import Path

from tests.docs.pages import blocks, links, tokens

README = Path("README.md")


def test_it_says_first_what_it_is_for() -> None:
    kinds = [token.type for token in tokens(README)]
    assert kinds[0] == "heading_open"
    first = kinds.index("paragraph_open")
    assert "heading_open" not in kinds[1:first]
    lines = tokens(README)[first].map or [0, 0]
    assert 1 <= lines[1] - lines[0] <= 5


def test_it_has_a_picture_of_the_data_flow() -> None:
    drawn = any(block.page == README for block in blocks("mermaid", "text"))
    assert drawn or any(target.endswith((".svg", ".png")) for _, target in links(README))
