"""What is learnt from a table of PostgreSQL is served as it was trained, whatever types its columns have."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lab2live.charter.schema import Charter
from lab2live.handoff import making, round_trip
from lab2live.pipeline import context
from tests.service.test_round_trip import CHARTER, ROWS, plain

from .conftest import Server

TYPES = {"digits22": "numeric", "money": "numeric(12, 2)", "flag": "boolean", "day": "date", "zoned": "timestamptz"}


@pytest.mark.slow
def test_every_type_of_postgresql_is_served_as_it_was_trained(
    postgres: Server, charter_on: Callable[..., Charter], tmp_path: Path
) -> None:
    charter_on("cases")  # puts the password into the environment
    postgres.load("cases", plain())
    kinds = [f'alter "{name}" type {kind} using "{name}"::{kind}' for name, kind in TYPES.items()]
    postgres.run(f"alter table cases {', '.join(kinds)}")
    (tmp_path / "project.yaml").write_text(CHARTER % f"'{postgres.address()}', table: cases")
    run = context.begin("handoff", str(tmp_path))
    made = making.parts(run)
    making.core(run, made, tmp_path / "bundle", 300)
    assert {"day", "moment", "zoned"} == {name for name, how in made.data.columns.kinds.items() if how == "date"}
    assert not {"digits19", "digits22"} & set(made.data.columns.kinds)
    evidence = round_trip.differing(run, tmp_path / "bundle", made)
    assert evidence.value == 0 and evidence.message.startswith(f"{ROWS} rows"), evidence.message
