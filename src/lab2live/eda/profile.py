"""The profile report: ydata-profiling, minimal, in a process of its own so that the other checks go on meanwhile."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape, unescape
from pathlib import Path
from typing import IO

import pandas as pd

from lab2live import files
from lab2live.data.feature_types import storable
from lab2live.eda.checks.findings import JOINED, Finding
from lab2live.errors import UserError

# Above this many rows a sample says the same and takes a fraction of the time.
LARGEST = 100_000
# Of more columns than these the first are described: the report of thousands takes many minutes, and nobody reads it.
WIDEST = 300
# Seconds after which the profiler looks whether anybody still waits for it.
LOOK_AROUND = 2.0
# The profiler's alerts in plain words.
MEANINGS = {
    "constant": "always the same",
    "zeros": "many zeros",
    "missing": "values are missing",
    "infinite": "infinite values",
    "high_cardinality": "very many different values",
    "high_correlation": "closely related to another column",
    "skewed": "very lopsided",
    "imbalance": "one value outweighs the others",
    "unique": "every value is different",
    "uniform": "all values equally frequent",
    "unsupported": "of a type that cannot be described",
    "type_date": "dates kept as text",
    "constant_length": "texts all of one length",
    "duplicates": "rows that occur more than once",
    "dirty_category": "categories that look alike",
    "empty": "nothing in it",
}


@dataclass
class Job:
    """A profile being made; `note` says what is left out of it."""

    process: subprocess.Popen[bytes]
    log: IO[bytes]
    work: tempfile.TemporaryDirectory[str]
    html: Path
    note: str = ""


def start(table: pd.DataFrame, html: Path, title: str, seed: int = 0) -> Job:
    """Begin to profile a table in the background.

    Parameters
    ----------
    table
        The joined table; above `LARGEST` rows a sample of it is profiled, above `WIDEST` columns the first of them.
    html
        Where the report goes.
    title
        Its title.

    Returns
    -------
    Job
        To be given to `finish`.
    """
    work = tempfile.TemporaryDirectory(prefix="lab2live-profile-")
    sample = table.sample(LARGEST, random_state=seed) if len(table) > LARGEST else table
    note = f" (the first {WIDEST} of {table.shape[1]:,} columns)" if table.shape[1] > WIDEST else ""
    sample = sample.iloc[:, :WIDEST]
    # The report escapes values but no column names; and where it shows the title it takes one escaping back.
    safe = storable(sample).rename(columns=escape)
    safe.to_parquet(Path(work.name) / "table.parquet")
    log = (Path(work.name) / "log").open("w+b")
    harmless = escape(title.replace("<", "‹").replace(">", "›"))
    command = [sys.executable, "-m", "lab2live.eda.profile", work.name, harmless]
    source = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join(part for part in (source, os.environ.get("PYTHONPATH")) if part)
    environment = {**os.environ, "YDATA_PROFILING_NO_ANALYTICS": "1", "MPLBACKEND": "agg", "PYTHONPATH": path}
    process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=environment)
    return Job(process, log, work, html, note)


def finish(job: Job, timeout: float = 900) -> list[Finding]:
    """Wait for the report and move it to its place.

    Parameters
    ----------
    job
        What `start` gave.
    timeout
        Seconds after which the report is given up.

    Returns
    -------
    list of Finding
        Every alert of the report as a remark, `profile.<alert>`: what is normal and what is not, an alert cannot know.

    Raises
    ------
    UserError
        With the last line the profiler wrote, if it failed.
    """
    with job.work, job.log:
        try:
            failed = job.process.wait(timeout) != 0
        except subprocess.TimeoutExpired:
            job.process.kill()
            job.process.wait()
            failed = True
        if failed:
            job.log.seek(0)
            lines = job.log.read().decode(errors="replace").strip().splitlines() or ["it took too long"]
            raise UserError("The profile report could not be made.", where=job.html, found=lines[-1])
        work = Path(job.work.name)
        files.write_bytes(job.html, (work / "profile.html").read_bytes())
        return [_remark(**alert) for alert in files.read_json(work / "alerts.json")]


def _remark(alert: str, column: str | None) -> Finding:
    what = MEANINGS.get(alert, alert.replace("_", " "))
    said = f"{column or 'The table'}: {what}."
    return Finding(1, said, column, check=f"profile.{alert}", source=JOINED, threshold=0)


def beside(remarks: Sequence[Finding], findings: Sequence[Finding]) -> list[Finding]:
    """Leave out the alerts that say what a finding on the same column has already said, with numbers."""
    said = {(found.check, found.column) for found in findings}
    same = {"constant": "validity.constant", "missing": "missing.critical", "duplicates": "duplicate.rows"}
    return [
        remark for remark in remarks if (same.get(remark.check.removeprefix("profile.")), remark.column) not in said
    ]


def counts(remarks: Sequence[Finding]) -> list[dict[str, object]]:
    """Show how many columns each kind of alert names."""
    kinds = Counter(remark.check.removeprefix("profile.") for remark in remarks)
    return [{"alert": MEANINGS.get(kind, kind.replace("_", " ")), "columns": kinds[kind]} for kind in sorted(kinds)]


def _while_wanted() -> None:
    """End this process when the one that started it is gone: a notebook that was stopped waits for no report."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(LOOK_AROUND)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _make(work: Path, title: str) -> None:
    # The name that `fg-data-profiling` keeps when the switch comes; only this line knows it.
    from ydata_profiling import ProfileReport

    report = ProfileReport(
        pd.read_parquet(work / "table.parquet"),
        title=title,
        minimal=True,
        progress_bar=False,
        html={"inline": True},
        # Rows of people do not belong into a report that is passed around.
        samples=None,
        duplicates=None,
    )
    report.to_file(work / "profile.html", silent=True)
    alerts = [
        {"alert": alert.alert_type.name.lower(), "column": unescape(alert.column_name) if alert.column_name else None}
        for alert in report.get_description().alerts
    ]
    files.write_json(work / "alerts.json", alerts)


if __name__ == "__main__":
    _while_wanted()
    _make(Path(sys.argv[1]), sys.argv[2])
