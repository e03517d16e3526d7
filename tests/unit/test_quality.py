"""The conductor of the checks, and how findings become gates: nothing is lost, nothing passes by accident."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from lab2live.charter.schema import Charter
from lab2live.data.sources import tables
from lab2live.eda.checks import findings, quality
from lab2live.eda.checks.catalogue import CHECKS
from lab2live.eda.checks.findings import Finding, Found, Skip, collect, finding
from lab2live.pipeline.evidence import Evidence

CHARTER = Charter.model_validate(
    {
        "prediction": {"problem_type": "classification", "target": "y"},
        "sources": [{"name": "crm", "uri": "never-read.csv", "personal_data": False}],
    }
)


def found(*some: tuple[str, str], skipped: tuple[Skip, ...] = (), names: tuple[str, ...] = ("crm",)) -> Found:
    made = [finding(check, "crm", "a", severity, 1, 0, "What.") for check, severity in some]  # type: ignore[arg-type]
    return collect(CHARTER, [*made, *skipped], names)


def test_every_check_knows_its_requirement_why_it_hurts_and_what_to_do() -> None:
    for name, check in CHECKS.items():
        assert check.requirement in ("L3", "L4a", "L4b", "L4c", "L4d"), name
        assert check.title and check.why.endswith(".") and check.fix.endswith((".", "?")), name


def test_the_check_ids_are_those_of_the_contract() -> None:
    contract = {
        "missing": "critical sentinel placeholder",
        "outlier": "univariate multivariate",
        "validity": "range constant",
        "drift": "change_point",
        "completeness": "category combination time_gap truncated",
        "timeliness": "incomplete_period stale",
        "integration": "orphan_keys duplicate_keys fan_out",
        "consistency": "conflict unit spelling encoding date_order timezone decimal_comma leading_zeros row_shift",
        "schema": "dtype columns",
        "duplicate": "rows",
        "leakage": "feature identifier time",
        "label": "noise agreement not_matured",
    }
    assert set(CHECKS) == {f"{room}.{name}" for room, names in contract.items() for name in names.split()}
    assert {name for name in CHECKS if not name.startswith(("leakage", "label"))} == {
        *quality.OF_A_SOURCE,
        *quality.ACROSS,
    }


def test_a_finding_says_what_why_and_what_to_do_and_shows_three_readable_examples() -> None:
    made = finding("missing.placeholder", "crm", "a", "warn", 0.1, 0.05, "Much.", 3, ["x" * 100, 1, None, 4])
    known = CHECKS["missing.placeholder"]
    assert made.message == f"Much. {known.why} {known.fix}"
    assert made.examples == ("x" * 59 + "…", "1", "None")
    assert made.where == "crm, a"
    assert finding("missing.placeholder", "crm", None, "info", 0, 0, "None at all.").message == "None at all."


def test_a_finding_has_the_fields_of_the_contract() -> None:
    made = finding("missing.critical", "crm", "a", "info", 0.1, 0.05, "Much.", 3, ["x"])
    assert made.as_dict() == {
        "check": "missing.critical",
        "source": "crm",
        "column": "a",
        "severity": "info",
        "witness": "declared",
        "value": 0.1,
        "threshold": 0.05,
        "message": "Much.",
        "rows": 3,
        "examples": ["x"],
        "accepted": None,
    }
    assert finding("missing.sentinel", "crm", "a", "warn", 1, 0, "Much.").witness is None
    assert finding("validity.range", "crm", "a", "warn", 1, 0, "Much.", witness="form").witness == "form"


@pytest.mark.parametrize(
    ("fields", "says"),
    [({"severity": "bad"}, "severity `bad`"), ({"message": None}, "no text"), ({"value": "many"}, "many")],
)
def test_a_finding_that_says_nothing_usable_is_refused(fields: dict[str, Any], says: str) -> None:
    with pytest.raises((TypeError, ValueError), match=says):
        Finding(**{"value": 1, "message": "Much.", **fields})


@pytest.mark.parametrize(
    ("severities", "level"), [((), 0), (("info",), 0), (("warn", "info"), 1), (("warn", "fail", "info"), 2)]
)
def test_a_gate_takes_the_worst_severity(severities: tuple[str, ...], level: int) -> None:
    some = found(*(("outlier.univariate", severity) for severity in severities))
    said = some.worst("L4b", nothing="All is well.")
    assert said.value == level
    assert ("All is well." in said.message) == (level == 0) and ("crm, a" in said.message) == (level > 0)
    assert (said.table is None) == (not severities)


def test_a_gate_takes_only_its_own_checks() -> None:
    some = found(("integration.orphan_keys", "fail"), ("missing.placeholder", "fail"))
    assert some.worst("L4d", nothing="", but=("integration.orphan_keys",)).value == 0
    assert some.worst("L4d", "missing.placeholder", nothing="").value == 2


def test_a_gate_that_needs_a_check_that_was_skipped_everywhere_is_a_skip() -> None:
    skip = Skip("completeness.category", "crm", "Nobody said what there should be.")
    alone = found(skipped=(skip,)).worst("L4c", nothing="Well.", needs="completeness.category")
    assert (alone.value, alone.message) == (None, "Nobody said what there should be.")
    one_of_two = found(skipped=(skip,), names=("crm", "billing"))
    said = one_of_two.worst("L4c", nothing="Well.", needs="completeness.category")
    assert said.value == 0 and said.message.startswith("Well. Not everything could be compared")
    warned = found(("completeness.time_gap", "warn"), skipped=(skip,))
    assert warned.worst("L4c", nothing="", needs="completeness.category").value == 1


def test_as_long_as_a_source_cannot_be_read_nothing_found_is_no_pass() -> None:
    down = collect(CHARTER, [], ["crm"], ["billing"])
    for said in (down.worst("L4b", nothing="Well."), down.largest("missing.critical", Evidence(0, "None."))):
        assert said.value is None and said.message == "billing could not be read, and in crm nothing was found."
    said = collect(CHARTER, [], [], ["billing"]).worst("L4b", nothing="Well.")
    assert said.value is None and said.message == "Nothing could be looked at: billing could not be read."
    bad = [finding("validity.constant", "crm", "a", "warn", 1, 0, "What.")]
    assert collect(CHARTER, bad, ["crm"], ["billing"]).worst("L4b", nothing="Well.").value == 1


def test_the_largest_value_of_a_check_is_its_gates() -> None:
    made = [finding("missing.critical", "crm", "a", "info", share, 0.5, f"{share}.") for share in (0.1, 0.3)]
    some = collect(CHARTER, made)
    said = some.largest("missing.critical", Evidence(None, "Nothing."))
    assert (said.value, said.message) == (0.3, "0.3.") and said.table is not None and len(said.table) == 2
    for otherwise in (Evidence(None, "Nothing."), Evidence(0, "Nothing.")):
        said = some.largest("missing.placeholder", otherwise)
        assert (said.value, said.message, said.table) == (otherwise.value, otherwise.message, None)


def test_where_the_rows_may_be_people_tables_show_no_examples_and_the_results_do() -> None:
    source = CHARTER.sources[0]
    of_people = CHARTER.model_copy(update={"sources": [source.model_copy(update={"personal_data": True})]})
    made = finding("validity.range", "crm", "a", "warn", 1, 0, "What.", 1, ["Ada"])
    for charter, shown in ((CHARTER, True), (of_people, False)):
        some = collect(charter, [made])
        table = some.worst("L4b", nothing="").table
        assert table is not None and ("Ada" in table.to_string()) == shown
        assert findings.results(some)["findings"][0]["examples"] == ["Ada"]


def test_skips_with_one_reason_share_a_line() -> None:
    skipped = [Skip(check, "crm", "No snapshot.") for check in ("schema.columns", "completeness.truncated")]
    shown = findings.skips(collect(CHARTER, skipped), collect(CHARTER, skipped))
    assert len(shown) == 1 and shown["not checked for"][0].count(";") == 1


def test_a_check_that_breaks_is_a_skip_and_the_others_go_on(
    charter_of: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pd.DataFrame({"id": range(50), "a": [None] * 5 + [1.0] * 45}).to_parquet(tmp_path / "base.parquet")
    (tmp_path / "broken.parquet").write_bytes(b"nothing of the kind")
    (tmp_path / "empty.csv").write_text("id,b\n", encoding="utf-8")
    charter = charter_of(
        tmp_path,
        sources=[
            {"name": "base", "uri": "base.parquet", "key": "id", "critical": ["a"]},
            {"name": "broken", "uri": "broken.parquet"},
            {"name": "empty", "uri": "empty.csv"},
        ],
        join={"base": "base", "on": "id"},
    )

    def breaks(*_: Any) -> Any:
        raise RuntimeError("no such luck")

    monkeypatch.setitem(quality.OF_A_SOURCE, "validity.constant", breaks)
    monkeypatch.setitem(quality.ACROSS, "integration.fan_out", breaks)
    result, surveys = quality.check(charter, tables.read_all(charter))
    assert [one.name for one in surveys] == ["base"]
    said = {(skip.check, skip.source): skip.reason for skip in result.skipped}
    assert "RuntimeError: no such luck" in said["validity.constant", "base"]
    assert ("integration.fan_out", "all sources") in said
    failing = {(one.check, one.source) for one in result.findings if one.severity == "fail"}
    assert {("schema.columns", "broken"), ("completeness.truncated", "empty")} <= failing
    (critical,) = result.of("missing.critical")
    assert (critical.value, critical.rows) == (0.1, 5)
