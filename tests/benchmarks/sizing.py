"""What a clip costs a distributed Airflow: ``python -m tests.benchmarks sizing [clips] [heartbeat]``.

CeleryExecutor on Redis and PostgreSQL, one worker with one slot, one triggerer, every component an interpreter
of its own, the emulator as the gateway. Prints memory, PostgreSQL connections, and per phase of a clip the time
that the one slot needs and the CPU time of worker and control plane. Seconds of CPU hardly depend on what else
the machine does; seconds of the clock do: run it on an idle one.

The second argument is ``[workers] min_heartbeat_interval`` in whole seconds, 5 by default as in Airflow. A slot
stays occupied for up to as long after its task has ended: with nothing left to listen to, the supervisor of the
task's process sleeps until the next heartbeat is due, and only then sees that the process is gone.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import tempfile
import threading
import time
import urllib.request
from collections import Counter
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

TESTS = Path(__file__).parent.parent
if str(TESTS) not in sys.path:  # pytest does this by its ini file
    sys.path.insert(0, str(TESTS))

from integration.distributed.services import Services, missing  # noqa: E402
from integration.distributed.stage import DistributedAirflow  # noqa: E402
from integration.support import KEY, connection_to  # noqa: E402

from airflow_runway.demo.sample_picture import draw_dusk  # noqa: E402
from airflow_runway.emulator.process import emulator_process  # noqa: E402

HELP = "what a clip costs a distributed Airflow: memory, slots, CPU"
CLIPS = 16
HEARTBEAT = 5
DAG = "phases"
WORKER = "worker-1"
DATABASE = "postgres"
_IDLE_SECONDS = 10.0
#: What looks on must not be what is measured.
_WATCH_SECONDS = 2.0
_PAUSE_SECONDS = 1.0
_PATIENCE = 600.0
_MIB = 1024**2
_SUCCEEDED = re.compile(r"succeeded in ([0-9.]+)s")


@dataclass
class Meter:
    """Reads from the processes of an Airflow what they use."""

    airflow: DistributedAirflow
    services: Services
    #: The least and the most connections that each component had at once.
    fewest: dict[str, int] = field(default_factory=dict)
    most: dict[str, int] = field(default_factory=dict)
    #: The most memory that the worker's processes had together, in bytes.
    worker_peak: int = 0

    def __post_init__(self) -> None:
        self._psutil = import_module("psutil")
        self._database_port = urlsplit(self.services.database).port
        self._done = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Meter:
        self._watcher.start()
        return self

    def __exit__(self, *details: object) -> None:
        self._done.set()
        self._watcher.join()

    def cpu(self) -> dict[str, float]:
        """Seconds of CPU by component so far, ended children included."""
        families = {one.name: one.family() for one in self.airflow.components}
        families[DATABASE] = self.services.database_processes()
        return {name: sum(map(self._cpu_of, family)) for name, family in families.items()}

    def memory(self, *pids: int) -> int:
        """Proportional set size in bytes: pages that several processes share are counted once altogether."""
        return sum(map(self._pss, pids))

    def _cpu_of(self, pid: int) -> float:
        with suppress(self._psutil.Error):
            return sum(self._psutil.Process(pid).cpu_times()[:4])
        return 0.0

    def _pss(self, pid: int) -> int:
        # psutil would add up every mapping, which takes more CPU than what is measured here.
        with suppress(OSError):
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
        return 0

    def _watch(self) -> None:
        names = {one.pid: one.name for one in self.airflow.components}
        worker = self.airflow.components[WORKER]
        while not self._done.wait(_WATCH_SECONDS):
            now = Counter(names.get(session_of(pid)) for pid in self._connected())
            for name in names.values():
                self.fewest[name] = min(now[name], self.fewest.get(name, now[name]))
                self.most[name] = max(now[name], self.most.get(name, now[name]))
            family = [pid for pid in self._psutil.pids() if session_of(pid) == worker.pid]
            self.worker_peak = max(self.worker_peak, self.memory(*family))

    def _connected(self) -> list[int]:
        """The process of each open connection to PostgreSQL."""
        return [
            one.pid
            for one in self._psutil.net_connections("tcp")
            if one.pid and one.raddr and one.raddr.port == self._database_port
        ]


def session_of(pid):
    """The session of a process, -1 if it has ended."""
    with suppress(OSError):
        return os.getsid(pid)
    return -1


@dataclass(frozen=True)
class Rest:
    """What idle components use, by name: cores and bytes."""

    cores: dict[str, float]
    memory: dict[str, int]
    worker_main: int


@dataclass(frozen=True)
class Spent:
    """What one phase of all clips took: seconds of the clock, of the slot per task, of CPU by component."""

    seconds: float
    slot: float
    cpu: dict[str, float]

    def cpu_each(self, component, idle, clips):
        """Seconds of CPU for one clip, without what the component uses anyway."""
        return max(0.0, self.cpu[component] - idle.cores[component] * self.seconds) / clips


class Run:
    """One run of the Dag, and how far it is."""

    def __init__(self, airflow, clips, image, folder):
        self.airflow, self.clips = airflow, clips
        conf = {"clips": clips, "image": image, "destination": folder.as_uri()}
        self.run_id = airflow.trigger_dag(DAG, conf)

    def wait_for(self, task_id, *states, some=False):
        """Wait until all instances of a task, or some, are in some states."""
        deadline = time.monotonic() + _PATIENCE
        while True:
            self.airflow.components.check()
            found = self.airflow.task_instances(DAG, self.run_id)
            if failed := [one["task_id"] for one in found if one["state"] in ("failed", "upstream_failed")]:
                raise RuntimeError(f"{failed[0]} failed; logs in {self.airflow.logs}")
            count = sum(one["task_id"] == task_id and one["state"] in states for one in found)
            if count == self.clips or (some and count):
                return
            if time.monotonic() > deadline:
                raise TimeoutError(f"{task_id} {states}")
            time.sleep(_PAUSE_SECONDS)


def measure(clips: int, heartbeat: int) -> list[str]:
    """Run everything once.

    :param clips: how many clips.
    :param heartbeat: Airflow's shortest interval between two heartbeats of a task, in seconds.
    :returns: the lines of the report.
    """
    with tempfile.TemporaryDirectory(prefix="runway-sizing-") as folder, Services() as services:
        home = Path(folder)
        shutil.copytree(Path(__file__).parent / "dags", home / "dags")
        with emulator_process(log=home / "emulator.log") as emulator:
            connections = {"runway_default": connection_to(emulator)}
            settings = {"AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": str(heartbeat)}
            airflow = DistributedAirflow(
                home / "airflow",
                home / "dags",
                services,
                connections,
                settings,
                workers=1,
                slots=1,
                fork=False,
            )
            with airflow:
                airflow.wait_for_dag(DAG)
                image = emulator.put_media("sample_picture.jpg", draw_dusk().content)
                _warm_up(airflow, emulator, image, home)
                _occupy(emulator, image)
                with Meter(airflow, services) as meter:
                    idle = _at_rest(meter)
                    spent = _play(Run(airflow, clips, image, home / "clips"), emulator, meter)
                return list(_report(clips, idle, spent, meter))


def _warm_up(airflow, emulator, image, home):
    emulator.settings(seconds=1)
    Run(airflow, 1, image, home / "warm").wait_for("save", "success")


def _at_rest(meter):
    """What components use while nothing happens."""
    time.sleep(_IDLE_SECONDS)
    before = meter.cpu()
    time.sleep(_IDLE_SECONDS)
    after = meter.cpu()
    components = {one.name: one for one in meter.airflow.components if one.exit_code is None}
    return Rest(
        cores={name: (after[name] - before[name]) / _IDLE_SECONDS for name in after},
        memory={name: meter.memory(*one.family()) for name, one in components.items()},
        worker_main=meter.memory(components[WORKER].pid),
    )


def _play(run, emulator, meter):
    """What each phase took. Generations end when all of them wait."""
    log = meter.airflow.components[WORKER].log
    spent = {}

    @contextmanager
    def phase(name):
        began, before, done = time.monotonic(), meter.cpu(), len(slot_times(log))
        yield
        after, seconds = meter.cpu(), time.monotonic() - began
        cpu = {one: after[one] - before[one] for one in after}
        spent[name] = Spent(seconds, median(slot_times(log)[done:]), cpu)

    run.wait_for("submit", "running", "success", some=True)
    with phase("submit"):
        run.wait_for("submit", "success")
    with phase("first look"):
        run.wait_for("wait", "deferred")
    emulator.settings(max_concurrent=None)
    run.wait_for("wait", "scheduled", "queued", "running", "success", some=True)
    with phase("resume"):
        run.wait_for("wait", "success")
    with phase("save"):
        run.wait_for("save", "success")
    return spent


def slot_times(log):
    """How long tasks held the slot, in the order in which they ended, as Celery tells in its log."""
    return [float(seconds) for seconds in _SUCCEEDED.findall(log.read_text(errors="replace"))]


def _occupy(emulator, image):
    """Take the account's only slot with a generation that does not end before all others wait."""
    emulator.settings(seconds=1_000_000, max_concurrent=1)
    body = {"model": "gen4_turbo", "promptImage": image, "ratio": "1280:720", "duration": 2}
    headers = {"Authorization": f"Bearer {KEY}", "X-Runway-Version": "2024-11-06"}
    headers["Content-Type"] = "application/json"
    url = f"{emulator.url}/v1/image_to_video"
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10).close()
    emulator.settings(seconds=1)


def _report(clips, idle, spent, meter):
    """The report's lines."""
    load = os.getloadavg()[0]
    yield f"{clips} clips; one worker, one slot; {os.cpu_count()} cores, load average {load:.1f} at the end"
    yield ""
    yield "component        idle: MiB   % of a core   PostgreSQL connections, idle to busy"
    for name, size in idle.memory.items():
        low, high = meter.fewest[name], meter.most[name]
        yield f"{name:<14} {size / _MIB:10.0f}   {100 * idle.cores[name]:11.1f}   {low} to {high}"
    slot = idle.memory[WORKER] - idle.worker_main
    yield f"{WORKER}: its main process {idle.worker_main / _MIB:.0f} MiB, an idle slot {slot / _MIB:.0f} MiB,"
    yield f"          a slot at work at most {(meter.worker_peak - idle.worker_main) / _MIB:.0f} MiB"
    yield ""
    yield "             in the slot:          CPU seconds per task, above idle:"
    yield "phase        s/task   tasks/min    worker   scheduler   execution API   PostgreSQL"
    for name, phase in spent.items():
        own = [phase.cpu_each(one, idle, clips) for one in (WORKER, "scheduler", "execution-api", DATABASE)]
        cells = "{:9.2f}   {:9.2f}   {:13.2f}   {:10.2f}".format(*own)
        yield f"{name:<10} {phase.slot:8.2f}   {60 / phase.slot:9.1f} {cells}"
    whole = sum(phase.slot for phase in spent.values())
    yield f"a clip holds a slot for {whole:.2f} s: {60 / whole:.1f} clips per minute and slot"


def options(parser) -> None:
    parser.add_argument("clips", type=int, nargs="?", default=CLIPS)
    parser.add_argument("heartbeat", type=int, nargs="?", default=HEARTBEAT)


def run(args) -> None:
    """Print the report."""
    if lacks := missing():
        sys.exit(f"This needs what is missing here: {', '.join(lacks)}")
    print(f"[workers] min_heartbeat_interval = {args.heartbeat}")
    for line in measure(args.clips, args.heartbeat):
        print(line)
