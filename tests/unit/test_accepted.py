"""Findings that a person has settled: out of the gates, shown by name and date, and back when they grow or expire."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace
from typing import Any

import pytest

from lab2live.charter.schema import Charter
from lab2live.eda.checks import findings
from lab2live.eda.checks.findings import Finding, Found, collect, finding
from lab2live.pipeline import store
from lab2live.pipeline.evidence import Evidence

TODAY = dt.date.today()
ENTRY = {"check": "validity.range", "source": "crm", "why": "A known error, mended in May.", "by": "Ada"}


def settled(*made: Finding, **entry: Any) -> tuple[Charter, Found]:
    charter = Charter.model_validate(
        {
            "prediction": {"problem_type": "classification", "target": "y"},
            "sources": [{"name": "crm", "uri": "never-read.csv", "personal_data": False}],
            "accepted": [{**ENTRY, **entry}],
        }
    )
    return charter, collect(charter, made, ["crm"])


def out_of_range(value: float = 0.02, column: str = "age") -> Finding:
    return finding("validity.range", "crm", column, "warn", value, 0, "Ages above 150.")


@pytest.mark.parametrize(
    "entry",
    [{}, {"column": "age"}, {"source": None}, {"value": 0.02}, {"until": TODAY + dt.timedelta(1)}, {"until": TODAY}],
)
def test_an_accepted_finding_counts_in_no_gate_and_is_shown_with_its_name(entry: dict[str, Any]) -> None:
    _, found = settled(out_of_range(), **entry)
    said = found.worst("L4b", nothing="Well.")
    assert said.value == 0 and said.message == "Well. One finding is accepted."
    assert said.table is not None and said.table["accepted"][0].startswith("by Ada")
    (kept,) = findings.results(found)["findings"]
    assert kept["severity"] == "warn"
    until = entry["until"].isoformat() if "until" in entry else None
    assert kept["accepted"] == {"by": "Ada", "why": ENTRY["why"], "until": until, "value": entry.get("value")}


def test_the_date_until_which_a_finding_is_accepted_is_shown() -> None:
    _, found = settled(out_of_range(), until=dt.date(2999, 3, 1))
    table = found.worst("L4b", nothing="Well.").table
    assert table is not None and table["accepted"].tolist() == ["by Ada until 2999-03-01"]


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ({"value": 0.01}, "Ada had accepted this up to 0.01, and it is 0.02 now: it counts again."),
        (
            {"until": TODAY - dt.timedelta(1)},
            f"Ada had accepted this until {TODAY - dt.timedelta(1)}: it counts again.",
        ),
    ],
)
def test_a_finding_that_grew_or_whose_time_is_over_counts_again_and_says_why(entry: dict[str, Any], says: str) -> None:
    _, found = settled(out_of_range(), **entry)
    said = found.worst("L4b", nothing="Well.")
    assert said.value == 1 and "accepted" not in said.message
    assert found.findings[0].message.endswith(says) and found.findings[0].accepted is None
    assert said.table is not None and "accepted" not in said.table


def test_a_result_is_out_of_date_once_the_time_of_an_accepted_finding_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    charter, _ = settled(until=TODAY)

    def fingerprint(day: dt.date) -> str:
        monkeypatch.setattr(store, "dt", SimpleNamespace(date=SimpleNamespace(today=lambda: day)))
        return store.fingerprint(charter, "eda", {})

    assert fingerprint(TODAY) == fingerprint(TODAY - dt.timedelta(1)) != fingerprint(TODAY + dt.timedelta(1))


def test_where_less_is_worse_a_finding_grows_downwards() -> None:
    for agreement, accepted in ((0.60, True), (0.55, True), (0.50, False)):
        made = finding("label.agreement", "crm", "y", "warn", agreement, 0.67, "They disagree.")
        _, found = settled(made, check="label.agreement", value=0.55)
        assert (found.findings[0].accepted is not None) == accepted, agreement


def test_what_is_accepted_for_one_column_or_check_is_not_for_another() -> None:
    _, found = settled(out_of_range(column="age"), out_of_range(column="bill"), column="age")
    said = found.worst("L4b", nothing="Well.")
    assert said.value == 1 and "crm, bill" in said.message and "One finding is accepted." in said.message
    _, found = settled(out_of_range(), check="validity.constant")
    assert found.worst("L4b", nothing="Well.").value == 1


def test_an_accepted_share_of_missing_values_is_not_the_gates() -> None:
    made = [
        finding("missing.critical", "crm", name, "info", share, 0.01, f"{name}.")
        for name, share in (("a", 0.3), ("b", 0.002))
    ]
    otherwise = Evidence(None, "No critical fields.")
    _, found = settled(*made, check="missing.critical", column="a")
    said = found.largest("missing.critical", otherwise)
    assert (said.value, said.message) == (0.002, "b. One finding is accepted.")
    _, found = settled(made[0], check="missing.critical")
    said = found.largest("missing.critical", otherwise)
    assert (said.value, said.message) == (0, "One finding is accepted.")


def test_an_entry_that_meets_no_finding_is_said_and_no_error() -> None:
    charter, found = settled(out_of_range(), check="validity.constant", column="age")
    (said,) = findings.unmatched(charter, found)
    assert said.startswith("validity.constant (crm, age), accepted by Ada, was not found")
    charter, found = settled(out_of_range())
    assert findings.unmatched(charter, found) == []
    # what has come back was found
    charter, found = settled(out_of_range(), value=0.01)
    assert findings.unmatched(charter, found) == []
