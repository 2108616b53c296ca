"""Record what a Slurm of a Debian release says of a fixed set of jobs: SUITE ROOT FOLDER, as root.

    python3 -m plugins.slurm.tests.generate.record bookworm /tmp/slurm-bookworm plugins/slurm/tests/data

ROOT is where the release is installed (a new folder, some 700 MB). FOLDER/<version>/ gets the output of every command, before
(`early`) and after (`late`) the jobs came to their ends, compressed and otherwise as it was, and `jobs.json`: the ids of the
jobs by what happens to them. Takes about three minutes; a job's shortest time limit is one.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
import sys
import time
from pathlib import Path

from plugins.slurm.tests.generate.cluster import Cluster, bootstrap, in_namespaces

SHARED = Path("/tmp/slurm-jobs")
LONG = "sleep 600"
EPOCH = ("env", "SLURM_TIME_FORMAT=%s")
FIELDS = (
    "JobIDRaw", "JobID", "UID", "User", "Group", "Account", "Partition", "QOS", "Cluster", "State", "ExitCode", "Submit", "Eligible",
    "Start", "End", "TimelimitRaw", "Priority", "NNodes", "NCPUS", "ReqTRES", "AllocTRES", "NodeList", "Reason", "Reservation",
    "Constraints", "WorkDir", "JobName",
)  # fmt: skip
COMMANDS = {
    "config.txt": ("scontrol", "show", "config"),
    "queue.json": ("squeue", "--json", "--states=all"),
    "jobs.json": ("scontrol", "show", "job", "--json"),
    "nodes.json": ("scontrol", "show", "node", "--json"),
    "partitions.json": ("scontrol", "show", "partition", "--json"),
    "accounting.json": ("sacct", "--json", "--duplicates", "--allusers", "--starttime=now-1days"),
    "jobs.txt": (*EPOCH, "scontrol", "show", "job", "--oneliner"),
    "nodes.txt": (*EPOCH, "scontrol", "show", "node", "--oneliner"),
    "partitions.txt": ("scontrol", "show", "partition", "--oneliner"),
    "accounting.txt": (
        *EPOCH,
        "sacct",
        "--parsable2",
        "--noheader",
        "--allocations",
        "--duplicates",
        "--allusers",
        "--starttime=now-1days",
        f"--format={','.join(FIELDS)}",
    ),
}


def submit_early(cluster: Cluster) -> dict[str, str]:
    """Jobs that are looked at while they wait or run, too."""
    submit = cluster.submit
    jobs = {
        "ok": submit("echo begin; echo warn >&2; sleep 2; echo end", "-J", "train-ok", "-o", "out/%x-%j.out", "-e", "out/%x-%j.err"),
        "fail": submit("echo before; exit 3", "-J", "eval", "--comment", "ünï | 'quoted' \"text\""),
        "signal": submit("kill -SEGV $$", "-J", "crash"),
        "timeout": submit(f"echo working; {LONG}", "-J", "slow", "--time=1"),
        "oom": submit("held=$(head -c 100M /dev/zero | tr '\\0' x); sleep 60", "-J", "hungry", "--mem=50"),
        "running": submit(f"echo alive; {LONG}", "-J", "gpu run", "--gres=gpu:a100:1", "-A", "research", "--time=2:00:00"),
        "steps": submit("srun -n1 true; srun -n1 false; srun -n1 sleep 1", "-J", "steps", "-n", "2"),
        "array": submit("echo task $SLURM_ARRAY_TASK_ID; sleep 600", "-J", "sweep", "--array=0-9%2", "-o", "%x_%A-%a.log", "-p", "spare"),
        "held": submit(LONG, "-J", "held", "--hold"),
        "later": submit(LONG, "-J", "later", "--begin=now+1hour"),
        "large": submit(LONG, "-J", "large", "-N", "2", "--exclusive"),
        "requeued": submit("echo attempt $SLURM_RESTART_COUNT; sleep 600", "-J", "again", "--requeue", "--open-mode=append"),
        "cancelled": submit(f"echo running; {LONG}", "-J", "unwanted"),
        "suspended": submit(LONG, "-J", "paused"),
        "het": submit(LONG, "-J", "mixed", "-n1", ":", "-n1"),
        "deadline": submit(LONG, "-J", "too-late", "-N", "2", "--exclusive", "--time=1", "--deadline=now+90seconds"),
    }  # fmt: skip
    jobs["dependent"] = submit("true", "-J", "after", "-d", f"afterok:{jobs['ok']}:{jobs['running']}")
    jobs["never"] = submit("true", "-J", "never", "-d", f"afterok:{jobs['running']}")
    jobs["withdrawn"] = submit("true", "-J", "withdrawn", "--hold")
    return jobs


def play(cluster: Cluster, jobs: dict[str, str]) -> None:
    """What happens to them until the first look."""
    for name in ("running", "cancelled", "suspended"):
        cluster.await_state(jobs[name], "RUNNING")
    cluster.run("scontrol", "suspend", jobs["suspended"])
    cluster.run("scancel", jobs["withdrawn"], user="runner:runner")
    for name, state in (("fail", "FAILED"), ("signal", "FAILED"), ("ok", "COMPLETED")):
        cluster.await_state(jobs[name], state)
    cluster.await_state(f"{jobs['array']}_1", "RUNNING")


def finish(cluster: Cluster, jobs: dict[str, str]) -> None:
    """Bring them to their ends."""
    cluster.run("scancel", jobs["cancelled"], user="runner:runner")
    cluster.run("scancel", f"{jobs['array']}_0")
    cluster.await_state(jobs["timeout"], "TIMEOUT")
    cluster.run("scontrol", "resume", jobs["suspended"])
    cluster.run("scancel", "--signal=KILL", "--batch", jobs["suspended"])
    cluster.await_state(jobs["requeued"], "RUNNING")
    cluster.run("scontrol", "requeue", jobs["requeued"])
    cluster.await_state(jobs["oom"], "OUT_OF_MEMORY", "FAILED", "CANCELLED")
    cluster.await_state(jobs["deadline"], "DEADLINE", "CANCELLED")
    # A job of higher priority takes the node from one below it.
    cluster.run("scancel", jobs["array"])
    jobs["preempted"] = cluster.submit(LONG, "-J", "pushed-out", "-p", "spare", "--no-requeue")
    cluster.await_state(jobs["preempted"], "RUNNING")
    jobs["urgent"] = cluster.submit("sleep 5", "-J", "urgent", "-p", "urgent", "--exclusive")
    cluster.await_state(jobs["preempted"], "PREEMPTED")
    cluster.await_state(jobs["urgent"], "COMPLETED")
    jobs["stranded"] = cluster.submit(LONG, "-J", "stranded", "-p", "spare", "--no-requeue")
    cluster.await_state(jobs["stranded"], "RUNNING")
    cluster.run("scontrol", "update", "NodeName=node3", "State=DOWN", "Reason=power supply")
    cluster.await_state(jobs["stranded"], "NODE_FAIL")
    cluster.await_state(jobs["requeued"], "RUNNING")
    # The database is told a moment later.
    time.sleep(5)


def look(cluster: Cluster, folder: Path, moment: str) -> None:
    """Keep what every command says now, but for the kernel, which is that of the machine that this runs on."""
    machine = os.uname()
    for name, command in COMMANDS.items():
        said = cluster.run(*command, check=False).replace(f"{machine.release} {machine.version}", "6.1.0")
        (folder / f"{moment}-{name}.gz").write_bytes(gzip.compress(said.encode(), mtime=0))


def main(suite: str, root: Path, out: Path) -> None:
    """Record."""
    bootstrap(suite, root)
    in_namespaces()
    shutil.rmtree(SHARED, ignore_errors=True)
    cluster = Cluster(root, SHARED)
    cluster.start()
    version = cluster.run("scontrol", "--version").split()[-1]
    folder = out / version
    folder.mkdir(parents=True, exist_ok=True)
    (SHARED / "out").mkdir()
    cluster.run("chown", "runner", str(SHARED / "out"))
    jobs = submit_early(cluster)
    play(cluster, jobs)
    look(cluster, folder, "early")
    finish(cluster, jobs)
    look(cluster, folder, "late")
    (folder / "jobs.json").write_text(json.dumps(jobs, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
