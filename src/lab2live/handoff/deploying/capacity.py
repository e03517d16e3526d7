"""What the served bundle was measured to do, and whether that is what the charter's `deployment` asks for (L5).

The service runs in a process of its own; whoever asks it runs beside it on the same machine and takes a part of it. So
a machine that only serves is rather faster, and a weaker one slower: the limits hold for where it was measured.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import math
import platform
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lab2live import files
from lab2live.errors import UserError
from lab2live.pipeline.evidence import Evidence
from lab2live.reporting.formatting import short
from lab2live.wheel import PYTHONS

if TYPE_CHECKING:
    import pandas as pd

    from lab2live.charter.schema import Charter

# Rounds of requests, how many each, and the seconds that all of them may take. The quietest round counts: what else
# runs on the machine only ever makes an answer later.
ROUNDS, REQUESTS, PATIENCE = 5, 200, 6.0
# Real cases that are asked about.
MOST_CASES = 500
# Who ask at the same time, and for how many seconds.
CONNECTIONS, SECONDS = 4, 2.0
WHERE = "Measured on the machine of this run, which also did the asking."


@dataclass(frozen=True)
class Capacity:
    """What one process of the service was measured to do.

    Attributes
    ----------
    start_seconds
        From starting the process to its first answer.
    p50_ms, p95_ms
        Milliseconds within which 50 and 95 of 100 answers about a single case came, asked one after the other, in the
        quietest of `ROUNDS` rounds.
    requests_per_second
        Answered when `CONNECTIONS` ask at the same time.
    memory_mb
        The most that its process held, explanations loaded; `None` where the system does not say.
    reload_seconds, rollback_seconds
        To take up a bundle, and to go back to the one before.
    python
        On which it ran.
    """

    start_seconds: float
    p50_ms: float
    p95_ms: float
    requests_per_second: float
    memory_mb: float | None
    reload_seconds: float
    rollback_seconds: float
    python: str

    def as_dict(self) -> dict[str, Any]:
        """Write it as JSON holds it."""
        return asdict(self)


def once(kept: Path, folder: Path, rows: pd.DataFrame, seed: int) -> Capacity:
    """Measure a bundle, or recall what was measured of the very same one: twice measured is never twice the same.

    Parameters
    ----------
    kept
        The file of the run that holds what was measured.
    folder, rows, seed
        See `measure`.
    """
    core = core_hash(folder)
    found = recalled(kept, core)
    if found is None:
        found = measure(folder, rows, seed)
        files.write_json(kept, {"bundle": core, "capacity": found.as_dict()})
    return found


def core_hash(folder: Path) -> str:
    """Give the hash of a bundle: that of its manifest, which holds those of all its files."""
    from lab2live.handoff.bundle import MANIFEST

    return hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()


def recalled(kept: Path, core: str) -> Capacity | None:
    """Read what was measured of a bundle; `None` where it was another one, or none."""
    if not kept.is_file():
        return None
    try:
        content = files.read_json(kept)
        return Capacity(**content["capacity"]) if content["bundle"] == core else None
    except (UserError, TypeError, KeyError):  # not written by `once`, or by that of another version
        return None


def measure(folder: Path, rows: pd.DataFrame, seed: int) -> Capacity:
    """Serve a bundle and take its times.

    Parameters
    ----------
    folder
        The bundle.
    rows
        Real cases of the joined table.
    seed
        Of their order.

    Raises
    ------
    UserError
        If the service does not start.
    """
    from lab2live.handoff import bundle, drill

    cases = drill.real_cases(bundle.load(folder).form(), rows.head(MOST_CASES))
    order = np.random.default_rng(seed).integers(len(cases), size=REQUESTS)
    bodies = [{"values": cases[place]} for place in order]
    began = time.perf_counter()
    with (
        tempfile.TemporaryDirectory(prefix="lab2live-capacity-") as work,
        drill.serving(folder.resolve(), Path(work) / "state") as ask,
    ):
        ask("/predict", bodies[0])
        start = time.perf_counter() - began
        ask.settle()
        p50, p95 = _quietest(ask, bodies)
        answered = _together(ask.port, bodies)
        reload, rollback = _timed(ask, "/reload", {}), _timed(ask, "/rollback", {})
        memory = _peak_memory(ask.process)
    return Capacity(
        start_seconds=round(start, 2),
        p50_ms=round(1000 * p50, 2),
        p95_ms=round(1000 * p95, 2),
        requests_per_second=round(answered / SECONDS, 1),
        memory_mb=memory,
        reload_seconds=round(reload, 3),
        rollback_seconds=round(rollback, 3),
        python=platform.python_version(),
    )


def _quietest(ask: Any, bodies: Sequence[Mapping[str, Any]]) -> tuple[float, float]:
    """Ask one after the other, in rounds; give the median and the 95th percentile of the quietest one, in seconds."""
    found: list[tuple[float, float]] = []
    end = time.perf_counter() + PATIENCE
    while len(found) < ROUNDS and (not found or time.perf_counter() < end):
        half, most = np.quantile([_timed(ask, "/predict", body) for body in bodies], [0.5, 0.95])
        found.append((float(half), float(most)))
    return min(found, key=lambda round_: round_[1])


def _timed(ask: Any, path: str, body: Mapping[str, Any]) -> float:
    began = time.perf_counter()
    ask(path, body)
    return time.perf_counter() - began


def _together(port: int, bodies: Sequence[Mapping[str, Any]]) -> int:
    """Ask over several connections at once, each as fast as it is answered; give how many answers came."""
    sent = [json.dumps(body).encode() for body in bodies]
    end = time.perf_counter() + SECONDS

    def asking(first: int) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS * 10)
        answered = 0
        while time.perf_counter() < end:
            body = sent[(first + answered) % len(sent)]
            connection.request("POST", "/predict", body, {"Content-Type": "application/json"})
            connection.getresponse().read()
            answered += 1
        connection.close()
        return answered

    with ThreadPoolExecutor(CONNECTIONS) as several:
        return sum(several.map(asking, range(0, len(sent), max(1, len(sent) // CONNECTIONS))))


def _peak_memory(process: int) -> float | None:
    """Read how much memory a process has held at most, in MB; `None` where the system does not say."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
        (peak,) = (line.split()[1] for line in lines if line.startswith("VmHWM:"))
    except (OSError, ValueError):
        return None
    return round(int(peak) / 1024, 1)


def judged(charter: Charter, measured: Capacity) -> dict[str, Evidence]:
    """Hold what was measured against the charter: gate -> evidence, for those on measured times."""
    asked = charter.deployment
    return {
        "handoff.latency": _within(
            measured.p95_ms,
            asked.latency_ms,
            "latency_ms",
            "The p95 latency is {} ms; the charter allows {}.",
        ),
        "handoff.memory": _within(
            measured.memory_mb, asked.memory_mb, "memory_mb", "The service held at most {} MB; the charter allows {}."
        ),
        "handoff.throughput": _within(
            measured.requests_per_second,
            asked.requests_per_second,
            "requests_per_second",
            "{} requests were answered per second; the charter asks for {}.",
            most=False,
        ),
    }


def _within(measured: float | None, limit: float | None, field: str, sentence: str, *, most: bool = True) -> Evidence:
    """Give what was measured as a share of what is allowed, or the other way round where more is better."""
    if limit is None:
        return Evidence(None, f"The charter sets no limit: `deployment.{field}` is not given.")
    if measured is None:
        return Evidence(None, "This system does not say how much memory a process holds.")
    value = measured / limit if most else limit / measured if measured else math.inf
    return Evidence(value, f"{sentence.format(short(measured), short(limit))} {WHERE}")


def python_fits(charter: Charter) -> Evidence:
    """Say whether the bundle runs on the Python that the charter names: 0 if it does, else 1."""
    wanted = charter.deployment.python
    if wanted is None:
        return Evidence(None, "The charter does not say on which Python: `deployment.python` is not given.")
    runs = f"The bundle runs on Python {', '.join(PYTHONS[:-1])} and {PYTHONS[-1]}"
    minor = ".".join(wanted.strip().split(".")[:2])
    if minor in PYTHONS:
        return Evidence(0, f"{runs}; the charter asks for {minor}.")
    return Evidence(1, f"{runs}; the charter asks for {wanted[:20]!r}, which is none of them.")


def table(measured: Capacity) -> pd.DataFrame:
    """Show what was measured."""
    import pandas as pd

    memory = "not known" if measured.memory_mb is None else f"{short(measured.memory_mb)} MB"
    lines = {
        "cold start": f"{short(measured.start_seconds)} s",
        "p50 latency": f"{short(measured.p50_ms)} ms",
        "p95 latency": f"{short(measured.p95_ms)} ms",
        f"requests per second at a concurrency of {CONNECTIONS}": short(measured.requests_per_second),
        "peak memory": memory,
        "loading another bundle": f"{short(measured.reload_seconds)} s",
        "rolling back": f"{short(measured.rollback_seconds)} s",
    }
    return pd.DataFrame({"what": list(lines), "measured": list(lines.values())})
