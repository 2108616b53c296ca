"""A real Slurm cluster on one machine, in namespaces and a Debian tree of its own: nothing of it is seen outside, and all of
it ends with the process that started it.

Needs root, Debian's `debootstrap`, and an apt that is set up. To try the plugin on one:

    python3 -m plugins.slurm.tests.generate.cluster trixie /tmp/slurm-trixie /tmp/slurm-jobs

keeps a cluster up, whose commands are reached from outside by the prefix it says.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

PACKAGES = "slurm-wlm,slurmdbd,mariadb-server,munge,procps,slurm-wlm-basic-plugins"
NODES = ("node1", "node2", "node3")
"""Nodes with a slurmd. node4 is configured and never comes up."""
USER = "runner"

SLURM_CONF = """\
ClusterName=test
SlurmctldHost=controller(127.0.0.1)
AuthType=auth/munge
SlurmUser=slurm
StateSaveLocation=/var/lib/slurm/controller
SlurmdSpoolDir=/var/lib/slurm/%n
SlurmctldLogFile=/var/log/slurm/slurmctld.log
SlurmdLogFile=/var/log/slurm/%n.log
SlurmctldPidFile=/run/slurmctld.pid
SlurmdPidFile=/run/slurmd-%n.pid
ProctrackType=proctrack/linuxproc
TaskPlugin={task}
MpiDefault=none
ReturnToService=2
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=5,bf_interval=5,batch_sched_delay=0,sched_min_interval=0
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
PreemptType=preempt/partition_prio
PreemptMode=CANCEL
GresTypes=gpu
JobRequeue=1
KillWait=2
MinJobAge=3600
SlurmdParameters=config_overrides
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=controller
AccountingStorageTRES=gres/gpu
AccountingStoreFlags=job_comment,job_env,job_script
NodeName=node[1-3] NodeHostname=controller NodeAddr=127.0.0.1 Port=[17001-17003] CPUs=4 RealMemory=2000 Gres=gpu:a100:2
NodeName=node4 NodeHostname=elsewhere NodeAddr=127.0.0.1 Port=17009 CPUs=4 RealMemory=2000
PartitionName=main Nodes=node[1-2] Default=YES DefaultTime=10 MaxTime=1-0 PriorityTier=10 DefMemPerCPU=100
PartitionName=spare Nodes=node[3-4] MaxTime=INFINITE PriorityTier=1 DefMemPerCPU=100
PartitionName=urgent Nodes=node3 MaxTime=1:00:00 PriorityTier=20 DefMemPerCPU=100
"""
SLURMDBD_CONF = """\
AuthType=auth/munge
DbdHost=controller
SlurmUser=slurm
StorageType=accounting_storage/mysql
StorageUser=slurm
StorageLoc=slurm
LogFile=/var/log/slurm/slurmdbd.log
PidFile=/run/slurmdbd.pid
"""


def in_namespaces() -> None:
    """Run this program again in namespaces of its own, once."""
    if os.environ.get("SLURM_GENERATE") == "1":
        return
    flags = [
        "--mount",
        "--pid",
        "--fork",
        "--kill-child",
        "--uts",
        "--net",
        "--ipc",
        "--propagation",
        "private",
    ]
    again = ["unshare", *flags, sys.executable, *sys.orig_argv[1:]]
    try:
        done = subprocess.run(again, check=False, env={**os.environ, "SLURM_GENERATE": "1"})
    finally:
        for left in Path("/sys/fs/cgroup/memory").glob("slurm_node*"):
            subprocess.run(
                ["find", str(left), "-depth", "-type", "d", "-exec", "rmdir", "{}", ";"], check=False
            )
    sys.exit(done.returncode)


def bootstrap(suite: str, root: Path) -> None:
    """Install a Debian release with Slurm, unless it is there."""
    if (root / "usr/sbin/slurmctld").exists():
        return
    sources = "".join(path.read_text() for path in Path("/etc/apt").rglob("*sources*") if path.is_file())
    found = re.search(r"^(?:URIs: *|deb (?:\[.*?\] )?)(\S+/debian)\b", sources, re.MULTILINE)
    if found is None:
        sys.exit("apt names no Debian mirror")
    subprocess.run(
        ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", suite, str(root), found[1]], check=True
    )


class Cluster:
    """The cluster in the tree `root`; `shared` is a folder for jobs, at the same path inside and outside."""

    def __init__(self, root: Path, shared: Path) -> None:
        self.root = root
        self.shared = shared

    def run(self, *command: str, user: str | None = None, cwd: str | None = None, check: bool = True) -> str:
        """What a command inside prints."""
        inside = ["chroot", *([f"--userspec={user}"] if user else []), str(self.root)]
        if cwd is not None:
            inside += ["env", "-C", cwd]
        done = subprocess.run(
            [*inside, *command], capture_output=True, text=True, check=False, env=_ENVIRONMENT
        )
        if check and done.returncode:
            sys.exit(f"{' '.join(command)}: {done.stdout}{done.stderr}")
        return done.stdout

    def start(self) -> None:
        """Set everything up and wait until the nodes are there."""
        self._prepare()
        self._database()
        self._daemon("munged", "--force", user="munge")
        _wait("munge", (self.root / "run/munge/munge.socket.2").exists)
        self._daemon("slurmdbd", "-D", user="slurm")
        _wait("slurmdbd", lambda: "Cluster" in self.run("sacctmgr", "show", "cluster", check=False))
        self.run("sacctmgr", "-i", "add", "cluster", "test", check=False)
        self.run("sacctmgr", "-i", "add", "account", "research", check=False)
        self.run("sacctmgr", "-i", "add", "user", USER, "account=research", check=False)
        self._daemon("slurmctld", "-D", user="slurm")
        for node in NODES:
            self._daemon("slurmd", "-D", "-N", node)
        _wait("nodes", lambda: self.run("sinfo", "-h", "-N", "-t", "idle", check=False).count("node") >= 4)

    def _prepare(self) -> None:
        subprocess.run(["hostname", "controller"], check=True)
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        # An address that is not 127.0.0.1: without one the resolver takes the machine for one without IPv4.
        subprocess.run(["ip", "address", "add", "192.168.7.1/24", "dev", "lo"], check=True)
        subprocess.run(["mount", "--bind", str(self.root), str(self.root)], check=True)
        for kind, target in (("proc", "proc"), ("sysfs", "sys"), ("tmpfs", "run"), ("tmpfs", "dev/shm")):
            (self.root / target).mkdir(exist_ok=True)
            subprocess.run(["mount", "-t", kind, kind, str(self.root / target)], check=True)
        self.shared.mkdir(parents=True, exist_ok=True)
        inside = self.root / str(self.shared).lstrip("/")
        inside.mkdir(parents=True, exist_ok=True)
        subprocess.run(["mount", "--bind", str(self.shared), str(inside)], check=True)
        self.run("useradd", "-m", "-u", "5001", USER, check=False)
        os.chown(self.shared, 5001, 5001)
        self.write("etc/hosts", "127.0.0.1 localhost controller elsewhere\n")
        key = self.root / "etc/munge/munge.key"
        key.unlink(missing_ok=True)
        key.write_bytes(secrets.token_bytes(128))
        key.chmod(0o400)
        self.run("chown", "munge:munge", "/etc/munge/munge.key")
        for folder, owner in (
            ("var/lib/slurm", "slurm"),
            ("var/log/slurm", "slurm"),
            ("run/munge", "munge"),
            ("run/mariadbd", "mysql"),
        ):
            if folder.startswith("var"):
                shutil.rmtree(self.root / folder, ignore_errors=True)
            (self.root / folder).mkdir(parents=True, exist_ok=True)
            self.run("chown", owner, f"/{folder}")
        (self.root / "var/lib/slurm/controller").mkdir()
        self.run("chown", "slurm", "/var/lib/slurm/controller")
        cgroups = Path("/sys/fs/cgroup/memory").is_dir()
        self.write(
            "etc/slurm/slurm.conf", SLURM_CONF.replace("{task}", "task/cgroup" if cgroups else "task/none")
        )
        self.write("etc/slurm/slurmdbd.conf", SLURMDBD_CONF)
        (self.root / "etc/slurm/slurmdbd.conf").chmod(0o600)
        self.run("chown", "slurm", "/etc/slurm/slurmdbd.conf")
        self.write("etc/slurm/gres.conf", "NodeName=node[1-3] Name=gpu Type=a100 File=/dev/gpu[0-1]\n")
        for number in range(2):
            if not (self.root / f"dev/gpu{number}").exists():
                self.run("mknod", f"/dev/gpu{number}", "c", "1", "3")
        # With cgroups of version 1 a job that takes too much memory ends as OUT_OF_MEMORY; without any it just fails.
        if cgroups:
            self.write(
                "etc/slurm/cgroup.conf",
                "CgroupPlugin=cgroup/v1\nConstrainRAMSpace=yes\nAllowedRAMSpace=100\n",
            )
            subprocess.run(
                ["mount", "--rbind", "/sys/fs/cgroup", str(self.root / "sys/fs/cgroup")], check=True
            )
        else:
            self.write("etc/slurm/cgroup.conf", "CgroupPlugin=disabled\n")

    def _database(self) -> None:
        # Where the data and the socket lie differs between releases.
        for folder in ("mysql", "mariadb"):
            shutil.rmtree(self.root / "var/lib" / folder, ignore_errors=True)
        (self.root / "run/mysqld").symlink_to("mariadbd")
        self.run("mariadb-install-db", "--user=mysql")
        self._daemon("mariadbd", "--user=mysql", "--skip-networking")
        sql = "CREATE DATABASE slurm; CREATE USER 'slurm'@'localhost'; GRANT ALL ON slurm.* TO 'slurm'@'localhost'"
        _wait("mariadb", lambda: any((self.root / "run").glob("m*d/mysqld.sock")))
        self.run("mariadb", "-e", sql)

    def write(self, path: str, text: str) -> None:
        """A file of the tree."""
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def _daemon(self, *command: str, user: str | None = None) -> None:
        inside = ["chroot", *([f"--userspec={user}"] if user else []), str(self.root), *command]
        log = (self.root / "tmp" / f"{command[0]}-{command[-1]}.log").open("wb")
        subprocess.Popen(inside, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=_ENVIRONMENT)

    def submit(self, script: str, *options: str) -> str:
        """Submit a batch script as the user, in the shared folder; gives the job's id."""
        path = self.shared / ".script"
        path.write_text(f"#!/bin/bash\n{script}\n")
        said = self.run(
            "sbatch", "--parsable", *options, str(path), user=f"{USER}:{USER}", cwd=str(self.shared)
        )
        return said.strip().partition(";")[0]

    def state(self, job: str) -> str:
        """The state of a job or array task, as squeue has it, empty when it has none."""
        return self.run("squeue", "-h", "-t", "all", "-j", job, "-o", "%T", check=False).partition("\n")[0]

    def await_state(self, job: str, *states: str) -> None:
        """Wait until a job is in one of these states."""
        _wait(f"job {job} to be {' or '.join(states)}", lambda: self.state(job) in states, 240)


_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "TERM": "dumb"}


def _wait(what: str, holds: Callable[[], bool], seconds: float = 90) -> None:
    until = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > until:
            sys.exit(f"waited for {what} in vain")
        time.sleep(0.5)


def serve(arguments: Sequence[str]) -> None:
    """Only keep a cluster up, until somebody ends this process: `cluster.py SUITE ROOT SHARED`."""
    suite, root, shared = arguments
    bootstrap(suite, Path(root))
    in_namespaces()
    Cluster(Path(root), Path(shared)).start()
    sys.stdout.write(
        f"ready: nsenter -t PID -m -u -n -i -p chroot {root}, PID being that of the child of unshare\n"
    )
    sys.stdout.flush()
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            time.sleep(3600)


if __name__ == "__main__":
    serve(sys.argv[1:])
