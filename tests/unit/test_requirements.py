"""The requirements table is true: every id is there, and every gate stands where its requirement is."""

from __future__ import annotations

import re
from pathlib import Path

from lab2live.charter import gates

ROOT = Path(__file__).resolve().parents[2]
IDS = [
    *("B1", "B2", "B3", "B4", "P1", "P2", "L1", "L2", "L3", "L4a", "L4b", "L4c", "L4d", "L5"),
    *("G1", "G2", "G3", "G4", "T1", "T2a", "T2b", "T2c", "T2d", "T3", "T4"),
]


def table() -> dict[str, list[str]]:
    """Read the table as id -> its other cells."""
    lines = (ROOT / "docs" / "requirements.md").read_text(encoding="utf-8").splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if re.match(r"\| [A-Z]\d", line)]
    return {row[0]: row[1:] for row in rows}


def test_every_requirement_has_a_line_that_says_what_answers_it_or_what_is_missing() -> None:
    rows = table()
    assert list(rows) == IDS
    for name, (_, gates_of, sections, missing, _) in rows.items():
        assert gates_of or sections or missing, f"{name} says neither what answers it nor what is missing"


def test_every_gate_stands_at_its_requirement_and_nowhere_else() -> None:
    listed = {name: set(re.findall(r"`([a-z_.]+)`", cells[1])) for name, cells in table().items()}
    known: dict[str, set[str]] = {name: set() for name in IDS}
    for rule in gates.CATALOGUE.values():
        known[rule.requirement].add(rule.id)
    assert listed == known


def test_every_section_that_is_named_is_in_its_notebook() -> None:
    for name, cells in table().items():
        for notebook, sections in re.findall(r"`(\d\d_\w+)`: ([^;|`]+)", cells[2]):
            text = (ROOT / "notebooks" / f"{notebook}.ipynb").read_text(encoding="utf-8")
            for title in re.findall(r"[A-Z][^,?]+\??", sections):
                assert title.strip() in text, f"{name} names a section that {notebook} does not have: {title}"


def test_every_requirement_names_tests_that_there_are() -> None:
    for name, cells in table().items():
        named = re.findall(r"`([a-z_]+/test_\w+)`", cells[4])
        assert named, f"{name} names no test"
        for test in named:
            assert "\ndef test_" in (ROOT / "tests" / f"{test}.py").read_text(encoding="utf-8"), f"{name}: {test}"
