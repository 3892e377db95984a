"""Clusters on this machine, in a network namespace that has only `lo`; a SLURM of two nodes."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Self

ADDRESS = "10.9.9.1"  # SLURM wants one that does not begin with 127
CONF = """
ClusterName=test
SlurmctldHost={host}({address})
SlurmctldPort=17001
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
CredType=cred/munge
CryptoType=crypto/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
MpiDefault=none
SwitchType=switch/none
ReturnToService=2
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
SlurmdParameters=config_overrides
KillWait=45
SlurmdTimeout=10
SchedulerParameters=sched_interval=2,bf_interval=2
NodeName=n1 NodeHostname={host} NodeAddr={address} Port=17002 CPUs=2 RealMemory=2000 State=UNKNOWN
NodeName=n2 NodeHostname={host} NodeAddr={address} Port=17003 CPUs=2 RealMemory=2000 State=UNKNOWN
PartitionName=all Nodes=n1,n2 Default=YES MaxTime=INFINITE State=UP
"""


def require_programs() -> None:
    """Fail where SLURM is not installed: a proof that did not run is none."""
    missing = [name for name in ("slurmctld", "slurmd", "munged", "ip") if not shutil.which(name)]
    if missing or os.getuid() != 0:
        raise RuntimeError(f"needs root and {missing}: apt-get install slurm-wlm munge iproute2")


def pids(*command: str) -> list[int]:
    """What pgrep finds."""
    return [int(pid) for pid in subprocess.run(command, capture_output=True).stdout.split()]


class Namespace:
    """A network namespace that has only `lo`, from `with` to its end.

    Args:
        environment: Variables of the programs that run in it.
    """

    def __init__(self, **environment: str) -> None:
        self.space = f"reprise-{secrets.token_hex(3)}"
        self.environment = {**os.environ, **environment}

    def words(self, *command: str) -> list[str]:
        """A command line that runs inside the namespace."""
        return ["nsenter", f"--net=/var/run/netns/{self.space}", *command]

    def call(self, *command: str) -> str:
        """Run a command inside the namespace; returns what it prints."""
        done = subprocess.run(
            self.words(*command), env=self.environment, check=True, capture_output=True, text=True
        )
        return done.stdout

    def __enter__(self) -> Self:
        subprocess.run(["ip", "netns", "add", self.space], check=True)
        self.call("ip", "link", "set", "lo", "up")
        return self

    def __exit__(self, *exc: object) -> None:
        subprocess.run(["ip", "netns", "delete", self.space], check=False)


class Slurm(Namespace):
    """SLURM's daemons.

    Args:
        folder: Where configuration, state and logs are.
    """

    def __init__(self, folder: Path) -> None:
        require_programs()
        super().__init__(SLURM_CONF=str(folder / "slurm.conf"))
        self.folder = folder

    def __enter__(self) -> Self:
        super().__enter__()
        for name in ("state", "spool", "munge"):
            (self.folder / name).mkdir(parents=True)
        self.call("ip", "addr", "add", f"{ADDRESS}/32", "dev", "lo")
        text = CONF.format(folder=self.folder, host=socket.gethostname(), address=ADDRESS)
        (self.folder / "slurm.conf").write_text(text)
        munge = self.folder / "munge"
        (munge / "key").write_bytes(secrets.token_bytes(1024))
        (munge / "key").chmod(0o600)
        files = {"key-file": "key", "socket": "socket", "pid-file": "pid"}
        files |= {"seed-file": "seed", "log-file": "log"}
        self.call("munged", "--force", *(f"--{key}={munge / name}" for key, name in files.items()))
        self.call("slurmctld", "-i", "-f", str(self.folder / "slurm.conf"))
        for node in ("n1", "n2"):
            self.start_node(node)
        while self.call("sinfo", "-h", "-N", "-o", "%T").split() != ["idle", "idle"]:
            time.sleep(0.2)
        return self

    def start_node(self, node: str) -> None:
        """Start the daemon of a node."""
        self.call("slurmd", "-N", node, "-f", str(self.folder / "slurm.conf"))

    def kill_node(self, node: str) -> None:
        """Kill the daemon of a node with all its jobs, as a loss of power does."""
        os.kill(int((self.folder / f"slurmd-{node}.pid").read_text()), signal.SIGKILL)
        for number in self.running(node).values():
            (step,) = pids("pgrep", "-f", rf"slurmstepd: \[{number}\.")
            tasks = pids("pgrep", "-P", str(step))
            for pid in (step, *tasks):  # in this order: nobody tells the controller
                os.kill(pid, signal.SIGKILL)

    def running(self, node: str = "") -> dict[str, str]:
        """The numbers of the jobs that run, by name."""
        of = [f"--nodelist={node}"] if node else []
        lines = self.call("squeue", "-h", "-t", "R", "-o", "%j %i", *of).splitlines()
        return dict(line.split() for line in lines)

    def __exit__(self, *exc: object) -> None:
        self.call("scancel", "--user=root")
        for file in ("slurmd-n1.pid", "slurmd-n2.pid", "slurmctld.pid", "munge/pid"):
            if (self.folder / file).exists():
                subprocess.run(["kill", (self.folder / file).read_text().strip()], check=False)
        time.sleep(1)
        super().__exit__(*exc)
