"""Do the checks of the data find what is wrong, name the right place, and keep silent when nothing is?

Plants every kind of fault of `lab2live.synthesis.faults` in three simulated worlds, at several strengths and
seeds, and runs the checks that notebook 01 runs. See benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import domains
import worlds
from tally import CAN_WITHHOLD, Run, report

from lab2live.charter import loading as charters
from lab2live.charter.schema import Charter
from lab2live.data import dataset
from lab2live.data.sources import tables
from lab2live.data.sources.tables import Reading
from lab2live.eda.checks import quality
from lab2live.eda.checks.findings import Finding, Skip
from lab2live.eda.checks.survey import Survey
from lab2live.eda.signal import labels, leakage
from lab2live.errors import UserError
from lab2live.synthesis.faults import KINDS, STRENGTHS, plant

PROCESSES = 2
# Planting kinds in chunks shares the clean run of a seed among them, and still keeps both processes busy to the end.
KINDS_A_TASK = 11
Place = tuple[str, str, str | None]


@dataclass(frozen=True)
class Given:
    """What the charter of a run gives beyond what it always gives.

    Attributes
    ----------
    snapshot, expected
        An earlier extract of every source; lists of expected values.
    models
        Whether the checks on leakage and labels run too: they learn models, and only some kinds need them.
    withheld
        Fields that are left out, see `CAN_WITHHOLD`.
    """

    snapshot: bool
    expected: bool
    models: bool
    withheld: frozenset[str] = frozenset()


def given(kind: str, blind: bool = False) -> Given:
    """Say what a kind gets: a snapshot or expected values only if it needs them."""
    needs = KINDS[kind].needs
    models = KINDS[kind].checks[0].startswith(("leakage.", "label."))
    if blind:
        return Given(False, False, models, frozenset(needs) & set(CAN_WITHHOLD))
    return Given("snapshot" in needs, "expected" in needs, models)


# -- one run ----------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=4)
def world_of(domain: str, seed: int) -> tuple[worlds.World, Path, dict[str, Path], dict[str, Path]]:
    """Draw a world, and write it and its earlier extract once for all runs of this process."""
    world = domains.DOMAINS[domain](seed)
    home = Path(tempfile.mkdtemp(prefix=f"{domain}-{seed}-"))
    now, before = {}, {}
    for name, frame in world.frames.items():
        now[name], before[name] = home / world.files[name], home / f"earlier-{world.files[name]}"
        worlds.write(frame, now[name], worlds.table_of(world, name))
    for name, frame in world.earlier().items():
        worlds.write(frame, before[name], worlds.table_of(world, name))
    return world, home, now, before


def look(
    world: worlds.World,
    files: dict[str, Path],
    before: dict[str, Path],
    given: Given,
    folder: Path,
    annotators: Sequence[str] = (),
) -> tuple[list[Finding], list[str], float]:
    """Run the checks; give warnings and failures, checks that broke, and the seconds it took."""
    withheld = set(given.withheld) | (set() if given.expected else {"expected"})
    path = worlds.write_charter(world, files, before if given.snapshot else {}, withheld, folder, annotators)
    charter = charters.read(path)
    start = time.perf_counter()
    readings = tables.read_all(charter)
    checked, surveys = quality.check(charter, readings)
    seconds = time.perf_counter() - start
    found: list[Finding | Skip] = [*checked.findings, *checked.skipped]
    if given.models:
        try:
            found += modelled(charter, readings, surveys)
        except UserError as error:  # a fault may make the joined table useless; the other checks have spoken
            found.append(Skip("leakage", "joined table", f"It could not be computed: {error.problem}"))
    broken = [
        f"{one.check} {one.source}: {one.reason}"
        for one in found
        if isinstance(one, Skip) and "could not be computed" in one.reason
    ]
    loud = [one for one in found if isinstance(one, Finding) and one.severity != "info"]
    return loud, broken, seconds


def modelled(charter: Charter, readings: Sequence[Reading], surveys: Sequence[Survey]) -> list[Finding | Skip]:
    """Run the checks on leakage and labels."""
    table = tables.joined_table(charter, readings)
    data = dataset.dataset(charter, table)
    found = leakage.leakage(charter, data, table, tables.origins(charter, readings))
    return [*found, *labels.labels(charter, data, table, surveys)]


def places(findings: Iterable[Finding]) -> set[Place]:
    return {(one.check, one.source, one.column) for one in findings}


@lru_cache(maxsize=64)
def clean(domain: str, seed: int, given: Given) -> tuple[frozenset[Place], tuple[str, ...], float]:
    """Run the checks on the data as they are."""
    world, home, now, before = world_of(domain, seed)
    with tempfile.TemporaryDirectory(dir=home) as folder:
        found, broken, seconds = look(world, now, before, given, Path(folder))
    return frozenset(places(found)), tuple(broken), seconds


def planting(
    world: worlds.World, domain: str, seed: int, kind: str, strength: str
) -> tuple[worlds.Frames, dict[str, Any]]:
    """Plant one fault; the place goes around with the seed, and every domain starts at another one."""
    options = world.places[kind]
    source, column, more = options[(seed + list(domains.DOMAINS).index(domain)) % len(options)]
    frames, truth = plant(world.frames, kind, source, column, KINDS[kind].share(strength), seed, **more)
    return frames, {**truth, "annotators": more.get("annotators", ())}


def planted(domain: str, seed: int, kind: str, strength: str, blind: bool = False) -> Run:
    """Plant one fault and look for it."""
    world, home, now, before = world_of(domain, seed)
    frames, truth = planting(world, domain, seed, kind, strength)
    gives = given(kind, blind)
    run = Run(domain, seed, kind, strength, blind, truth["source"], truth["column"], truth["share"], truth["rows"])
    with tempfile.TemporaryDirectory(dir=home) as folder:
        files = dict(now)
        for name, frame in frames.items():
            if not frame.equals(world.frames[name]):
                files[name] = Path(folder) / world.files[name]
                worlds.write(frame, files[name], worlds.table_of(world, name))
        annotators = truth["annotators"] if "annotators" not in gives.withheld else ()
        loud, run.broken, run.seconds = look(world, files, before, gives, Path(folder), annotators)
    new = places(loud) - clean(domain, seed, gives)[0]
    right = {(name, where) for name, where in truth["places"]}
    named = {place for place in new if place[0] in truth["checks"]}
    run.found = bool(named)
    run.placed = any((place[1], place[2]) in right or (place[1], None) in right for place in named)
    run.named = sorted(map(list, named), key=str)
    run.others = sorted(map(list, new - named), key=str)
    return run


def draw(number: int) -> Run:
    """Run everything on clean data: another domain and seed each time, every second time with all there is to give."""
    domain = list(domains.DOMAINS)[number % len(domains.DOMAINS)]
    everything = number // len(domains.DOMAINS) % 2 == 0
    found, broken, seconds = clean(domain, 1000 + number, Given(everything, everything, True))
    run = Run(domain, 1000 + number, None, "clean", seconds=seconds, broken=list(broken))
    run.others = sorted(map(list, found), key=str)
    return run


def task(job: tuple[Any, ...]) -> list[Run]:
    """Do one process's next piece of work."""
    if job[0] == "clean":
        return [draw(number) for number in job[1]]
    _, domain, seed, wanted = job
    return [planted(domain, seed, *one) for one in wanted]


def jobs(names: Sequence[str], chosen: Sequence[str], strengths: Sequence[str], seeds: int, draws: int) -> list[Any]:
    """List the pieces of work."""
    wanted = [
        (kind, strength) for kind in names for strength in strengths if KINDS[kind].graded or strength == strengths[0]
    ]
    size = KINDS_A_TASK * len(strengths)
    listed: list[Any] = [
        ("planted", domain, seed, wanted[start : start + size])
        for seed in range(seeds)
        for domain in chosen
        for start in range(0, len(wanted), size)
    ]
    # What cannot be seen when the charter does not give it: shown apart, at one seed.
    blind = [(kind, strengths[0], True) for kind in names if set(KINDS[kind].needs) & set(CAN_WITHHOLD)]
    listed += [("planted", domain, 0, blind) for domain in chosen if blind]
    return listed + [("clean", range(start, min(draws, start + 6))) for start in range(0, draws, 6)]


def arguments(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--clean", type=int, default=200, help="draws without a fault")
    parser.add_argument("--kinds", default=",".join(KINDS), help="comma separated")
    parser.add_argument("--domains", default=",".join(domains.DOMAINS), help="comma separated")
    parser.add_argument("--strengths", default=",".join(STRENGTHS), help="comma separated")
    parser.add_argument("--processes", type=int, default=PROCESSES)
    parser.add_argument("--quick", action="store_true", help="one seed, full strength, three clean draws")
    parser.add_argument("--peers", action="store_true", help="other tools on the same data, full strength, one seed")
    parser.add_argument("--out", type=Path, help="a JSON file with every run")
    chosen = parser.parse_args(given)
    if chosen.quick:
        chosen.seeds, chosen.clean, chosen.strengths = 1, 3, "full"
    return chosen


def main(given: Sequence[str] | None = None) -> int:
    chosen = arguments(given)
    # every process takes one core
    os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))
    names, strengths = chosen.kinds.split(","), chosen.strengths.split(",")
    if chosen.peers:
        import peers

        peers.compare(names, chosen.domains.split(","))
        return 0
    listed = jobs(names, chosen.domains.split(","), strengths, chosen.seeds, chosen.clean)
    runs: list[Run] = []
    start = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="planted-faults-") as scratch:
        os.environ["TMPDIR"] = scratch  # a process that ends leaves its files behind
        with multiprocessing.get_context("spawn").Pool(chosen.processes, maxtasksperchild=10) as pool:
            for number, done in enumerate(pool.imap_unordered(task, listed), 1):
                runs += done
                minutes = (time.perf_counter() - start) / 60
                print(f"{number} of {len(listed)} tasks, {len(runs)} runs, {minutes:.1f} min", file=sys.stderr)
    runs.sort(key=lambda run: (list(KINDS).index(run.kind) if run.kind else -1, run.domain, run.seed))
    if chosen.out:
        chosen.out.write_text(json.dumps([vars(run) for run in runs], indent=1) + "\n", encoding="utf-8")
    return 0 if report(runs, strengths) else 1


if __name__ == "__main__":
    sys.exit(main())
