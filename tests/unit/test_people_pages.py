"""The brief and the sheet to sign: nothing made up, nothing left out in silence, and bound to what was decided."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from lab2live import files
from lab2live.charter.gates import judge
from lab2live.cli import main
from lab2live.errors import UserError
from lab2live.handoff.people import brief, limits, money, sign_off
from lab2live.handoff.people.counting import Count, Counts
from lab2live.handoff.people.findings import Findings
from lab2live.handoff.people.worked_case import Worked
from lab2live.pipeline import store
from lab2live.poc.worth.returns import Option, Range, Returns

BAD = "<img src=x onerror=alert(1)> & <script>alert(1)</script>"
SURE = Count("cases", "are clear", 53, 100, 0.4, 0.6)
WRONG = Count("cases that the model calls 'yes'", "turn out 'no'", 23, 100, 0.16, 0.32)
COUNTED = Counts((WRONG, Count("cases that turn out 'yes'", "are found", 61, 100, 0.5, 0.7)), (), 0.4, SURE, 100)


def case_of(text: str = "monthly") -> Worked:
    like = Count("cases like the one below", "turned out 'yes'", 72, 100, 0.6, 0.8)
    reasons = ((f"contract is '{text}'", "raises the answer by 12 points"),)
    says = f"The model's output would change if contract were '{text}'."
    return Worked(
        "A typical case", (("contract", text),), "69 % yes", "'yes'", "13 %", reasons, "Sure.", like, says, "The model."
    )


def result(stage: str, *gates: Any, **found: Any) -> dict[str, Any]:
    head = {
        "version": store.VERSION,
        "stage": stage,
        "finished": True,
        "fingerprint": "",
        "figures": [],
        "artefacts": [],
        "measures": {},
        "problems": [],
    }
    return {**head, "parameters": {}, "gates": [gate.as_dict() for gate in gates], **found}


def returns_of(**more: Any) -> dict[str, Any]:
    worth = Range(1.0, 2.0, 3.0)
    options = (
        Option("model", "Gradient boosting", "acts", worth, worth * 100),
        Option("rule", "Today's rule", "acts", worth, None),
    )
    earned = Returns("EUR", "binary", options, "rule", worth, worth * 100, 12.0, 500.0, worth * 1000)
    return {**earned.as_dict(), **more}


def found_of(charter: Any, **stages: Any) -> Findings:
    results = {
        "eda": result("eda", judge("eda.target", 300, "300 cases with a known outcome.")),
        "poc": result(
            "poc",
            judge("poc.fairness", 0.5, "Cases with age above 60 are served worse."),
            returns=returns_of(),
            robustness={"weaknesses": []},
        ),
        "explainability": result(
            "explainability",
            judge("explainability.error_slices", 0.4, "It fails."),
            failures=[f"Where x is {number}: wrong 60%." for number in range(6)],
            hardest=[],
        ),
        "handoff": result("handoff", judge("handoff.fault_injection", 0, "All."), contract={"inputs": [{"name": "x"}]}),
    }
    return Findings(charter, {name: found for name, found in {**results, **stages}.items() if found})


def text_of(page: str) -> str:
    return " ".join(re.sub(r"<style>.*?</style>|<[^>]+>", " ", page, flags=re.DOTALL).split())


def test_a_brief_gives_counts_with_intervals_and_a_case_with_its_reasons(charter_of: Any) -> None:
    text = text_of(brief.page(found_of(charter_of()), COUNTED, case_of()))
    for part in (
        "Of 100 cases that the model calls &#39;yes&#39;, 23 turn out &#39;no&#39;.",
        "Between 16 and 32 of 100 (95 % interval), counted on 100 cases",
        "61 are found",
        "69 % yes",
        "raises the answer by 12 points",
        "Of 100 cases like this one, 72 turned out",
        "Where x is 3: wrong 60%. And 2 more.",
        "Cases with age above 60 are served worse.",
        "about 200 EUR a month (100 to 300) more",
        "300 cases with a known outcome",
    ):
        assert part in text


def test_a_brief_says_who_decides_until_when_and_what_is_open(charter_of: Any) -> None:
    charter = charter_of(
        team={"product_manager": {"who": "Ada", "signs_off": True}, "mlops_engineer": {"signs_off": True}},
        feasibility={"deadline": "2027-06-30"},
    )
    text = text_of(brief.page(found_of(charter), COUNTED, case_of()))
    assert "Ada (product manager); nobody is named yet as MLOps engineer" in text and "2027-06-30" in text
    assert "Conditional" in text and "open questions of the charter" in text
    nobody = text_of(brief.page(found_of(charter_of()), COUNTED, case_of()))
    assert "Nobody is named who decides" in nobody and "no date is stated" in nobody
    assert "nobody with signs_off." in nobody and ".." not in nobody


def test_a_brief_tells_columns_of_the_sources_from_those_that_the_project_computes(charter_of: Any) -> None:
    inputs = [{"name": "km"}, {"name": "items", "computed": False}, {"name": "missing_answers", "computed": True}]
    found = found_of(charter_of(), handoff=result("handoff", contract={"inputs": inputs}))
    text = text_of(brief.page(found, COUNTED, case_of()))
    assert "It looks at 2 columns from s: km, items." in text
    assert "It also looks at 1 column that the project computes from such: missing_answers." in text
    assert "computes from such" not in text_of(brief.page(found_of(charter_of()), COUNTED, case_of()))


def test_a_brief_says_what_happens_where_nothing_is_settled(charter_of: Any) -> None:
    judged = [judge("explainability.out_of_distribution", 0.1, "Some."), judge("poc.shift", 0.5, "A little.")]
    stages = {name: result(name, gate) for name, gate in zip(("explainability", "poc"), judged, strict=True)}
    text = text_of(brief.page(found_of(charter_of(), **stages), COUNTED, case_of()))
    assert "Who decides then is not settled: the model answers all the same." in text
    assert "Who decides then is not settled: a person has to decide." in text
    assert "Who decides those is not settled: the model answers all the same." in text


def test_a_no_go_is_said_and_nobody_is_asked_to_take_the_model_over(charter_of: Any) -> None:
    failed = result("handoff", judge("handoff.reload", 1, "One answer differs."))
    text = text_of(brief.page(found_of(charter_of(), handoff=failed), COUNTED, case_of()))
    assert "✖ No-go" in text and "One answer differs." in text and "Take the model over" not in text


def test_what_is_not_known_is_said_in_its_place(charter_of: Any) -> None:
    found = found_of(charter_of(), eda=None, poc=None, explainability=None, handoff=result("handoff"))
    text = text_of(brief.page(found, None, None))
    for part in (
        "Nothing was counted in this run",
        "No typical case can be shown",
        "What it brings is not known",
        "The charter says nothing about money",
        "What it sees is not known",
        "Not known: nothing was counted in this run.",
        "Not known: the proof of concept has no current results in this run.",
    ):
        assert part in text
    assert text.count("Not known: This stage has no current results in this run.") == 9
    assert "the numbers; the worked case" in brief.sentence(found, None, None)
    assert [len(limits.distrust(found, None)), len(limits.beyond(found, None))] == [9, 6]


def test_without_money_the_brief_says_so_and_what_lacks(charter_of: Any) -> None:
    lacking = {"options": [], "lacking": "The charter states no money (business.value.per_case)."}
    poc = result("poc", returns=returns_of(**lacking))
    said = money.told(found_of(charter_of(), poc=poc))
    assert said == ["What it brings in money is not known. The charter states no money (business.value.per_case)."]
    assert money.rests_on(charter_of().business.value) == []


def test_money_names_every_assumption_of_the_charter(charter_of: Any) -> None:
    value = {
        "per_case": {"true_positive": 110, "false_positive": -15, "false_negative": 0, "true_negative": 0},
        "cases_per_month": 8000,
        "build_cost": 60000,
    }
    said = "; ".join(money.rests_on(charter_of(business={"value": value}).business.value))
    assert "110 EUR for acting on a case that turns out so" in said and "-15 EUR for acting on a case in vain" in said
    assert "8,000 cases a month" in said and "60,000 EUR to build it" in said


def test_demo_stand_in_and_sample_are_marked_on_the_brief_and_on_the_sheet(charter_of: Any, tmp_path: Path) -> None:
    charter = charter_of(sources=[{"name": "crm", "uri": "x.csv", "access": "simulated"}])
    found = found_of(charter)
    found.results["eda"]["parameters"]["sample"] = 100
    for page in (brief.page(found, COUNTED, case_of()), sign_off.page(sign_off.sheet(found, tmp_path))):
        assert "Not the real data: crm." in page and "Computed on a part of the cases" in page


def test_pages_are_the_same_every_time_and_ask_for_nothing(charter_of: Any) -> None:
    page = brief.page(found_of(charter_of()), COUNTED, case_of())
    assert page == brief.page(found_of(charter_of()), COUNTED, case_of())
    assert "<script" not in page and not re.search(r"(src|href)=\"(http|/)", page) and "url(" not in page


def test_hostile_words_stay_words(charter_of: Any, tmp_path: Path) -> None:
    charter = charter_of(
        project={"name": BAD, "description": BAD},
        team={"product_manager": {"who": BAD, "signs_off": True}, BAD: {"who": "x", "signs_off": True}},
        sources=[{"name": BAD, "uri": "x.csv", "owner": BAD, "access": "simulated"}],
        business={"value": {"currency": BAD, "build_cost": 3}},
    )
    explained = result("explainability", judge("explainability.error_slices", 1, BAD), failures=[BAD], hardest=[BAD])
    counted = Counts((Count(BAD, BAD, 1, 2, 0.1, 0.9),) * 2, ((BAD, WRONG, WRONG),), 0.5, SURE, 2)
    found = found_of(charter, explainability=explained)
    for page in (brief.page(found, counted, case_of(BAD)), sign_off.page(sign_off.sheet(found, tmp_path))):
        assert "<img" not in page and "<script" not in page and "&lt;img" in page


@pytest.fixture
def run(tmp_path: Path, charter_of: Any) -> Path:
    """A run with a bundle, a brief and a sheet."""
    bundle = tmp_path / "artefacts" / "bundle"
    files.write_text(bundle / "model.onnx", "a model")
    files.write_json(bundle / "manifest.json", {"files": {"model.onnx": sign_off._hash(bundle / "model.onnx")}})
    files.write_text(tmp_path / "artefacts" / "brief.html", "a brief")
    files.write_text(tmp_path / "artefacts" / "bundle.zip", "all of the bundle")
    found = found_of(charter_of(team={"product_manager": {"who": "Ada", "signs_off": True}}))
    for name, content in found.results.items():
        files.write_json(tmp_path / "results" / f"{name}.json", content)
    sign_off.write(found, tmp_path)
    return tmp_path


def test_a_sheet_names_signers_and_hashes_and_fits_what_it_was_written_for(run: Path) -> None:
    described = json.loads((run / sign_off.SHEET).read_text())
    assert set(described["files"]) == set(sign_off.BOUND)
    assert described["signers"] == [
        {"role": "product_manager", "who": "Ada", "owns": sign_off.roles.OWNS["product_manager"]}
    ]
    page = (run / sign_off.PAGE).read_text()
    assert "Product manager: Ada" in page and all(digest in page for digest in described["files"].values())
    assert "still fits" in sign_off.check(run)


@pytest.mark.parametrize("name", [*sign_off.BOUND, "artefacts/bundle/model.onnx"])
@pytest.mark.parametrize("gone", [False, True])
def test_one_byte_more_or_a_missing_file_is_named(run: Path, name: str, gone: bool) -> None:
    (run / name).write_bytes(b"x" + (run / name).read_bytes())
    if gone:
        (run / name).unlink()
    assert name in sign_off.changed(run)
    with pytest.raises(UserError, match=re.escape(name)):
        sign_off.check(run)


def test_another_answer_of_the_last_stage_is_noticed_and_a_new_artefact_is_not(run: Path) -> None:
    path = run / "results" / "handoff.json"
    kept = json.loads(path.read_text())
    files.write_json(path, {**kept, "artefacts": [{"path": "x", "title": "y"}]})
    assert sign_off.changed(run) == []
    kept["gates"][0]["status"] = "fail"
    files.write_json(path, kept)
    assert sign_off.changed(run) == [f"results/handoff.json ({sign_off.GATES})"]
    path.unlink()
    assert len(sign_off.changed(run)) == 1


def test_a_sheet_cannot_point_outside_of_its_run(run: Path) -> None:
    outside = run.parent / "outside.txt"
    outside.write_text("x")
    described = json.loads((run / sign_off.SHEET).read_text())
    described["files"]["../outside.txt"] = sign_off._hash(outside)
    files.write_json(run / sign_off.SHEET, described)
    assert sign_off.changed(run) == ["../outside.txt"]


@pytest.mark.parametrize("content", ["", "[]", '{"version": 1}', '{"version": 9, "files": {}}', None])
def test_a_sheet_that_is_no_sheet_is_refused_with_the_fix(run: Path, content: str | None) -> None:
    (run / sign_off.SHEET).unlink()
    if content is not None:
        (run / sign_off.SHEET).write_text(content)
    with pytest.raises(UserError, match="fix"):
        sign_off.check(run)


def test_what_was_not_there_is_said_not_to_be_signed(run: Path, charter_of: Any) -> None:
    shutil.rmtree(run / "artefacts" / "bundle")
    described = sign_off.sheet(found_of(charter_of()), run)
    assert "artefacts/bundle/manifest.json" not in described["files"]
    page = text_of(sign_off.page(described))
    assert "so not signed: the bundle" in page and "nobody who signs off" in page


def test_the_command_says_what_fits_and_ends_with_1_where_it_does_not(run: Path, monkeypatch: Any, capsys: Any) -> None:
    assert CliRunner().invoke(main.app, ["sign-off", str(run)]).exit_code == 0
    files.write_text(run.parent / "latest", f"{run.name}\n")
    assert CliRunner().invoke(main.app, ["sign-off", str(run.parent / "latest")]).exit_code == 0
    (run.parent / "latest").unlink()
    files.write_text(run / "artefacts" / "brief.html", "another brief")
    monkeypatch.setattr("sys.argv", ["lab2live", "sign-off", str(run)])
    assert main.main() == 1
    assert "artefacts/brief.html" in capsys.readouterr().err
