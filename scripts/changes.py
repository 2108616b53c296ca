"""What the schema takes away from clients since an earlier commit.

    uv run just schema-changes             since the last release (tag v*), or else the commit before
    python scripts/changes.py REVISION

A change that breaks clients has to be named in CHANGELOG.md under Unreleased, by the coordinate that is printed (`Run.name`); one that is
not fails. Changes that may surprise them are only printed.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from graphql import build_schema
from graphql.utilities import find_breaking_changes, find_dangerous_changes

ROOT = Path(__file__).parent.parent
_MEMBER = re.compile(r"\b[A-Za-z_]\w*\.\w+(?:\(\w+:?\))?")
_TYPE = re.compile(r"(?:Type |Directive )?@?'?(\w+)")


def unannounced(before: str, now: str, unreleased: str) -> list[str]:
    """The breaking changes from one schema to another that the text does not name."""
    changes = find_breaking_changes(build_schema(before), build_schema(now))
    found = [change.description for change in changes]
    return [text for text in found if not any(name in unreleased for name in _names(text))]


def surprising(before: str, now: str) -> list[str]:
    """Changes that do not break clients by themselves: new values of enumerations, other defaults."""
    return [change.description for change in find_dangerous_changes(build_schema(before), build_schema(now))]


def _names(description: str) -> list[str]:
    """What a description of graphql-core's is about: `Field Run.name was removed.`, `Gone was removed.`"""
    member, kind = _MEMBER.search(description), _TYPE.match(description)
    name = member[0] if member else kind[1] if kind else None
    return [] if name is None else [f"`{name}`"]


def unreleased_of(changelog: str) -> str:
    """What the changelog says under Unreleased."""
    _, _, rest = changelog.partition("## [Unreleased]")
    return rest.partition("\n## [")[0]


def _git(*arguments: str) -> str | None:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else None


def main() -> int:
    """Compare; returns the exit code."""
    given = sys.argv[1:2]
    tag = (_git("describe", "--tags", "--abbrev=0", "--match", "v*") or "").strip()
    revision = given[0] if given else tag or "HEAD~1"
    before = _git("show", f"{revision}:schema.graphql")
    if before is None:
        print(f"there is no schema.graphql at {revision} to compare with")
        return 1 if given else 0
    now = (ROOT / "schema.graphql").read_text()
    missing = unannounced(before, now, unreleased_of((ROOT / "CHANGELOG.md").read_text()))
    for text in surprising(before, now):
        print(f"may surprise: {text}")
    for text in missing:
        print(f"breaks clients, and CHANGELOG.md does not say so: {text}")
    print(f"compared with {revision}")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
