"""One table with a column of every type, in every carrier, through training, score, service, monitoring and form."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from lab2live.data.sources.later import Later
from lab2live.handoff import answering, bundle, making, round_trip
from lab2live.handoff.deciding import Deciding
from lab2live.handoff.drill import real_cases
from lab2live.pipeline import context
from lab2live.pipeline.context import RunContext

ROWS = 240
LONG = "a level of which nobody would think that it can be as long as this one is, [with brackets] and (others) " * 2
CHARTER = """\
project: {name: Every type}
prediction: {problem_type: classification, target: left, positive_class: "yes", id_column: id}
sources: [{name: silo, uri: %s, personal_data: false}]
"""
# What no model takes, and what numbers or names the rows.
LEFT_OUT = {"lists", "structs", "nothing", "digits19", "digits22"}


def arrow() -> pa.Table:
    """Draw the table as Parquet holds it: a column of every type, most of which tell something."""
    random = np.random.default_rng(0)
    size, days = random.normal(size=ROWS), random.integers(0, 800, ROWS)
    level = random.choice(["NA", "None", "Ünter", "[a]", "(b)", LONG], ROWS)
    flag, small = random.random(ROWS) < 0.5, random.integers(0, 100, ROWS)
    told = 1.5 * size + 1.5 * (level == "NA") - flag + small / 40 + (days > 400) + random.logistic(size=ROWS) * 0.4
    day = [dt.date(2022, 1, 1) + dt.timedelta(days=int(one)) for one in days]
    moments = [dt.datetime(2022, 1, 1, int(one) % 24, 30) + dt.timedelta(days=int(one)) for one in days]
    gone = random.random(ROWS) < 0.1

    def some(values: Any) -> list[Any]:
        return [None if missing else value for value, missing in zip(values, gone, strict=True)]

    columns: dict[str, pa.Array] = {
        "id": pa.array([f"c{number:04}" for number in range(ROWS)]),
        "flag": pa.array(some(flag.tolist()), pa.bool_()),
        "tiny": pa.array(small, pa.int8()),
        "short": pa.array(some(small.tolist()), pa.int16()),
        "whole": pa.array(small * 1000, pa.int32()),
        "unsigned": pa.array(small, pa.uint64()),
        "money": pa.array([Decimal(f"{1000 + 500 * one:.2f}") for one in size], pa.decimal128(12, 2)),
        "single": pa.array(size.astype(np.float32), pa.float32()),
        "price": pa.array(some(np.round(size * 1234.5, 2).tolist())),
        "day": pa.array(some(day), pa.date32()),
        "moment": pa.array(moments, pa.timestamp("us")),
        "zoned": pa.array(moments, pa.timestamp("us", "Europe/Berlin")),
        "lasting": pa.array([dt.timedelta(hours=int(one)) for one in small], pa.duration("us")),
        "clock": pa.array([dt.time(int(one) % 24) for one in small]),
        "level": pa.array(level.tolist()),
        "large": pa.array(some(random.choice(["x", "y"], ROWS).tolist()), pa.large_string()),
        "coded": pa.array(random.choice(["r", "s"], ROWS).tolist()).dictionary_encode(),
        "nothing": pa.nulls(ROWS),
        "lists": pa.array([[int(one)] for one in small]),
        "structs": pa.array([{"a": int(one)} for one in small]),
        "digits12": pa.array([10**11 + 7 * int(one) for one in random.permutation(ROWS)]),
        "digits19": pa.array([10**18 + number for number in range(ROWS)]),
        "digits22": pa.array([str(10**21 + number) for number in range(ROWS)]),
        "zip": pa.array(random.choice(["0007", "0815", "1234"], ROWS).tolist()),
        "left": pa.array(np.where(told > 1, "yes", "no").tolist()),
    }
    return pa.table(columns)


def plain(types: dict[str, str] | None = None) -> pd.DataFrame:
    """Give the table without what only Parquet can hold; columns written as texts of some form."""
    table = arrow().drop_columns(["lists", "structs", "lasting", "nothing"]).to_pandas()
    table["zoned"] = table["zoned"].dt.tz_convert("UTC").dt.tz_localize(None)
    table["money"] = table["money"].map(float)
    return table


def written(path: Path, separator: str, decimal: str, encoding: str, day: str) -> None:
    table = plain()
    table["day"] = pd.to_datetime(table["day"]).dt.strftime(day)
    table["moment"] = table["moment"].dt.strftime(f"{day} %H:%M")
    table["zoned"] = table["zoned"].dt.strftime("%Y-%m-%dT%H:%M+00:00")
    if encoding == "cp1251":
        table["level"] = table["level"].replace({"Ünter": "Москва", "[a]": "Нижний"})
    table.to_csv(path, index=False, sep=separator, decimal=decimal, encoding=encoding)


def excel(path: Path) -> None:
    plain().assign(digits19=lambda table: table["digits19"].map(str)).to_excel(path, index=False)


def sqlite(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        plain().assign(clock=lambda table: table["clock"].map(str)).to_sql("cases", connection, index=False)


CARRIERS: dict[str, tuple[str, Callable[[Path], None]]] = {
    "parquet": ("silo.parquet", lambda path: parquet.write_table(arrow(), path)),
    "commas": ("silo.csv", lambda path: written(path, ",", ".", "utf-8-sig", "%m/%d/%Y")),
    "semicolons": ("silo.csv", lambda path: written(path, ";", ",", "cp1252", "%d.%m.%Y")),
    "tabs": ("silo.tsv", lambda path: written(path, "\t", ".", "utf-16", "%d-%b-%Y")),
    "cyrillic": ("silo.csv", lambda path: written(path, ";", ",", "cp1251", "%Y/%m/%d")),
    "excel": ("silo.xlsx", excel),
    "sqlite": ("silo.sqlite", sqlite),
}


@dataclass(frozen=True)
class Made:
    run: RunContext
    parts: making.Parts
    folder: Path
    source: Path


def make(home: Path, carrier: str, more: str = "") -> Made:
    name, write = CARRIERS[carrier]
    write(home / name)
    (home / "project.yaml").write_text(CHARTER % name + more)
    run = context.begin("handoff", str(home))
    parts = making.parts(run)
    making.core(run, parts, home / "bundle", 300)
    return Made(run, parts, home / "bundle", home / name)


quick = {"parquet", "commas", "semicolons"}


@pytest.mark.parametrize(
    "carrier", [name if name in quick else pytest.param(name, marks=pytest.mark.slow) for name in CARRIERS]
)
def test_every_type_in_every_carrier_is_served_as_it_was_trained(tmp_path: Path, carrier: str) -> None:
    made = make(tmp_path, carrier)
    used, left_out = made.parts.data.columns.kinds, made.parts.data.columns.left_out
    assert not set(used) & LEFT_OUT and {"level", "price", "day", "moment", "zoned", "tiny", "flag"} <= set(used)
    assert {"day", "moment", "zoned"} == {name for name, kind in used.items() if kind == "date"}, left_out
    assert set(made.parts.data.columns.levels["level"]) > {"NA", "None"}
    assert used["zip"] == "category" and set(made.parts.data.columns.levels["zip"]) == {"0007", "0815", "1234"}
    evidence = round_trip.differing(made.run, made.folder, made.parts)
    assert evidence.value == 0 and evidence.message.startswith(f"{ROWS} rows"), evidence.message
    loaded = bundle.load(made.folder)
    decides = Deciding.of(loaded)
    # a file like the base source, as score and monitoring read it
    later = Later(str(made.source), loaded.readings.columns)
    assert later.lacking(list(used)) == []
    (frame,) = later.pieces([*used, "id"], 1000)
    assert "invalid_input" not in set(decides.decide(frame)["reason"])
    # what somebody fills in by hand
    ready = answering.ready(loaded)
    for case in real_cases(loaded.form(), made.parts.labelled.iloc[:20]):
        assert isinstance(ready.explain(case), dict), "refused"


def reread(folder: Path, column: str, **how: Any) -> None:
    """Let a bundle believe that one of its columns was read otherwise."""
    content = json.loads((folder / bundle.READINGS).read_text())
    content["columns"][column] |= how
    content["sources"]["silo"][column] |= how
    text = json.dumps(content).encode()
    (folder / bundle.READINGS).write_bytes(text)
    manifest = json.loads((folder / bundle.MANIFEST).read_text())
    manifest["files"][bundle.READINGS] = hashlib.sha256(text).hexdigest()
    (folder / bundle.MANIFEST).write_text(json.dumps(manifest))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make(tmp_path_factory.mktemp("made"), "commas")


def test_a_column_that_is_read_otherwise_on_the_way_is_a_fail(made: Made) -> None:
    kept = {name: (made.folder / name).read_bytes() for name in (bundle.READINGS, bundle.MANIFEST)}
    reread(made.folder, "level", nulls=["", "NA"])
    evidence = round_trip.differing(made.run, made.folder, made.parts)
    for name, content in kept.items():
        (made.folder / name).write_bytes(content)
    assert evidence.value and evidence.value > 20 and "another prediction" in evidence.message


def test_rows_beyond_declared_limits_are_not_compared_and_none_left_is_a_fail(tmp_path: Path) -> None:
    some = make(tmp_path, "commas", "")
    for limit, value in (({"max": 80}, 0), ({"max": -1}, ROWS)):
        form = json.loads((some.folder / bundle.FORM).read_text())
        field = next(field for field in form["fields"] if field["name"] == "tiny")
        field["most"] = limit["max"]
        text = json.dumps(form).encode()
        (some.folder / bundle.FORM).write_bytes(text)
        manifest = json.loads((some.folder / bundle.MANIFEST).read_text())
        manifest["files"][bundle.FORM] = hashlib.sha256(text).hexdigest()
        (some.folder / bundle.MANIFEST).write_text(json.dumps(manifest))
        evidence = round_trip.differing(some.run, some.folder, some.parts)
        assert evidence.value == value and "declares" in evidence.message, evidence.message
