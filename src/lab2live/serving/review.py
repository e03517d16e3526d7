"""The cases that a person has to decide: kept in a small database until somebody does."""

from __future__ import annotations

import datetime as dt
import json
import os
import sqlite3
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

FILE = "review.sqlite"
# Cases shown at once.
MOST_SHOWN = 50
_TABLE = """
CREATE TABLE IF NOT EXISTS reviews (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    came TEXT NOT NULL, bundle TEXT NOT NULL, reason TEXT NOT NULL, detail TEXT NOT NULL, case_json TEXT NOT NULL,
    decided TEXT, output, who TEXT
)
"""


class Reviews:
    """The queue of one service.

    What was sent is kept as it came, since a person has to see it: the file may hold personal data, and only the
    service's own user can read it.

    Parameters
    ----------
    folder
        Where `review.sqlite` lies; made if it is not there.

    Raises
    ------
    OSError, sqlite3.Error
        If nothing can be written there.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / FILE
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        self._one = threading.Lock()
        self._database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute(_TABLE)

    def add(self, bundle: str, cases: Sequence[tuple[str, str, Mapping[str, Any]]]) -> list[int]:
        """Keep cases: reason, what is wrong with the input, and the case itself. Gives a number for each."""
        came = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
        insert = "INSERT INTO reviews (came, bundle, reason, detail, case_json) VALUES (?, ?, ?, ?, ?)"
        with self._one:
            self._database.execute("BEGIN")
            try:
                rows = [
                    # ASCII: what came may hold halves of letters, which the database does not take
                    self._database.execute(insert, (came, bundle, reason, detail, json.dumps(case))).lastrowid
                    for reason, detail, case in cases
                ]
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")
        return [row for row in rows if row is not None]

    def waiting(self) -> list[dict[str, Any]]:
        """Give the oldest cases that nobody has decided."""
        with self._one:
            found = self._database.execute(
                "SELECT id, came, reason, detail, case_json FROM reviews WHERE decided IS NULL ORDER BY id LIMIT ?",
                (MOST_SHOWN,),
            ).fetchall()
        keys = ("id", "came", "reason", "detail")
        return [{**dict(zip(keys, row[:4], strict=True)), "values": json.loads(row[4])} for row in found]

    def count(self) -> int:
        """Count the cases that nobody has decided."""
        with self._one:
            return int(self._database.execute("SELECT count(*) FROM reviews WHERE decided IS NULL").fetchone()[0])

    def decide(self, number: int, output: str | float, who: str) -> bool:
        """Keep what a person decided; `False` if there is no such case, or somebody was faster."""
        decided = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
        update = "UPDATE reviews SET decided = ?, output = ?, who = ? WHERE id = ? AND decided IS NULL"
        with self._one:
            return self._database.execute(update, (decided, output, who, number)).rowcount == 1

    def look_up(self, number: int) -> dict[str, Any] | None:
        """Say what became of a case; `None` if there is no such case."""
        select = "SELECT id, came, reason, decided, output, who FROM reviews WHERE id = ?"
        with self._one:
            row = self._database.execute(select, (number,)).fetchone()
        return (
            None if row is None else dict(zip(("id", "came", "reason", "decided", "output", "who"), row, strict=True))
        )

    def close(self) -> None:
        """Close the database."""
        with self._one:
            self._database.close()
