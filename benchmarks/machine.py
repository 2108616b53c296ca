"""The machine, told in general terms, and the disk that stores are put on."""

from __future__ import annotations

import os
import platform
import tempfile
from pathlib import Path

import apsw
import psutil

_IN_MEMORY = {"tmpfs", "ramfs"}


def machine(folder: Path) -> dict[str, str]:
    """What the figures depend on, to be shown with them."""
    return {
        "cores": f"{os.cpu_count()} ({_processor()})",
        "memory": f"{psutil.virtual_memory().total / (1 << 30):.0f} GiB",
        "disk": file_system(folder),
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
        "Python": platform.python_version(),
        "SQLite": apsw.sqlite_lib_version(),
    }


def environment(folder: Path) -> dict[str, str]:
    """The environment of every process that is measured: compiled modules are kept in `folder`, whatever the caller's
    environment says, so that a start is that of a program which has run before; no settings of ours leak in."""
    ours = ("GRAPHQL_RUNS_", "PYTHON")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return kept | {"PYTHONPYCACHEPREFIX": str(folder / "compiled")}


def disk_folder() -> Path:
    """Where temporary stores go: the folder for temporary files, or the working folder if that one is only memory."""
    folder = Path(tempfile.gettempdir())
    return Path.cwd() if file_system(folder) in _IN_MEMORY else folder


def file_system(folder: Path) -> str:
    """The type of the file system that a folder is on."""
    found, longest = "unknown", -1
    for partition in psutil.disk_partitions(all=True):
        mount = Path(partition.mountpoint)
        if folder.resolve().is_relative_to(mount) and len(mount.parts) > longest:
            found, longest = partition.fstype, len(mount.parts)
    return found


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
