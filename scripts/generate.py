"""Write the files that are generated from code and committed, or check that they are as the code would write them.

    uv run just schema             write schema.graphql
    uv run just settings           write the table between the markers of docs/settings.md
    python scripts/generate.py schema --check

With --check nothing is written: a difference is printed as a diff and fails.
"""

import argparse
import difflib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parent.parent
BEGIN, END = "<!-- settings:begin -->", "<!-- settings:end -->"


def schema(_: str) -> str:
    """The text of schema.graphql, as the command line prints it."""
    command = [str(Path(sys.executable).with_name("graphql-runs")), "schema"]
    return subprocess.run(command, cwd=ROOT, check=True, text=True, stdout=subprocess.PIPE).stdout


def settings(present: str) -> str:
    """The text of docs/settings.md, with the table of settings put between its markers.

    Raises:
        SystemExit: a marker is missing, or there is more than one.
    """
    from graphql_runs.server.settings import settings_table

    if (present.count(BEGIN), present.count(END)) != (1, 1) or present.index(BEGIN) > present.index(END):
        raise SystemExit(
            f"docs/settings.md: wants one {BEGIN} and after it one {END}, each on a line of its own"
        )
    before, rest = present.split(BEGIN)
    after = rest.split(END)[1]
    return f"{before}{BEGIN}\n{settings_table().strip()}\n{END}{after}"


GENERATED: dict[str, tuple[Path, Callable[[str], str]]] = {
    "schema": (ROOT / "schema.graphql", schema),
    "settings": (ROOT / "docs" / "settings.md", settings),
}


def main(arguments: list[str] | None = None) -> int:
    """Write or check the named files; returns the exit code."""
    parser = argparse.ArgumentParser(prog="generate", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", nargs="+", choices=sorted(GENERATED))
    parser.add_argument("--check", action="store_true", help="write nothing, fail on a difference")
    options = parser.parse_args(arguments)

    stale = False
    for what in options.what:
        path, generate = GENERATED[what]
        present = path.read_text() if path.exists() else ""
        wanted = generate(present)
        if options.check:
            name = str(path.relative_to(ROOT))
            diff = difflib.unified_diff(
                present.splitlines(keepends=True),
                wanted.splitlines(keepends=True),
                name,
                f"{name} (generated)",
            )
            sys.stdout.writelines(diff)
            if present != wanted:
                stale = True
                print(f"{name} is not what the code says: run `uv run just {what}`", file=sys.stderr)
        elif present != wanted:
            path.write_text(wanted)
            print(f"{path.relative_to(ROOT)} written")
    return int(stale)


if __name__ == "__main__":
    sys.exit(main())
