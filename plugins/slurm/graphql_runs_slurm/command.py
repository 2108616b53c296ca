"""Running Slurm's commands: without a shell, for a limited time, and with a limit of what they may print."""

from __future__ import annotations

import contextlib
import os
import selectors
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import IO

from graphql_runs.ingest.api import Unreadable

_PIECE = 1 << 16
_ERROR_BYTES = 4096
_OURS = ("SQUEUE_", "SACCT_", "SCONTROL_", "SINFO_")
_CHANGING = frozenset({"SLURM_CLUSTERS", "SLURM_TIME_FORMAT", "SLURM_BITSTR_LEN", "SLURM_JSON", "SLURM_YAML"})
"""Variables that change what the commands print."""


class Refused(OSError):
    """A command ended with an error; the message is what it said."""


@dataclass(frozen=True, slots=True)
class Commands:
    """How commands are run.

    prefix:  put before each. With one the variables below are set by `env`, as ssh passes none on.
    timeout: seconds.
    most:    bytes of output.
    """

    prefix: Sequence[str] = ()
    timeout: float = 30.0
    most: int = 128 << 20

    def run(self, *command: str, variables: Mapping[str, str] | None = None) -> bytes:
        """What a command prints.

        Raises Unreadable when it is not there or prints too much, TimeoutError, Refused when it fails.
        """
        given = dict(variables or {})
        words = list(command)
        if self.prefix and given:
            words = ["env", *(f"{name}={value}" for name, value in given.items()), *words]
        words = [*self.prefix, *words]
        if shutil.which(words[0]) is None:
            raise Unreadable(f"the command {words[0]} is not there")
        environment = {**_environment(), **given}
        with subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment,
            start_new_session=True,
        ) as process:  # fmt: skip
            try:
                said, error = self._collect(process, command[0])
            except BaseException:
                _end(process)
                raise
        if process.returncode != 0:
            reason = error.decode("utf-8", "replace").strip().partition("\n")[0][:500]
            reason = reason or f"exit code {process.returncode}"
            raise Refused(reason if reason.startswith(f"{command[0]}: ") else f"{command[0]}: {reason}")
        return said

    def _collect(self, process: subprocess.Popen[bytes], name: str) -> tuple[bytes, bytes]:
        """Standard output and the beginning of standard error, read until both end."""
        assert process.stdout is not None
        assert process.stderr is not None
        until = time.monotonic() + self.timeout
        said, error = bytearray(), bytearray()
        kept: dict[IO[bytes], bytearray] = {process.stdout: said, process.stderr: error}
        with selectors.DefaultSelector() as selector:
            for stream in kept:
                selector.register(stream, selectors.EVENT_READ)
            while selector.get_map():
                ready = selector.select(max(0.0, until - time.monotonic()))
                if not ready:
                    raise TimeoutError(f"{name} did not answer within {self.timeout:g} seconds")
                for key, _ in ready:
                    stream = process.stdout if key.fileobj is process.stdout else process.stderr
                    data = os.read(stream.fileno(), _PIECE)
                    if not data:
                        selector.unregister(stream)
                    elif stream is process.stdout or len(error) < _ERROR_BYTES:
                        kept[stream] += data
                if len(said) > self.most:
                    raise Unreadable(
                        f"{name} prints more than {self.most} bytes (output_bytes); name fewer jobs"
                    )
        try:
            process.wait(max(0.1, until - time.monotonic()))
        except subprocess.TimeoutExpired as problem:
            raise TimeoutError(f"{name} did not end within {self.timeout:g} seconds") from problem
        return bytes(said), bytes(error)


def _environment() -> dict[str, str]:
    """Ours, without what changes the form of the output."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(_OURS) and name not in _CHANGING
    }
    return {**kept, "LC_ALL": "C.UTF-8"}


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill it with everything it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
