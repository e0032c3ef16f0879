"""A cluster of nine invented nodes in one Debian: its daemons, its clock, its people, and what it says at the end.

Part of `scripts/real-slurm`, which runs this as the first process of a namespace. The jobs are in `slurm_jobs.py`.
"""

from __future__ import annotations

import calendar
import contextlib
import datetime
import fcntl
import json
import os
import pathlib
import shutil
import socket
import stat
import struct
import subprocess
import sys
import time
import traceback

sys.dont_write_bytecode = True
import slurm_jobs  # noqa: E402

FIELDS = ("Cluster,JobIDRaw,JobID,DBIndex,SLUID,Account,User,UID,Partition,QOS,WCKey,Reservation,State,ExitCode,"
          "Submit,Eligible,Start,End,ElapsedRaw,Suspended,AllocCPUS,NNodes,NodeList,AllocTRES,ReqTRES,Flags,"
          "Restarts").split(",")
SIX = "JobID,Account,Partition,AllocCPUS,Elapsed,State"
WINDOW = ["-S", "2025-01-01T00:00:00", "-E", "2025-03-01T00:00:00"]
# What a job's JSON says about the machine and the person, and nothing that is billed.
PERSONAL = ("working_directory", "submit_line", "script", "stdin", "stdout", "stderr", "stdin_expanded",
            "stdout_expanded", "stderr_expanded")
PEOPLE = {"ann": 2001, "bob": 2002, "cyd": 2003, "dee": 2004, "rest": 2010}
TRES = "cpu,mem,node,billing,gres/gpu,gres/gpu:a100,gres/gpu:v100,license/matlab"
GPUS = ["a100"] * 4 + ["v100"] * 2

SLURM_CONF = """\
ClusterName=lab
SlurmctldHost=head(127.0.0.1)
SlurmUser=slurm
AuthType=auth/munge
# A requeued job waits until its credential is void: seconds instead of minutes.
AuthInfo=cred_expire=5
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin={task}
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
DefMemPerCPU=100
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=5
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStorageEnforce=associations,limits,qos
AccountingStorageTRES=gres/gpu,gres/gpu:a100,gres/gpu:v100,license/matlab
TrackWCKey=yes
Licenses=matlab:4
GresTypes=gpu
# The nodes have more cores and memory than the machine under them.
SlurmdParameters=config_overrides
ReturnToService=2
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
JobRequeue=1
KillWait=2
MessageTimeout=30
SlurmdTimeout=0
SchedulerParameters=bf_interval=3,sched_interval=5
StateSaveLocation=/var/spool/slurmctld
SlurmctldLogFile=/var/log/lab/slurmctld.log
SlurmctldPidFile=/run/slurmctld.pid
SlurmdSpoolDir=/var/spool/slurmd-%n
SlurmdLogFile=/var/log/lab/slurmd-%n.log
SlurmdPidFile=/run/slurmd-%n.pid
NodeName=DEFAULT CPUs=16 RealMemory=64000 State=UNKNOWN
{nodes}
NodeName=g01 NodeHostname=head NodeAddr=127.0.0.1 Port=7101 Gres=gpu:a100:4,gpu:v100:2
PartitionName=all Nodes=ALL State=INACTIVE
PartitionName=cpu Nodes=n[01-02] Default=YES
PartitionName=bigmem Nodes=n03 TRESBillingWeights=CPU=2.0,Mem=0.25G
PartitionName=gpu Nodes=g01 TRESBillingWeights=CPU=1.0,Mem=0.25G,GRES/gpu=20.0
PartitionName=scavenge Nodes=n04 PriorityTier=1 PreemptMode=REQUEUE
PartitionName=spare Nodes=n04 PriorityTier=1 PreemptMode=CANCEL
PartitionName=urgent Nodes=n04 PriorityTier=10 PreemptMode=OFF
PartitionName=fragile Nodes=n05
PartitionName=whole Nodes=n06 OverSubscribe=EXCLUSIVE
PartitionName=wide Nodes=n[07-08]
PartitionName=course Nodes=n09
"""
CGROUP_CONF = """\
CgroupPlugin=cgroup/v1
CgroupMountpoint=/sys/fs/cgroup
ConstrainRAMSpace=yes
"""
NODES = [f"n{n:02}" for n in range(1, 10)]

SLURMDBD_CONF = """\
AuthType=auth/munge
DbdHost=localhost
SlurmUser=slurm
LogFile=/var/log/lab/slurmdbd.log
PidFile=/run/slurmdbd/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser=slurm
StoragePass=slurm
StorageLoc=slurm_acct_db
TrackWCKey=yes
"""


# Of linux/sockios.h and linux/if.h.
SIOCSIFFLAGS, SIOCSIFADDR, IFF_UP, IFF_RUNNING = 0x8914, 0x8916, 0x1, 0x40


class Clock:
    """Times inside are ours: a file says how far they are from the machine's, and libfaketime reads it each second."""

    FILE = "/etc/faketime"

    def __init__(self) -> None:
        self.offset = 0

    def put(self, moment: str) -> None:
        there = int(datetime.datetime.fromisoformat(moment + "+00:00").timestamp())
        self.offset = there - int(time.time())
        pathlib.Path(self.FILE).write_text(f"{self.offset:+d}\n", encoding="utf-8")
        time.sleep(2)

    @contextlib.contextmanager
    def still(self):
        """Nothing ages meanwhile, so that what is asked one after the other is of one moment."""
        pathlib.Path(self.FILE).write_text(self.text() + "\n", encoding="utf-8")
        time.sleep(2)
        yield
        pathlib.Path(self.FILE).write_text(f"{self.offset:+d}\n", encoding="utf-8")
        time.sleep(2)

    def now(self) -> int:
        return int(time.time()) + self.offset

    def text(self) -> str:
        return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(self.now()))


class Lab:
    """The running cluster: what a scenario asks of it."""

    def __init__(self, root: pathlib.Path, place: pathlib.Path, output: pathlib.Path):
        self.clock, self.daemons, self.last = Clock(), {}, ""
        self.memory_is_limited = enter(root, place, output)
        preload = next(pathlib.Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
        self.env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/tmp", "LANG": "C.UTF-8", "TZ": "UTC",
                    "LD_PRELOAD": str(preload), "FAKETIME_TIMESTAMP_FILE": Clock.FILE, "FAKETIME_CACHE_DURATION": "1",
                    "DONT_FAKE_MONOTONIC": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1", "NO_FAKE_STAT": "1"}

    def is_old(self) -> bool:
        """Slurm 22.05, whose interfaces differ from those of 24.11."""
        return self.run("slurmd", "-V").split()[1].startswith("22.")

    def say(self, text: str) -> None:
        print(f"{self.clock.text()}  {text}", flush=True)

    def run(self, *line: object, user: str | None = None, env: dict[str, str] | None = None, check: bool = True) -> str:
        number = PEOPLE[user] if user else 0
        done = subprocess.run([str(word) for word in line], env=self.env | (env or {}), cwd="/tmp", text=True,
                              capture_output=True, user=number, group=number, extra_groups=[])
        if check and done.returncode != 0:
            raise SystemExit(f"error: `{' '.join(map(str, line))}` failed:\n{done.stdout}{done.stderr}")
        return done.stdout

    def start(self, name: str, *line: str, user: str | None = None) -> None:
        rows = [row.split(":") for row in pathlib.Path("/etc/passwd").read_text(encoding="utf-8").splitlines()]
        number, group = next((int(row[2]), int(row[3])) for row in rows if row[0] == (user or "root"))
        log = open(f"/var/log/lab/{name}.out", "a", encoding="utf-8")
        self.daemons[name] = subprocess.Popen(line, env=self.env, cwd="/tmp", stdin=subprocess.DEVNULL, stdout=log,
                                              stderr=log, start_new_session=True, user=number, group=group,
                                              extra_groups=[])

    def stop(self, name: str) -> None:
        daemon = self.daemons.pop(name)
        daemon.terminate()
        daemon.wait(60)

    def wait(self, what: str, until, seconds: int = 120):
        """Until `until()` is something; a daemon that died in the meantime ends it all."""
        end = time.monotonic() + seconds
        while not (found := until()):
            for name, daemon in self.daemons.items():
                if daemon.poll() is not None:
                    raise SystemExit(f"error: {name} ended with {daemon.returncode} while waiting for {what}")
            if end < time.monotonic():
                queue = self.run("squeue", "-a", check=False)
                raise SystemExit(f"error: no {what} within {seconds} s\n{self.last}{queue}")
            time.sleep(0.5)
        return found

    def answers(self, *line: str) -> bool:
        done = subprocess.run(line, env=self.env, text=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.last = done.stderr
        return done.returncode == 0


def enter(root: pathlib.Path, place: pathlib.Path, output: pathlib.Path) -> bool:
    """Debian under a layer in memory becomes the root of this process; all mounts end with the namespace.

    Whether a job's memory can be limited: by cgroups of version 1, in a folder that the caller made and removes.
    """
    def mount(*line: object) -> None:
        subprocess.run(["mount", *map(str, line)], check=True)

    mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", place)
    for name in ("upper", "work", "root"):
        (place / name).mkdir()
    inside = place / "root"
    mount("-t", "overlay", "-o", f"lowerdir={root},upperdir={place}/upper,workdir={place}/work", "overlay", inside)
    mount("-t", "proc", "proc", inside / "proc")
    mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", inside / "dev")
    mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", inside / "run")
    (inside / "out").mkdir()
    mount("--bind", output, inside / "out")
    mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", inside / "sys")
    memory = pathlib.Path("/sys/fs/cgroup/memory", place.name)
    for_jobs = inside / "sys/fs/cgroup/memory"
    for_jobs.mkdir(parents=True)
    if memory.exists():
        mount("--bind", memory, for_jobs)
    socket.sethostname("head")
    raise_loopback()
    os.chroot(inside)
    os.chdir("/")
    os.umask(0)
    devices = {"null": (1, 3), "zero": (1, 5), "full": (1, 7), "random": (1, 8), "urandom": (1, 9), "tty": (5, 0)}
    # A GPU that only has a number is dropped by newer versions: each has a file, of a device that is not there.
    devices |= {f"gpu{n}": (240, n) for n in range(len(GPUS))}
    for name, (major, minor) in devices.items():
        os.mknod(f"/dev/{name}", 0o666 | stat.S_IFCHR, os.makedev(major, minor))
    os.umask(0o022)
    os.mkdir("/dev/shm", 0o1777)
    os.symlink("/proc/self/fd", "/dev/fd")
    return os.path.exists("/sys/fs/cgroup/memory/tasks")


def raise_loopback() -> None:
    """With a second address: where there is none but the loopback's own, no name of a server is looked up."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        address = struct.pack("16sHH4s8x", b"lo:1", socket.AF_INET, 0, socket.inet_aton("192.0.2.1"))
        up = struct.pack("16sh14x", b"lo", IFF_UP | IFF_RUNNING)
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, up)
        fcntl.ioctl(any_socket, SIOCSIFADDR, address)


def folder(path: str, owner: str, mode: int = 0o755) -> None:
    os.makedirs(path, exist_ok=True)
    subprocess.run(["chown", f"{owner}:", path], check=True)
    os.chmod(path, mode)


def write(path: str, text: str, owner: str = "root", mode: int = 0o644) -> None:
    pathlib.Path(path).write_text(text, encoding="utf-8")
    subprocess.run(["chown", f"{owner}:", path], check=True)
    os.chmod(path, mode)


def configure(lab: Lab) -> None:
    for name, number in PEOPLE.items():
        with open("/etc/passwd", "a", encoding="utf-8") as users, open("/etc/group", "a", encoding="utf-8") as groups:
            users.write(f"{name}:x:{number}:{number}::/tmp:/bin/sh\n")
            groups.write(f"{name}:x:{number}:\n")
    write("/etc/hosts", "127.0.0.1 localhost head\n")
    write("/etc/hostname", "head\n")
    os.chmod("/tmp", 0o1777)
    for path, owner in {"/var/log/lab": "root", "/run/munge": "munge", "/run/mysqld": "mysql", "/run/slurmdbd": "slurm",
                        "/run/rest": "rest", "/var/spool/slurmctld": "slurm", "/var/lib/lab": "mysql",
                        "/etc/slurm": "root"}.items():
        folder(path, owner)
    os.chmod("/var/log/lab", 0o777)
    write("/etc/munge/munge.key", os.urandom(512).hex(), "munge", 0o400)
    nodes = "\n".join(f"NodeName={name} NodeHostname=head NodeAddr=127.0.0.1 Port={7001 + n}"
                      for n, name in enumerate(NODES))
    task = "task/cgroup" if lab.memory_is_limited else "task/none"
    write("/etc/slurm/slurm.conf", SLURM_CONF.format(task=task, nodes=nodes))
    # Without groups nothing is limited; 22.05 does not know the word for that, and finds it out.
    none = "CgroupPlugin=cgroup/v1\n" if lab.is_old() else "CgroupPlugin=disabled\n"
    write("/etc/slurm/cgroup.conf", CGROUP_CONF if lab.memory_is_limited else none)
    write("/etc/slurm/slurmdbd.conf", SLURMDBD_CONF, "slurm", 0o600)
    write("/etc/slurm/gres.conf",
          "".join(f"NodeName=g01 Name=gpu Type={kind} File=/dev/gpu{n}\n" for n, kind in enumerate(GPUS)))


def start(lab: Lab) -> None:
    """Each daemon when the one that it needs answers."""
    lab.start("munged", "munged", "--foreground", user="munge")
    lab.wait("munge", lambda: lab.answers("munge", "--no-input"))
    lab.run("mariadb-install-db", "--user=mysql", "--datadir=/var/lib/lab", "--skip-test-db",
            "--auth-root-authentication-method=normal")
    lab.start("mariadbd", "mariadbd", "--user=mysql", "--datadir=/var/lib/lab", "--skip-networking",
              "--socket=/run/mysqld/mysqld.sock", "--innodb-buffer-pool-size=64M", "--innodb-lock-wait-timeout=900")
    lab.wait("database", lambda: lab.answers("mariadb-admin", "ping"))
    lab.run("mariadb", "-e", "create database slurm_acct_db; create user slurm@localhost identified by 'slurm'; "
                             "grant all on slurm_acct_db.* to slurm@localhost")
    start_slurmdbd(lab)
    lab.run("sacctmgr", "-i", "add", "cluster", "lab")
    for account, description in {"genome": "Genomes of mosses", "BigLab": "Bob's Big Lab", "climate": "Climate models",
                                 "course": "A course", "unknown": "Nobody knows"}.items():
        lab.run("sacctmgr", "-i", "add", "account", account, f"description={description}", "organization=example")
    lab.run("sacctmgr", "-i", "add", "qos", "half", "UsageFactor=0.5")
    for user, accounts in {"ann": "genome,climate", "bob": "BigLab", "cyd": "climate,unknown", "dee": "course"}.items():
        lab.run("sacctmgr", "-i", "add", "user", user, f"account={accounts}")
        lab.run("sacctmgr", "-i", "modify", "user", user, "set", "qos=normal,half")
    lab.start("slurmctld", "slurmctld", "-D", "-i", user="slurm")
    lab.wait("slurmctld", lambda: lab.answers("scontrol", "ping"))
    for name in [*NODES, "g01"]:
        start_slurmd(lab, name)
    lab.wait("nodes", lambda: lab.run("sinfo", "-h", "-p", "all", "-o", "%T", check=False).split() == ["idle"])
    plugins = ["-s", "openapi/dbv0.0.38"] if lab.is_old() else []
    lab.start("slurmrestd", "slurmrestd", "-a", "rest_auth/local", *plugins, "unix:/run/rest/socket", user="rest")
    lab.wait("slurmrestd", lambda: os.path.exists("/run/rest/socket"))
    rest(lab)


def start_slurmdbd(lab: Lab) -> None:
    lab.start("slurmdbd", "slurmdbd", "-D", user="slurm")
    lab.wait("slurmdbd", lambda: lab.answers("sacctmgr", "-n", "show", "cluster"))


def start_slurmd(lab: Lab, name: str) -> None:
    folder(f"/var/spool/slurmd-{name}", "root")
    lab.start(f"slurmd-{name}", "slurmd", "-D", "-N", name)


def sacct(lab: Lab, *line: str, **environment: str) -> str:
    return lab.run("sacct", "-a", "-X", "-D", *WINDOW, *line, env=environment)


def known_fields(lab: Lab) -> list[str]:
    there = {field.lower() for field in lab.run("sacct", "-e").split()}
    return [field for field in FIELDS if field.lower() in there]


EPOCH = {"TZ": "UTC", "SLURM_TIME_FORMAT": "%s"}


def record(lab: Lab) -> None:
    """What the cluster says now, by every way that a site may ask."""
    fields = "--format=" + ",".join(known_fields(lab))
    exact = ["-P", "--noconvert", fields]
    save("sacct.txt", sacct(lab, *exact, **EPOCH))
    save("sacct-unit.txt", sacct(lab, *exact, "--delimiter=\x1f", **EPOCH))
    save("sacct-iso.txt", sacct(lab, *exact))
    save("sacct-name.txt", sacct(lab, *exact[:-1], fields + ",JobName", **EPOCH))
    save("sacct-january.txt", lab.run("sacct", "-a", "-X", "-D", "-T", "-S", "2025-01-01T00:00:00", "-E",
                                      "2025-02-01T00:00:00", *exact, env=EPOCH))
    save("six.txt", lab.run("sacct", "-a", *WINDOW, f"--format={SIX}", "-X", "-P", "-n"))
    save_json("sacct.json", sacct(lab, "--json"))
    save_json("rest.json", rest(lab))
    save("tres.txt", lab.run("sacctmgr", "-P", "show", "tres"))


def rest(lab: Lab) -> str:
    """What slurmrestd answers, flag by flag: some versions change what they mean when none or some are given."""
    start, end = (calendar.timegm((2025, month, 1, 0, 0, 0)) for month in (1, 3))
    if lab.is_old():
        path = f"/slurmdb/v0.0.38/jobs/?start_time=uts{start}&end_time=uts{end}&skip_steps=true"
    else:
        path = (f"/slurmdb/v0.0.42/jobs/?start_time={start}&end_time={end}&skip_steps=true&show_duplicates=true"
                "&disable_truncate_usage_time=true")
    lab.rest_path = path
    answer = lab.run("curl", "-sS", "--unix-socket", "/run/rest/socket", f"http://localhost{path}", user="rest")
    if "jobs" not in json.loads(answer):
        raise SystemExit(f"error: slurmrestd says of {path}: {answer}")
    return answer


def save(name: str, text: str) -> None:
    pathlib.Path("/out", name).write_text(text, encoding="utf-8")


def save_json(name: str, text: str) -> None:
    """One job a line: what changed is seen in a diff."""
    answer = json.loads(text)
    jobs = answer.pop("jobs")
    for job in jobs:
        for key in PERSONAL:
            job.pop(key, None)
    lines = ",\n".join(json.dumps(job) for job in jobs)
    save(name, f'{{"jobs": [\n{lines}\n],\n{json.dumps(answer)[1:]}\n')


def close(lab: Lab) -> None:
    """The hours are over and rolled up: what sreport says of them, and sacct of jobs that ended since."""
    lab.stop("slurmctld")
    lab.stop("slurmdbd")
    lab.clock.put("2025-02-01 01:00:05")
    lab.say("the hour is over")
    # It rolls up the hours that are over when it starts.
    start_slurmdbd(lab)
    hours = (("2025-01-31T23:00:00", "2025-02-01T00:00:00"), ("2025-02-01T00:00:00", "2025-02-01T01:00:00"))

    def sums(hour: tuple[str, str]) -> str:
        return lab.run("sreport", "-P", "-t", "Seconds", "-T", TRES, "cluster", "AccountUtilizationByUser",
                       f"start={hour[0]}", f"end={hour[1]}")

    lab.wait("rollup", lambda: "genome" in sums(hours[1]))
    save("sreport.txt", "\n".join(sums(hour) for hour in hours))
    save("sacct-later.txt", sacct(lab, "-P", "--noconvert", "--format=" + ",".join(known_fields(lab)), **EPOCH))


def tell(lab: Lab, suite: str, seen: list[slurm_jobs.Seen]) -> None:
    rows = "".join(f"| {job.id} | {job.scenario.replace('|', chr(92) + '|')} | {job.what} |\n" for job in seen)
    save("jobs.md", f"| job | scenario | what is seen of it |\n|---|---|---|\n{rows}")
    known = known_fields(lab)
    missing = [field for field in FIELDS if field not in known]
    line = f"sacct -a -X -D {' '.join(WINDOW)} -P --noconvert --format={','.join(known)}"
    wanted = ("slurmctld", "mariadb-server", "munge")
    packages = lab.run("dpkg-query", "-W", "-f", "${Package} ${Version}\\n", *wanted)
    today = datetime.datetime.now(datetime.timezone.utc).date()
    save("about.txt", f"""\
recorded by scripts/real-slurm {suite} on {today}; times inside are of an invented clock
{lab.run("slurmd", "-V").strip()}; packages of Debian {suite}:
{packages}fields that this sacct lacks: {", ".join(missing) or "none"}
sacct.txt         TZ=UTC SLURM_TIME_FORMAT=%s {line}
sacct-unit.txt    the same with --delimiter=$'\\x1f'
sacct-iso.txt     the same as sacct.txt with sacct's own times, in UTC
sacct-name.txt    the same as sacct.txt with JobName at the end: one name holds the delimiter
sacct-january.txt the same as sacct.txt with -T -S 2025-01-01T00:00:00 -E 2025-02-01T00:00:00: clipped by sacct
sacct-later.txt   the same as sacct.txt an hour later, when the jobs that were running had been cancelled
six.txt           sacct -a {" ".join(WINDOW)} --format={SIX} -X -P -n
sacct.json        sacct -a -X -D {" ".join(WINDOW)} --json
rest.json         GET {lab.rest_path}
sreport.txt       sreport -P -t Seconds -T {TRES} cluster AccountUtilizationByUser, of each of the two hours
tres.txt          sacctmgr -P show tres
""")


def main() -> None:
    suite, root, place, output = sys.argv[1], *map(pathlib.Path, sys.argv[2:5])
    lab = Lab(root, place, output)
    configure(lab)
    lab.clock.put("2025-01-31 23:50:00")
    lab.say("starting")
    start(lab)
    lab.clock.put("2025-01-31 23:58:30")
    seen = slurm_jobs.run(lab)
    with lab.clock.still():
        record(lab)
    slurm_jobs.end(lab)
    close(lab)
    tell(lab, suite, seen)
    lab.say("recorded")


def reaping(act) -> int:
    """The first process of a namespace inherits those whose parents ended, and must see them off."""
    child = os.fork()
    if child == 0:
        try:
            act()
            code = 0
        except BaseException as error:
            code = 1
            if isinstance(error, SystemExit):
                print(error, file=sys.stderr)
            else:
                traceback.print_exc()
            if os.path.exists("/out"):
                shutil.copytree("/var/log/lab", "/out/logs", dirs_exist_ok=True)
                print("hint: the daemons' logs are in the folder `logs` of the output", file=sys.stderr)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    while True:
        ended, status = os.wait()
        if ended == child:
            return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(reaping(main))
