"""Peers, measured in the same run in environments of their own, so that none of them is ever installed beside us."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from benchmarks.figure import Beside

_PATIENCE = 300.0


@dataclass(frozen=True, slots=True)
class Peer:
    """A tracker: its requirement, its script in this folder with further arguments, and the figures that it gives.

    `{folder}` in an argument is the folder of all that is measured, for files that ours has read as well.
    """

    name: str
    version: str
    script: str
    arguments: tuple[str, ...]
    figures: tuple[str, ...]


PEERS = (
    Peer(
        "trackio",
        "0.43.0",
        "trackio_peer.py",
        ("5000",),
        ("W1 points", "W2 history", "W2b chart", "W3 page", "W6 start", "W6 memory"),
    ),
    Peer(
        "tensorboard",
        "2.21.0",
        "tensorboard_peer.py",
        ("{folder}/logdir",),
        ("W11 EventFileLoader, events alone", "W11 data server, all points in its memory"),
    ),
    Peer("mlflow", "3.17.2", "mlflow_peer.py", (), ("W1 points", "W1b points", "W6 start", "W6 memory")),
)


@dataclass(slots=True)
class Peers:
    """What the peers were found to do; each is measured once a run, before the first figure that it gives."""

    folder: Path
    environment: Mapping[str, str]
    console: Console
    wanted: bool
    _found: dict[str, Mapping[str, Sequence[float]] | str] = field(default_factory=dict, init=False)

    def beside(self, workload: str, what: str) -> tuple[Beside, ...]:
        """Every peer that has this figure, with its values or the reason why there are none."""
        if not self.wanted:
            return ()
        return tuple(
            self._one(peer, f"{workload} {what}") for peer in PEERS if f"{workload} {what}" in peer.figures
        )

    def _one(self, peer: Peer, figure: str) -> Beside:
        if peer.name not in self._found:
            self.console.print(f"[dim]{peer.name} {peer.version}, in an environment of its own[/]")
            self._found[peer.name] = self._measured(peer)
        found = self._found[peer.name]
        if isinstance(found, str):
            return Beside(f"{peer.name} {peer.version}", (), found)
        return Beside(f"{peer.name} {peer.version}", tuple(found[figure]))

    def _measured(self, peer: Peer) -> Mapping[str, Sequence[float]] | str:
        uv = shutil.which("uv")
        if uv is None:
            return "not installed (uv is not on the path)"
        isolated = [uv, "run", "--quiet", "--isolated", "--no-project", "--python", sys.executable]
        isolated += ["--with", f"{peer.name}=={peer.version}", "python"]
        folder = tempfile.mkdtemp(prefix=peer.name, dir=self.folder)
        try:
            there = subprocess.run(
                [*isolated, "-c", f"import {peer.name}"],
                env=self.environment,
                cwd=folder,
                capture_output=True,
                timeout=_PATIENCE,
                check=False,
            )
            if there.returncode:
                return "not installed"
            script = Path(__file__).with_name(peer.script)
            done = subprocess.run(
                [*isolated, script, folder, *(one.format(folder=self.folder) for one in peer.arguments)],
                env=self.environment,
                cwd=folder,
                capture_output=True,
                text=True,
                timeout=_PATIENCE,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return f"not done within {_PATIENCE:.0f} s"
        if done.returncode:
            return f"failed: {(done.stderr.strip().splitlines() or ['no reason given'])[-1]}"
        values: dict[str, list[float]] = json.loads(done.stdout.splitlines()[-1])
        return values
