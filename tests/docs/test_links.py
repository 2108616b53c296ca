"""Links between pages lead somewhere."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from tests.docs.pages import anchors, links, pages
from tests.repo.tree import ROOT


def problem(page: Path, target: str) -> str | None:
    """What is wrong with a link, None if nothing is; links to other hosts are not followed."""
    parts = urlsplit(target)
    if parts.scheme or parts.netloc:
        return None
    path = (ROOT / page.parent / unquote(parts.path)).resolve() if parts.path else (ROOT / page)
    if not path.is_relative_to(ROOT):
        return "leads out of the repository"
    if not path.exists():
        return "leads to nothing"
    if parts.fragment and path.suffix == ".md" and parts.fragment not in anchors(path.relative_to(ROOT)):
        return "names no heading"
    return None


def test_local_links_resolve() -> None:
    found = [(page, line, target) for page in pages() for line, target in links(page)]
    assert found
    assert [
        f"{page}:{line}: {target} {what}" for page, line, target in found if (what := problem(page, target))
    ] == []
