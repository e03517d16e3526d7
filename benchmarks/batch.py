"""How much memory does batch scoring take, and does a killed run end in the same answers?

Ten million cases, drawn with replacement from the demo's customers, one in a thousand of them broken, are scored by
`lab2live score` with the demo's own features: once without a break, and once killed (SIGKILL) when half of the pieces
are there, and given again. Bars: less than 1 GB of memory at most, and the same bytes after the kill.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
from serving import write_bundle

from lab2live.charter import loading
from lab2live.data import dataset
from lab2live.data.sources import tables
from lab2live.handoff.batch import PIECE

MEMORY_MB = 1000.0
DRAWN = 200_000


def write_cases(path: Path, rows: int) -> None:
    """Write that many cases, a piece at a time."""
    demo = loading.find("demo")
    table = dataset.labelled(demo, tables.modelling_table(demo, None, 0))
    random, writer = np.random.default_rng(0), None
    for first in range(0, rows, DRAWN):
        drawn = table.iloc[random.integers(len(table), size=min(DRAWN, rows - first))].reset_index(drop=True)
        drawn.loc[random.random(len(drawn)) < 0.001, "age"] = -5.0
        piece = pa.Table.from_pandas(drawn, preserve_index=False)
        writer = writer or parquet.ParquetWriter(path, piece.schema)
        writer.write_table(piece.cast(writer.schema))
    assert writer is not None
    writer.close()


def command(bundle: Path, source: Path, target: Path) -> list[str]:
    return [sys.executable, "-m", "lab2live", "score", str(bundle), str(source), str(target)]


def peak_mb(process: subprocess.Popen[bytes]) -> float:
    """Wait for a process, and give the most memory that it ever held, in MB (Linux)."""
    most = 0
    while process.poll() is None:
        try:
            lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
        except OSError:
            break
        most = max([most, *(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))])
        time.sleep(0.05)
    if process.wait():
        raise RuntimeError("scoring failed")
    return most / 1024


def digests(target: Path) -> list[str]:
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(target.parent.glob(f"{target.name}*"))]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000_000)
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory(prefix="lab2live-batch-") as home:
        work = Path(home)
        write_bundle(work / "bundle", True)
        write_cases(work / "cases.parquet", rows)
        (work / "once").mkdir()
        (work / "killed").mkdir()
        once, killed = work / "once" / "answers.parquet", work / "killed" / "answers.parquet"
        began = time.perf_counter()
        memory = peak_mb(subprocess.Popen(command(work / "bundle", work / "cases.parquet", once)))
        seconds = time.perf_counter() - began
        process = subprocess.Popen(command(work / "bundle", work / "cases.parquet", killed))
        while len(list(killed.parent.glob("*.parts/*.parquet"))) < rows / PIECE / 2 and process.poll() is None:
            time.sleep(0.02)
        process.kill()
        stopped = process.wait() != 0 and not killed.exists()
        kept = len(list(killed.parent.glob("*.parts/*.parquet")))
        subprocess.run(command(work / "bundle", work / "cases.parquet", killed), check=True)
        same = digests(once) == digests(killed)
    print(f"{rows:,} cases in {seconds:.0f} s, {rows / seconds:,.0f} a second; {kept} pieces were there at the kill")
    fits = memory < MEMORY_MB
    print(f"{'PASS' if fits else 'FAIL'}  memory at most: {memory:,.0f} MB (bar {MEMORY_MB:,.0f})")
    print(f"{'PASS' if same and stopped else 'FAIL'}  killed in the middle and given again: the same bytes")
    return 0 if fits and same and stopped else 1


if __name__ == "__main__":
    raise SystemExit(main())
