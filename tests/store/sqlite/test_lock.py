"""The lock of all processes, and where it can be trusted."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from graphql_runs.model.errors import InvalidInput, StoreUnavailable
from graphql_runs.store.sqlite import SqliteStore
from graphql_runs.store.sqlite import store as adapter
from graphql_runs.store.sqlite.lock import FileLock, file_system, refuse_network

MOUNTS = """\
24 30 0:22 / /proc rw,nosuid shared:13 - proc proc rw
30 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
41 30 0:35 / /data rw shared:2 - nfs4 server:/export rw,vers=4.2
42 41 8:2 / /data/local rw shared:3 - xfs /dev/sdb1 rw
43 30 0:36 / /mnt/with\\040space rw shared:4 - fuse.sshfs user@host:/ rw
44 30 0:37 / /mnt/share rw - cifs //host/share rw
45 30 0:38 / /mnt/disk rw - ext4 /dev/sdc rw
46 30 0:39 / /mnt/disk rw - 9p host rw
47 30 0:40 / /mnt/fuse rw - fuse.portal portal rw
a line of something else
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/srv/a/runs.sqlite", "ext4"),
        ("/data/runs.sqlite", "nfs4"),
        ("/data/local/deep/runs.sqlite", "xfs"),
        ("/database/runs.sqlite", "ext4"),
        ("/mnt/with space/runs.sqlite", "fuse.sshfs"),
        ("/mnt/share/runs.sqlite", "cifs"),
        ("/mnt/disk/runs.sqlite", "9p"),
        ("/mnt/fuse/runs.sqlite", "fuse.portal"),
    ],
)
def test_network_file_systems_are_known_and_refused(path: str, kind: str) -> None:
    assert file_system(Path(path), MOUNTS) == kind
    if kind in ("ext4", "xfs", "fuse.portal"):
        refuse_network(Path(path), MOUNTS)
    else:
        with pytest.raises(InvalidInput, match=kind) as caught:
            refuse_network(Path(path), MOUNTS)
        assert caught.value.field == "store"


def test_where_mounts_are_unknown_nothing_is_refused() -> None:
    assert file_system(Path("/data/x"), "") == ""
    refuse_network(Path("/data/x"), "")


async def test_a_store_on_a_network_file_system_is_not_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(f"30 1 8:1 / / rw - ext4 /dev/sda1 rw\n41 30 0:35 / {tmp_path} rw - nfs server:/x rw\n")
    monkeypatch.setattr(adapter, "_MOUNTS", mounts)
    with pytest.raises(InvalidInput, match="network file system"):
        await SqliteStore.open(tmp_path / "runs.sqlite")
    assert not (tmp_path / "runs.sqlite").exists()


def test_one_holds_it_and_others_wait(tmp_path: Path) -> None:
    inside = 0
    most = 0
    turns = 0

    def work() -> None:
        nonlocal inside, most, turns
        lock = FileLock(tmp_path / "store")
        for _ in range(50):
            with lock:
                inside += 1
                most = max(most, inside)
                turns += 1
                inside -= 1
        lock.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (most, turns) == (1, 200)


def test_who_waits_comes_before_who_held_it(tmp_path: Path) -> None:
    """A writer that commits without a pause lets the next one in."""
    steady, other = FileLock(tmp_path / "store"), FileLock(tmp_path / "store")
    waits, done = threading.Event(), threading.Event()

    def take() -> None:
        waits.set()
        with other:
            done.set()

    with steady:
        waiting = threading.Thread(target=take)
        waiting.start()
        waits.wait()
    turns = 0
    while not done.is_set():
        with steady:
            turns += 1
            # As long as a commit takes.
            done.wait(0.001)
    waiting.join()
    # It was in the queue within the first few of the turns; without a queue it would be luck.
    assert turns < 1000
    steady.close()
    other.close()


def test_a_lock_that_stays_taken_is_an_error(tmp_path: Path) -> None:
    holder, other = FileLock(tmp_path / "store"), FileLock(tmp_path / "store", timeout=0.05)
    with holder, pytest.raises(StoreUnavailable, match=r"store\.lock"):
        other.__enter__()
    # It is free again, and the one that gave up left nothing behind.
    with other:
        pass
    with holder:
        pass
    holder.close()
    other.close()
