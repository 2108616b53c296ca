"""What a job of one library wrote: its files as they were at several moments, and the values it logged."""

from __future__ import annotations

import json
import shutil
from pathlib import Path


class Moments:
    """The folder `<into>/<library>-<version>`, begun anew.

    moments.json: for every moment the files that changed, with their text, or null for one that went.
    logged.json:  the values that were handed to the library, as Python writes JSON (with NaN and Infinity).
    """

    def __init__(self, into: str, library: str, version: str) -> None:
        self.folder = (Path(into) / f"{library}-{version}").resolve()
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self._moments: list[dict[str, str | None]] = []
        self._last: dict[str, str | None] = {}

    def keep(self, live: Path, *patterns: str) -> None:
        """Note the files that match now, if any of them has changed since the last time."""
        now = {
            path.relative_to(live).as_posix(): path.read_bytes().decode()
            for pattern in patterns
            for path in sorted(live.rglob(pattern))
        }
        changed: dict[str, str | None] = {
            name: now.get(name) for name in [*now, *self._last] if now.get(name) != self._last.get(name)
        }
        if changed:
            self._moments.append(changed)
        self._last = dict(now)

    def end(self, logged: object) -> None:
        """Write both files."""
        for name, value in {"moments": self._moments, "logged": logged}.items():
            text = json.dumps(value, indent=1, ensure_ascii=False)
            (self.folder / f"{name}.json").write_text(text + "\n", encoding="utf-8")
