"""A real PostgreSQL server, started for these tests and stopped behind them."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from lab2live.charter.schema import Charter

# Hard on purpose: it has to be quoted in an address, and would be seen wherever it leaks.
PASSWORD = "Gehe1m/n!s@100%"
VARIABLE = "PGPASS_FOR_TEST"


@dataclass(frozen=True)
class Server:
    """A PostgreSQL server on loopback; its administrator is `tester`."""

    port: int
    folder: Path

    def address(self, database: str = "silo", user: str = "tester", variable: str = VARIABLE) -> str:
        """Name a database the way a charter does, without the password itself."""
        return f"postgresql://{user}:${{{variable}}}@127.0.0.1:{self.port}/{database}"

    def connect(self, database: str = "silo") -> Any:
        import psycopg

        return psycopg.connect(
            host="127.0.0.1", port=self.port, user="tester", password=PASSWORD, dbname=database, autocommit=True
        )

    def load(self, name: str, frame: pd.DataFrame) -> None:
        """Copy a frame into a new table."""
        kinds = {"i": "bigint", "f": "double precision", "M": "timestamp", "b": "boolean"}
        columns = ", ".join(f'"{column}" {kinds.get(frame[column].dtype.kind, "text")}' for column in frame)
        with self.connect() as connection, connection.cursor() as cursor:
            cursor.execute(f"drop table if exists {name}")
            cursor.execute(f"create table {name} ({columns})")
            with cursor.copy(f"copy {name} from stdin (format csv)") as copy:
                copy.write(frame.to_csv(index=False, header=False))

    def run(self, *statements: str) -> None:
        with self.connect() as connection:
            for statement in statements:
                connection.execute(statement)


def _programs() -> Path | None:
    """Find the folder of `initdb` and `pg_ctl`: on the path, or where Debian keeps them, the newest first."""
    found = [Path(name).parent for name in [shutil.which("initdb")] if name]
    debian = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    found += [path.parent for path in sorted(debian, key=lambda path: float(path.parts[-3]), reverse=True)]
    return found[0] if found else None


@contextlib.contextmanager
def running() -> Iterator[Server]:
    """Run a server in a temporary folder, on a free port of loopback, as an ordinary user.

    Raises
    ------
    RuntimeError
        If there is none to run, or it does not start; with what it said.
    """
    programs = _programs()
    if programs is None:
        raise RuntimeError("there is no initdb; install postgresql")
    # PostgreSQL refuses to run as root; not in pytest's folder, which other users may not enter
    as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    folder = Path(tempfile.mkdtemp(prefix="lab2live-postgres-"))
    log, secret, data = folder / "log", folder / "password", folder / "data"
    secret.write_text(PASSWORD)
    log.touch()
    if as_user:
        for path in (folder, secret, log):
            shutil.chown(path, "postgres")

    def call(*command: object) -> None:
        # into a file: a pipe would be inherited by the server, and never come to its end
        with log.open("ab") as output:
            done = subprocess.run([*as_user, *map(str, command)], cwd="/", stdout=output, stderr=output, check=False)
        if done.returncode:
            raise RuntimeError(f"PostgreSQL does not start: {log.read_text(errors='replace')[-3000:]}")

    try:
        access = ("--auth=scram-sha-256", "--username=tester", f"--pwfile={secret}")
        call(programs / "initdb", "--no-sync", "--encoding=UTF8", "--locale=C", *access, "--pgdata", data)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        options = f"-c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} -c fsync=off -p {port}"
        call(programs / "pg_ctl", "start", "--wait", "--pgdata", data, "--log", log, "--options", options)
        try:
            server = Server(port, folder)
            with server.connect("postgres") as connection:
                connection.execute("create database silo")
            yield server
        finally:
            call(programs / "pg_ctl", "stop", "--mode=immediate", "--pgdata", data)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A server of its own, or a loud skip: a failure where LAB2LIVE_REQUIRE_ALL=1 says that nothing may be left out."""
    with contextlib.ExitStack() as stack:
        try:
            server = stack.enter_context(running())
        except RuntimeError as error:
            if os.environ.get("LAB2LIVE_REQUIRE_ALL") == "1":
                pytest.fail(f"LAB2LIVE_REQUIRE_ALL=1, but {error}")
            pytest.skip(f"PostgreSQL was NOT tried: {error}")
        yield server


@pytest.fixture
def charter_on(postgres: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Charter]:
    """Make a charter whose first source is a table of the server; more sources may follow it."""
    monkeypatch.setenv(VARIABLE, PASSWORD)

    def make(table: str | None, *more: dict[str, Any], uri: str | None = None, **blocks: Any) -> Charter:
        first = {"name": "silo", "uri": uri or postgres.address(), "table": table, **blocks.pop("first", {})}
        if more:
            blocks.setdefault("join", {"base": "silo", "on": "id"})
        prediction = {"problem_type": "classification", "target": "y", **blocks.pop("prediction", {})}
        return Charter.model_validate(
            {"prediction": prediction, "sources": [first, *more], "folder": tmp_path, **blocks}
        )

    return make
