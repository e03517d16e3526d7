"""The brief and the sheet to sign in a real browser: on a phone, on a desk, in the dark and on paper."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lab2live.charter.gates import judge
from lab2live.charter.schema import Charter
from lab2live.handoff.people import brief, sign_off
from lab2live.handoff.people.counting import Count, Counts
from lab2live.handoff.people.findings import Findings
from lab2live.handoff.people.worked_case import Worked

from .conftest import HOSTILE
from .test_pages import check

A4 = (794, 1123)  # pixels of a page at 96 dots an inch


def pages(folder: Path, text: str) -> list[Path]:
    """Write both pages, with such a text wherever words come from data."""
    charter = Charter.model_validate(
        {
            "project": {"name": text, "description": text},
            "prediction": {"problem_type": "classification", "target": "y"},
            "sources": [{"name": text, "uri": "x.csv", "access": "simulated", "owner": text}],
            "team": {"product_manager": {"who": text, "signs_off": True}},
            "business": {"value": {"currency": text, "build_cost": 9.0}},
        }
    )
    gates = [judge("explainability.error_slices", 1, text), judge("explainability.out_of_distribution", 1, text)]
    explained = {"gates": [gate.as_dict() for gate in gates], "parameters": {}, "failures": [text], "hardest": [text]}
    handoff = {"gates": [], "parameters": {}, "contract": {"inputs": [{"name": text}], "why": text}}
    found = Findings(charter, {"explainability": explained, "handoff": handoff})
    count = Count(text, text, 23, 100, 0.16, 0.32)
    counted = Counts((count, count), ((text, count, count),) * 3, 0.4, count, 100)
    case = Worked(text, ((text, text),) * 9, text, text, text, ((text, text),) * 6, text, count, text, text)
    (folder / "brief.html").write_text(brief.page(found, counted, case), encoding="utf-8", errors="replace")
    sheet = sign_off.page(sign_off.sheet(found, folder))
    (folder / "sign_off.html").write_text(sheet, encoding="utf-8", errors="replace")
    return [folder / "brief.html", folder / "sign_off.html"]


@pytest.mark.parametrize("text", ["The customers of the north", "a_very_long_name_without_any_break_" * 4])
def test_brief_and_sheet_read_well_everywhere(visit: Any, tmp_path: Path, text: str) -> None:
    for path in pages(tmp_path, text):
        check(visit(path))


def test_hostile_words_do_nothing(visit: Any, tmp_path: Path) -> None:
    for path in pages(tmp_path, " ".join(HOSTILE)):
        seen = visit(path)
        check(seen)
        seen.page.wait_for_timeout(100)
        assert seen.page.evaluate("window.hacked") is None
        assert seen.page.locator("script, iframe, object, embed, form, base, main img").count() == 0


def test_on_paper_nothing_is_cut_off_at_the_side(visit: Any, tmp_path: Path) -> None:
    for path in pages(tmp_path, "The customers of the north"):
        seen = visit(path, A4[0])
        seen.page.emulate_media(media="print")
        wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert seen.page.evaluate(wide) <= 0
        assert len(seen.page.pdf(format="A4", print_background=True)) > 10_000


def test_a_picture_of_a_count_is_told_in_words(visit: Any, tmp_path: Path) -> None:
    path, _ = pages(tmp_path, "cases")
    seen = visit(path)
    drawn = seen.page.get_by_role("img")
    assert drawn.count() == 3
    assert "23 of 100 dots are filled" in drawn.first.get_attribute("aria-label")
