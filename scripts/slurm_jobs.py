"""Jobs of every kind that a bill must get right. Part of `scripts/real-slurm`.

All together they take about four minutes around a midnight; each is a line of the table `jobs.md`.
"""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass
class Seen:
    id: str
    scenario: str
    what: str


class Jobs:
    def __init__(self, lab):
        self.lab, self.seen = lab, []

    def submit(self, scenario: str, user: str, what: str, *options: str, run: str = "sleep 25") -> str:
        """As `user`, into the table, and the id that Slurm gave it."""
        line = ["sbatch", "--parsable", "-o", "/dev/null", "-J", scenario, *options, "--wrap", run]
        return self.note(self.lab.run(*line, user=user).strip(), scenario, what)

    def note(self, job: str, scenario: str, what: str) -> str:
        self.seen.append(Seen(job, scenario, what))
        self.lab.say(f"{job:>4}  {scenario}")
        return job

    def state(self, job: str) -> str:
        return self.lab.run("squeue", "-h", "-j", job, "-o", "%T", check=False).strip()

    def running(self, *jobs: str) -> None:
        for job in jobs:
            self.lab.wait(f"start of job {job}", lambda: self.state(job) == "RUNNING")

    def at(self, clock: str) -> None:
        """Until the clock inside shows this time of the night."""
        def there() -> bool:
            return clock <= self.lab.clock.text()[5:]
        self.lab.wait(clock, there, seconds=600)

    def control(self, *line: str) -> None:
        self.lab.run("scontrol", *line)


BEFORE, AFTER = "01-31 23:59:50", "02-01 00:00:10"


def run(lab) -> list[Seen]:
    jobs = Jobs(lab)
    submit = jobs.submit
    lab.run("scontrol", "create", "reservation", "ReservationName=lecture", "Accounts=course", "Nodes=n09",
            "StartTime=now", "Duration=60")

    # What goes on for longer first, so that all of it is over soon.
    long = "sleep 100"
    crossing = submit("crossing", "ann", "runs from January into February", "-A", "genome", "-n2", run=long)
    fragile = submit("node-fail-requeue", "ann", "its node fails; it runs again", "-A", "genome", "-p", "fragile",
                     "--requeue", "-n2", run="sleep 110")
    lost = submit("node-fail", "cyd", "its node fails; it ends", "-A", "climate", "-p", "fragile", "--no-requeue",
                  run="sleep 300")
    again = submit("requeue", "ann", "put back into the queue, and runs again", "-A", "genome", run="sleep 60")
    paused = submit("suspend", "cyd", "suspended for 20 s around midnight, then goes on", "-A", "climate", "-n4",
                    run="sleep 90")
    modest = submit("preempt-requeue", "ann", "gives way to another job, runs again when that ends", "-A", "genome",
                    "-p", "scavenge", "-n16", run="sleep 75")
    submit("timeout", "cyd", "runs into its limit of a minute", "-A", "climate", "-t", "1", run="sleep 600")
    many = submit("array", "bob", "six tasks, two at a time; the last is cancelled before it starts: no record",
                  "-A", "BigLab", "--array=1-6%2", run="sleep 25")
    shrunk = submit("resize", "bob", "gives back one of its two nodes", "-A", "BigLab", "-p", "wide", "-N2", "-n8",
                    "--ntasks-per-node=4", run="sleep 100")
    submit("gpu-typed", "cyd", "two GPUs, asked for as a100", "-A", "climate", "-p", "gpu", "--gres=gpu:a100:2",
           run="sleep 95")
    submit("gpu-untyped", "cyd", "one GPU of whatever type", "-A", "climate", "-p", "gpu", "--gres=gpu:1", "-n2")
    submit("gpu-mixed", "ann", "a GPU of each type", "-A", "genome", "-p", "gpu", "--gres=gpu:a100:1,gpu:v100:1",
           "--mem=3G")
    submit("exclusive", "bob", "a whole node for one task", "-A", "BigLab", "-p", "wide", "--exclusive", "-n1",
           "--mem=100M", run="sleep 40")
    submit("whole-node", "bob", "a partition that gives whole nodes", "-A", "biglab", "-p", "whole", "-n1",
           run="sleep 90")
    submit("lecture", "dee", "in a reservation that is wider and longer", "-A", "course", "-p", "course",
           "--reservation=lecture", "-n4", run="sleep 60")
    het = ["-o", "/dev/null", "-A", "genome", "-J", "het"]
    lab.run("sbatch", *het, "-n1", "--mem=200M", ":", *het, "-p", "bigmem", "-n3", "--mem=5G", "--wrap", "sleep 30",
            user="ann")
    het = lab.run("squeue", "-h", "-n", "het", "-o", "%i").split()
    jobs.note(" ".join(sorted(het)), "het", "one job of two parts in two partitions")

    submit("ok", "ann", "an ordinary job", "-A", "genome", "-n2")
    submit("mixed-case", "bob", "its account was made and named as BigLab", "-A", "BigLab")
    submit("failed", "ann", "exits with 3", "-A", "genome", run="sleep 15; exit 3")
    submit("signalled", "ann", "killed by a signal", "-A", "genome", run="sleep 10; kill -SEGV $$")
    if lab.memory_is_limited:
        # The shell keeps a word of 64 MB, and doubles it until it is stopped.
        grow = "sleep 5; word=$(head -c 64M /dev/zero | tr '\\0' a); while true; do word=$word$word; done"
        submit("out-of-memory", "cyd", "takes more memory than it asked for", "-A", "climate", "--mem=100M", run=grow)
    submit("short", "ann", "over at once", "-A", "genome", run="true")
    submit("qos-half", "cyd", "a QOS with half the usage factor", "-A", "climate", "--qos=half", "-n2")
    submit("memory-small", "cyd", "1536 MB", "-A", "climate", "-p", "bigmem", "--mem=1536M")
    submit("memory-large", "cyd", "2 GB a core", "-A", "climate", "-p", "bigmem", "-n2", "--mem-per-cpu=2G")
    submit("ok|pipe", "ann", "a name with sacct's delimiter", "-A", "genome", run="sleep 12")
    submit("wckey", "ann", "with a WCKey", "-A", "genome", "--wckey=grant7", run="sleep 12")
    submit("licence", "cyd", "holds two licences", "-A", "climate", "-L", "matlab:2", run="sleep 20")
    submit("unknown", "cyd", "an account that nobody maps", "-A", "unknown", run="sleep 20")
    submit("deadline", "cyd", "cannot start before its deadline", "-A", "climate", "-p", "whole",
           "--deadline=now+80", "-t", "1", run="sleep 5")
    waiting = submit("cancelled-pending", "ann", "cancelled before it starts", "-A", "genome", "-p", "whole")
    stopped = submit("cancelled-running", "ann", "cancelled while it runs", "-A", "genome", run="sleep 600")

    jobs.running(crossing, fragile, lost, again, paused, modest, shrunk, stopped)
    jobs.at("01-31 23:59:20")
    lab.run("scancel", waiting, user="ann")
    lab.run("scancel", stopped, user="ann")
    jobs.control("requeue", again)
    lab.run("scancel", f"{many}_6", user="bob")
    jobs.control("update", f"JobId={shrunk}", "ReqNodeList=n07")
    urgent = submit("urgent", "cyd", "others give way to it", "-A", "climate", "-p", "urgent", "-n16", run="sleep 30")
    jobs.at(BEFORE)
    jobs.control("suspend", paused)
    jobs.at(AFTER)
    jobs.control("resume", paused)
    jobs.control("update", "NodeName=n05", "State=DOWN", "Reason=power")
    submit("february", "ann", "all of it in February", "-A", "genome", "-n2")
    # It comes back by itself when it registers, which may have happened already.
    lab.run("scontrol", "update", "NodeName=n05", "State=RESUME", check=False)
    spare = submit("preempt-cancel", "bob", "gives way to another job, and is over", "-A", "BigLab", "-p", "spare",
                   "-n16", run="sleep 600")
    lab.wait("end of the preempted job", lambda: jobs.state(modest) in ("", "COMPLETING") and not jobs.state(urgent),
             seconds=300)
    jobs.running(spare)
    submit("urgent-again", "cyd", "others give way to it", "-A", "climate", "-p", "urgent", "-n16", run="sleep 10")
    jobs.control("delete", "ReservationName=lecture")
    submit("running", "ann", "still runs when sacct is asked", "-A", "genome", "-n2", run="sleep 36000")
    submit("pending", "ann", "still waits when sacct is asked", "-A", "genome", "--begin=now+36000")
    lab.wait("end of all jobs but the one that runs and the one that waits",
             lambda: len(lab.run("squeue", "-h", "-o", "%i").split()) == 2, seconds=400)
    return jobs.seen


def end(lab) -> None:
    lab.run("scancel", "-u", "ann")
    lab.wait("end of all jobs", lambda: not lab.run("squeue", "-h", "-o", "%i").split())
