"""Checks of a project's own: they look, they skip with a reason, and a mistake in one costs itself alone."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pandas as pd
import pytest

from lab2live import Finding, check
from lab2live.data.sources import tables
from lab2live.eda.checks import findings, quality
from lab2live.eda.checks.findings import Found

Checking = Callable[[str], Found]
START = "from lab2live import Finding, check\n"
ORDERS = """
    @check("own.weekend_orders", {arguments})
    def weekend_orders(source):
        late = source.table.filter(source.table.day >= 6).count().execute()
        share = late / len(source.sample)
        return Finding(value=share, message="Orders at weekends.", column="day", severity="{severity}", rows=late,
                       examples=source.sample.id)
"""


@pytest.fixture
def checked(tmp_path: Path, charter_of: Any) -> Iterator[Checking]:
    """Write a project with two sources and a package, run all checks, and forget the package again."""
    package = f"own_{abs(hash(tmp_path))}"
    (tmp_path / "src" / package).mkdir(parents=True)
    (tmp_path / "src" / package / "__init__.py").touch()
    pd.DataFrame({"id": range(40), "day": [1, 2, 6, 7] * 10}).to_parquet(tmp_path / "orders.parquet")
    pd.DataFrame({"id": range(40)}).to_parquet(tmp_path / "crm.parquet")
    sources = [
        {"name": name, "uri": f"{name}.parquet", "key": "id", "personal_data": False} for name in ("orders", "crm")
    ]

    def _checked(code: str, **more: Any) -> Found:
        (tmp_path / "src" / package / "checks.py").write_text(START + dedent(code), encoding="utf-8")
        charter = charter_of(
            tmp_path, project={"package": package}, sources=sources, join={"base": "orders", "on": "id"}, **more
        )
        return quality.check(charter, tables.read_all(charter))[0]

    yield _checked
    sys.path[:] = [path for path in sys.path if path != str(tmp_path / "src")]
    for name in [name for name in sys.modules if name.startswith(package)]:
        del sys.modules[name]


def orders(arguments: str = 'needs=["day"]', severity: str = "warn") -> str:
    return ORDERS.format(arguments=arguments, severity=severity)


def test_what_an_own_check_finds_stands_in_the_results_as_its_own(checked: Checking) -> None:
    found = checked(orders())
    (one,) = found.of("own.weekend_orders")
    assert one.as_dict() == {
        "check": "own.weekend_orders",
        "source": "orders",
        "column": "day",
        "severity": "warn",
        "witness": "own",
        "value": 0.5,
        "threshold": None,
        "message": "Orders at weekends.",
        "rows": 20,
        "examples": ["0", "1", "2"],
        "accepted": None,
    }
    assert not found.problems


@pytest.mark.parametrize(
    ("requirement", "moved"),
    [("L4a", "L4a"), ("L4b", "L4b"), ("L4c", "L4c"), ("L4d", "L4d"), ("L3", "L3"), (None, "L4b")],
)
def test_it_counts_in_the_gate_of_its_requirement(checked: Checking, requirement: str | None, moved: str) -> None:
    found = checked(orders(f'{requirement!r}, needs=["day"]', "fail"))
    for gate in ("L4a", "L4b", "L4c", "L4d", "L3"):
        said = found.worst(gate, nothing="Well.")
        assert said.value == (2 if gate == moved else 0), gate
    said = found.worst("label", nothing="", also=found.of("own"))
    assert said.value == 2 and "own.weekend_orders (orders, day)" in said.message


def test_a_check_may_give_nothing_or_several_findings(checked: Checking) -> None:
    found = checked(
        """
        @check("own.nothing")
        def nothing(source):
            return None

        @check("own.several", applies_to="crm")
        def several(source):
            return [Finding(value=number, message="So much.") for number in (1, 2)]
        """
    )
    assert [one.value for one in found.of("own")] == [1, 2] and not found.problems


@pytest.mark.parametrize(
    ("arguments", "source", "reason"),
    [
        ('needs=["day"]', "crm", "crm has no column day, which the check needs."),
        ('needs="day"', "crm", "crm has no column day, which the check needs."),
        ('applies_to=["shop"]', "all sources", "None of the sources it applies to is there: shop."),
        ('applies_to=["orders"], min_rows=41', "orders", "orders has 40 rows, and the check needs 41."),
    ],
)
def test_a_check_that_cannot_look_is_a_skip_with_the_reason(
    checked: Checking, arguments: str, source: str, reason: str
) -> None:
    found = checked(orders(arguments))
    said = {skip.source: skip.reason for skip in found.skipped if skip.check == "own.weekend_orders"}
    assert said == {source: reason}
    assert "own.weekend_orders" in findings.skips(found)["not checked for"].str.cat(sep=" ")
    assert not found.problems


def test_a_source_that_cannot_be_read_is_a_skip_of_what_applies_to_it(checked: Checking, tmp_path: Path) -> None:
    (tmp_path / "orders.parquet").write_bytes(b"nothing of the kind")
    found = checked(orders('applies_to=["orders"]'))
    assert [skip.reason for skip in found.skipped if skip.check.startswith("own")] == ["orders could not be read."]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("return source.sample['gone']", "KeyError: 'gone'"),
        ("return 0.3", "float, which is neither None nor a Finding"),
        ("return [Finding(value=1, message='x'), 0.3]", "float, which is neither None nor a Finding"),
        ("return Finding(value=1, message='x', severity='bad')", "the severity `bad` is not one of info, warn, fail"),
        ("return Finding(value='many', message='x')", "could not convert string to float"),
        ("raise SystemExit(3)", "SystemExit: 3"),
    ],
)
def test_a_mistake_in_a_check_is_one_message_with_file_and_fix_and_the_rest_stands(
    checked: Checking, body: str, says: str
) -> None:
    found = checked(orders() + f"\n    @check('own.broken')\n    def broken(source):\n        {body}\n")
    reasons = {skip.source: skip.reason for skip in found.skipped if skip.check == "own.broken"}
    assert set(reasons) == {"orders", "crm"}
    assert all("checks.py, function `broken` failed: " in reason and says in reason for reason in reasons.values())
    (problem,) = found.problems
    assert problem.problem == "The own check `own.broken` failed on orders."
    assert "checks.py, function `broken`" in str(problem) and says in str(problem) and "pytest" in str(problem)
    assert len(found.of("own.weekend_orders")) == 1


@pytest.mark.parametrize(
    ("second", "says"),
    [
        ("'weekend'", "The id of an own check starts with `own.`."),
        ("'missing.critical'", "The id of an own check starts with `own.`."),
        ("'own.weekend_orders'", "Two own checks have one id."),
        ("'own.other', min_rows='many'", "`own.other` is declared wrongly."),
        ("'own.other', needs=5", "`own.other` is declared wrongly."),
        ("'own.other', applies_to=[5]", "`own.other` is declared wrongly."),
        ("'own.costs', 'B3'", "answers a requirement that data cannot"),
    ],
)
def test_a_check_with_a_wrong_id_or_requirement_is_refused_by_name(checked: Checking, second: str, says: str) -> None:
    found = checked(orders() + f"\n    @check({second})\n    def second(source):\n        return None\n")
    (problem,) = found.problems
    assert says in problem.problem and "checks.py, function `second`" in str(problem)
    assert len(found.of("own")) == 1


def test_a_module_that_cannot_be_imported_is_a_problem_and_the_built_in_checks_stand(checked: Checking) -> None:
    found = checked("import nothing_of_the_kind\n")
    (problem,) = found.problems
    assert "cannot be imported" in problem.problem and "nothing_of_the_kind" in str(problem)
    assert {skip.check for skip in found.skipped}.isdisjoint({"own.weekend_orders"}) and found.sources


def test_an_own_finding_can_be_accepted(checked: Checking) -> None:
    entry = {"check": "own.weekend_orders", "source": "orders", "why": "They are real.", "by": "Ada"}
    found = checked(orders(), accepted=[entry])  # type: ignore[call-arg]
    assert found.worst("L4b", nothing="Well.").value == 0
    (one,) = found.of("own")
    assert one.accepted is not None and one.accepted.by == "Ada"


def test_a_check_cannot_change_what_others_see_and_stays_a_function(checked: Checking) -> None:
    found = checked(
        """
        @check("own.a_changes", applies_to="orders")
        def changes(source):
            source.sample["id"] = 0

        @check("own.b_sees", applies_to="orders")
        def sees(source):
            return Finding(value=source.sample["id"].nunique(), message="Ids.")
        """
    )
    (one,) = found.of("own")
    assert one.value == 40
    marked = check("own.simple")(lambda source: Finding(value=len(source), message="So many."))
    assert marked([1, 2]).value == 2  # type: ignore[arg-type, union-attr]
