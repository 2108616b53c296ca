"""The lock under which all processes that use one store commit and checkpoint, and the file systems that keep it.

SQLite's own busy handler lets some of several steady writers starve. Here a writer first queues (`<store>.queue`) and then
takes the lock itself (`<store>.lock`), leaving the queue. Who has just committed finds the next one already in the queue and
so cannot overtake it. `flock` belongs to the open file, so the kernel frees it when a process dies.
"""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

from graphql_runs.model.errors import InvalidInput, StoreUnavailable

_PAUSE = 0.0001
_LONGEST_PAUSE = 0.002

# Names as in /proc/self/mountinfo. SQLite's shared memory and POSIX locks are not kept between machines on these:
# https://www.sqlite.org/wal.html#overview ("All processes using a database must be on the same host computer").
_NETWORK = frozenset(
    {
        "9p",
        "acfs",
        "afs",
        "beegfs",
        "ceph",
        "cifs",
        "coda",
        "davfs",
        "glusterfs",
        "gpfs",
        "lustre",
        "ncpfs",
        "nfs",
    }
    | {"nfs4", "ocfs2", "orangefs", "pvfs2", "smb2", "smb3", "smbfs"}
)
_NETWORK_FUSE = frozenset(
    {
        "afp",
        "blobfuse",
        "blobfuse2",
        "ceph",
        "curlftpfs",
        "davfs",
        "davfs2",
        "gcsfuse",
        "glusterfs",
        "goofys",
        "juicefs",
    }
    | {"moosefs", "rclone", "s3fs", "seaweedfs", "smbnetfs", "sshfs"}
)


class FileLock:
    """`with lock:` around every commit and checkpoint. For one thread; not reentrant."""

    def __init__(self, path: Path, *, timeout: float = 30.0) -> None:
        """Opens the two files beside the store at `path`. Raises OSError."""
        self._path = path
        self._timeout = timeout
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        self._queue = os.open(f"{path}.queue", flags, 0o644)
        try:
            self._lock = os.open(f"{path}.lock", flags, 0o644)
        except OSError:
            os.close(self._queue)
            raise

    def __enter__(self) -> None:
        self._take(self._queue)
        try:
            self._take(self._lock)
        finally:
            fcntl.flock(self._queue, fcntl.LOCK_UN)

    def __exit__(self, *_: object) -> None:
        fcntl.flock(self._lock, fcntl.LOCK_UN)

    def note(self) -> str:
        """The text that the lock file holds; for whoever has the lock."""
        return os.pread(self._lock, 4096, 0).decode("ascii", "replace")

    def set_note(self, text: str) -> None:
        """Replace the text that the lock file holds; for whoever has the lock."""
        os.pwrite(self._lock, text.encode("ascii"), 0)
        os.ftruncate(self._lock, len(text))

    def close(self) -> None:
        """Let go of both files."""
        os.close(self._queue)
        os.close(self._lock)

    def _take(self, file: int) -> None:
        deadline = 0.0
        pause = _PAUSE
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                now = time.monotonic()
                deadline = deadline or now + self._timeout
                if now > deadline:
                    raise StoreUnavailable(
                        f"another process has held {self._path}.lock for {self._timeout:.0f} s"
                    ) from None
            except OSError as error:
                raise StoreUnavailable(f"{self._path}.lock cannot be locked: {error.strerror}") from error
            time.sleep(pause)
            pause = min(pause * 1.02, _LONGEST_PAUSE)


def refuse_network(path: Path, mounts: str) -> None:
    """Raises InvalidInput when `path` (absolute, resolved) lies on a network file system.

    mounts: the text of /proc/self/mountinfo (https://docs.kernel.org/filesystems/proc.html), empty where there is none.
    """
    kind = file_system(path, mounts)
    head, _, rest = kind.partition(".")
    if head in _NETWORK or (head == "fuse" and rest in _NETWORK_FUSE):
        raise InvalidInput(
            f"{path} lies on a network file system ({kind}), where several processes would damage it; "
            "keep the store on a local disk",
            field="store",
        )


def file_system(path: Path, mounts: str) -> str:
    """The type of the file system that `path` lies on (`ext4`, `nfs4`, `fuse.sshfs`), empty when unknown."""
    best, kind = "", ""
    for line in mounts.splitlines():
        before, separator, after = line.partition(" - ")
        fields = before.split(" ")
        if not separator or len(fields) < 5:
            continue
        point = _unescape(fields[4])
        # The last of equal mount points hides the earlier ones.
        if len(point) >= len(best) and path.is_relative_to(point):
            best, kind = point, after.split(" ")[0]
    return kind


def _unescape(text: str) -> str:
    """Spaces and the like are octal escapes in mountinfo."""
    for code in ("040", "011", "012", "134"):
        text = text.replace(f"\\{code}", chr(int(code, 8)))
    return text
