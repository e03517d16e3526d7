"""Where readers of the documentation stand: in an empty folder, in a clone, in a project that has been run."""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pandas as pd
import pytest
from statsmodels.datasets import randhie

from lab2live.charter import loading
from lab2live.data.sources import tables

from .walking import ROOT, Walk

# What a reader's commands need of this checkout.
CLONED = ("template", "src", "notebooks", "docs", "cookiecutter.json", "Makefile", "pyproject.toml", "README.md")
LOCKED = (
    *("requirements.in", "requirements.lock", "requirements-dev.in", "requirements-dev.lock", "environment.yml"),
    *("LICENSE", ".gitignore", ".gitattributes"),
)
# The pages that add own pieces to the demo, in this order; the last one runs it.
OWN_PIECES = ("howto-features.md", "howto-models.md", "howto-gates.md", "howto-checks.md", "howto-notebooks.md")


@pytest.fixture(scope="session")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This checkout as a reader has it: in a folder `lab2live` of an otherwise empty home."""
    home = tmp_path_factory.mktemp("reader").resolve()
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info", ".ipynb_checkpoints")
    (home / "lab2live").mkdir()
    for name in (*CLONED, *LOCKED):
        copy = shutil.copyfile if (ROOT / name).is_file() else partial(shutil.copytree, ignore=ignored)
        copy(ROOT / name, home / "lab2live" / name)
    visits = randhie.load_pandas().data
    frequent = (visits.pop("mdvis") >= 5).map({True: "yes", False: "no"})
    visits.assign(frequent=frequent).to_csv(home / "lab2live" / "visits.csv", index=False)
    return home / "lab2live"


@pytest.fixture(scope="session")
def project(clone: Path) -> Path:
    """The demo with all own pieces of the how-tos, run once, and what other pages take for granted.

    `batch.csv`, `batch.parquet`: new rows. `bundle`, `bundle.zip`: what was handed over. `churn`, `parcels`,
    `invoices`: projects.
    """
    walk = Walk(clone.parent, clone)
    walk.type(".venv/bin/cookiecutter --no-input --default-config --output-dir .. .")
    walk.type("cd ../telecom-churn")
    for name in OWN_PIECES:
        assert walk.follow(ROOT / "docs" / name), f"{name} has nothing that is run"
    for reference in (walk.here / "tests" / "reference").glob("*.ipynb"):
        reference.unlink()  # they are those of the demo, before anything was added to it
    return furnished(walk.here)


def furnished(project: Path) -> Path:
    """Lay out beside a run what pages take for granted."""
    batch = tables.modelling_table(loading.read(project / loading.FILE), 1000, 0)
    batch.to_csv(project / "batch.csv", index=False)
    batch.to_parquet(project / "batch.parquet", index=False)
    newest = newest_run(project)
    for name in ("bundle", "bundle.zip"):
        (project / name).symlink_to(Path("runs", newest.name, "artefacts", name))
    for name in ("churn", "parcels", "invoices"):
        (project / name).symlink_to(Path("runs", newest.name))
    return project


def newest_run(project: Path) -> Path:
    """The folder of the newest run."""
    return project / "runs" / (project / "runs" / "latest").read_text(encoding="utf-8").strip()


def free_port() -> str:
    """A port of loopback that nobody uses."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


@pytest.fixture
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Walk]]:
    """Put a reader into a folder of their own, with copies of what they have there."""
    walks = []

    def reader(*having: Path) -> Walk:
        home = tmp_path_factory.mktemp("reader").resolve()
        for folder in having:
            shutil.copytree(folder, home / folder.name, symlinks=True)
        walk = Walk(home, home / having[0].name if having else home, {"8000": free_port()})
        walks.append(walk)
        return walk

    yield reader
    for walk in walks:
        walk.stop()


@pytest.fixture
def warehouse(project: Path, clone: Path) -> Iterator[int]:
    """A PostgreSQL with the database, the table and the read-only account of the page; gives its port."""
    spec = importlib.util.spec_from_file_location("lab2live_databases", ROOT / "tests" / "databases" / "conftest.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    try:
        running = module.running()
        server = running.__enter__()
    except RuntimeError as error:
        if os.environ.get("LAB2LIVE_REQUIRE_ALL") == "1":
            pytest.fail(f"LAB2LIVE_REQUIRE_ALL=1, but {error}")
        pytest.skip(f"PostgreSQL was NOT tried: {error}")
    try:
        server.run("create schema claims")
        server.load("claims.visits", pd.read_csv(clone / "visits.csv"))
        server.run(
            "create role analyst login password 'change-me'",
            "grant usage on schema claims to analyst",
            "grant select on claims.visits to analyst",
        )
        with server.connect("postgres") as connection:
            connection.execute("alter database silo rename to insurance")
        yield server.port
    finally:
        running.__exit__(None, None, None)
