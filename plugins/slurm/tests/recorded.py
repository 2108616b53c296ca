"""What real clusters said (generate/record.py), and commands that say it again."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from graphql_runs_slurm.config import SlurmConfig

DATA = Path(__file__).with_name("data")
VERSIONS = ("22.05.8", "24.11.5", "26.05.5")
"""Of Debian 12 and 13, and of its unstable release of today."""
MOMENTS = ("early", "late")
CLUSTER = "test"
JOBS = "/tmp/slurm-jobs"
"""Where the jobs ran."""
_COMMANDS = Path(__file__).with_name("commands.sh")


@cache
def said(version: str, moment: str, name: str) -> bytes:
    """What a command printed."""
    return gzip.decompress((DATA / version / f"{moment}-{name}.gz").read_bytes())


def document(version: str, moment: str, name: str) -> dict[str, list[dict[str, object]]]:
    """The JSON that a command printed."""
    found: dict[str, list[dict[str, object]]] = json.loads(said(version, moment, name))
    return found


@cache
def ids(version: str) -> Mapping[str, str]:
    """The ids of the jobs by what happens to them."""
    found: dict[str, str] = json.loads((DATA / version / "jobs.json").read_text())
    return found


def answer(folder: Path, version: str, moment: str, *without: str) -> None:
    """Have the commands of a folder say what that version said then; those named `without` know no such form."""
    folder.mkdir(exist_ok=True)
    for path in (DATA / version).glob(f"{moment}-*.gz"):
        name = path.name.removeprefix(f"{moment}-").removesuffix(".gz")
        (folder / name).write_bytes(b"" if name in without else gzip.decompress(path.read_bytes()))


def moved(folder: Path, uid: int, *names: str) -> None:
    """Have the jobs print into that folder instead of theirs, and be of another user."""
    for name in names:
        path = folder / name
        if path.suffix == ".json":
            found = json.loads(path.read_bytes())
            for job in found["jobs"]:
                job |= {"user_id": uid} if "user_id" in job else {}
            path.write_text(json.dumps(found).replace(JOBS, str(folder)))
        else:
            path.write_text(path.read_text().replace(JOBS, str(folder)))


def asked(folder: Path) -> list[str]:
    """The commands that were run, with what they were given."""
    path = folder / "asked"
    return path.read_text().splitlines() if path.exists() else []


def config(folder: Path, **settings: object) -> SlurmConfig:
    """Settings by which the commands of a folder are asked, each at every look."""
    return SlurmConfig.model_validate(
        {"prefix": ["sh", str(_COMMANDS), str(folder)], "since_days": 3650, "log_roots": [folder], **settings}
    )
