"""The verdict as Markdown: complete, and nothing from the data is markup."""

from __future__ import annotations

import re
from typing import Any

import pytest

from lab2live.reporting import markdown

HOSTILE = (
    "| a | b | <img src=x onerror=alert(1)>\n\n# Heading [link](http://evil.example) ![p](x) @everyone "
    "*bold* `code` $x$ ~~no~~ www.evil.example \\| &lt;script&gt;"
)


def verdict(message: str = "All sources could be read.", **more: Any) -> dict[str, Any]:
    gate = {"id": "eda.sources", "requirement": "G1", "stage": "eda", "must_pass": True, "status": "pass", "value": 0.0}
    gate |= {"threshold": 0.0, "unit": "unread", "better": "lower", "message": message}
    gate |= {"title": "Readable sources", "question": "Could every source be read?"}
    other = {**gate, "id": "poc.shift", "title": "Covariate shift", "must_pass": False, "status": "skip", "value": None}
    error = more.pop("error", None)
    stages = [{"title": "Data", "status": "failed" if error else "done", "error": error}]
    run = {"project": "Churn", "question": "Who leaves?", "stages": stages, **more}
    return {"decision": "no-go", "reasons": ["Too few rows."], "gates": [gate, other], "run": run}


def test_the_decision_its_reasons_and_every_gate_are_told() -> None:
    said = markdown.markdown(verdict())
    assert said.startswith("## Churn: NO-GO\n\nWho leaves?\n\n- Too few rows.\n")
    rows = [line for line in said.splitlines() if line.startswith("|")]
    assert rows[2].startswith("| ✔ pass | Readable sources (must pass) | G1 | 0 unread (at most 0 allowed) |")
    assert rows[3].startswith("| – skip | Covariate shift | G1 |  |")
    assert len(rows) == 4
    assert said.endswith("|\n")


def test_a_no_go_too_says_on_what_it_rests() -> None:
    assert "**" not in markdown.markdown(verdict())
    said = markdown.markdown(verdict(stand_ins=["a_B", "c"], smoke=True))
    assert "**On stand-in data (a\\_B, c); on small samples (--smoke)**\n" in said
    assert "**About the simulated demo**\n" in markdown.markdown(verdict(demo=True))


def test_a_stage_that_broke_is_told_before_the_gates() -> None:
    error = {"name": "ValueError", "message": "a|b", "cell": 7}
    said = markdown.markdown(verdict(error=error))
    assert "**Data broke** in cell 7: ValueError: a\\|b\n" in said
    assert "stopped by an error (so far: " in said.splitlines()[0]
    assert "broke** in cell" not in markdown.markdown(verdict(error={**error, "cell": None}))


@pytest.mark.parametrize("where", ["message", "project", "question", "reason", "error"])
def test_text_from_the_data_is_no_markup(where: str) -> None:
    content = verdict(**{where: HOSTILE} if where in ("message", "project", "question") else {})
    if where == "reason":
        content["reasons"] = [HOSTILE]
    if where == "error":
        content["run"]["stages"][0]["error"] = {"name": HOSTILE, "message": HOSTILE, "cell": None}
    said = markdown.markdown(content)
    lines = [line for line in said.splitlines() if "Heading" in line]
    assert len(lines) == (2 if where == "message" else 1)
    unescaped = re.sub(r"\\.", "", lines[0].removeprefix("**Data broke**").removeprefix("## "))
    assert not re.findall(r"[`*_\[\]#~$<>@]|://|www\.", re.sub(r"&#\d+;", "", unescaped))
    if where == "message":
        assert unescaped.count("|") == 6


def test_accepted_findings_are_told_with_who_and_until_when() -> None:
    finding = {"check": "missing.critical", "source": "crm", "column": "tariff", "by": "Ada", "until": "2027-01-31"}
    said = markdown.markdown(verdict(accepted=[finding | {"message": "Half is missing."}]))
    assert said.endswith("- missing.critical: Half is missing. (accepted by Ada until 2027-01-31)\n")
    assert "accepted by Ada)" in markdown.markdown(verdict(accepted=[finding | {"message": "x", "until": None}]))


def test_a_summary_stays_short() -> None:
    said = markdown.markdown(verdict(message="x" * 10_000))
    assert "x" * (markdown.LONGEST - 1) + "…" in said
    assert len(said) < 1_500
