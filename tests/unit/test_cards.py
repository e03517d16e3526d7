"""The model card: complete, and harmless whatever things are called."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from markdown_it import MarkdownIt

from lab2live.data import dataset, splits
from lab2live.data.encoding import Columns
from lab2live.handoff import cards, contract
from lab2live.poc.comparison import ladder
from lab2live.poc.worth.value import Policy

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "`</code><script>alert(1)</script>",
    "[click](javascript:alert(1))",
    "![x](https://example.com/x.png)",
    "| a | b |",
    "# heading",
    "line one\n\n# heading\n\n- item",
    "*bold* _em_ ~~gone~~",
    "&lt;script&gt;",
    "\\<b>",
    "$x^2$",
]


def card(charter: Any, data: Any, poc: Any = None) -> str:
    split = splits.split(charter, data, 0)
    agreed = contract.describe(charter, data, split, Policy(data.problem, 0.5))
    return cards.model_card(charter, data, split, "linear", poc, agreed, "Leaves as onnx: the same.")


def test_a_card_marks_what_the_project_computes_and_says_what_happens_where_nothing_is_settled(generate: Any) -> None:
    charter, data = generate("binary", 120, fallback={"drift": "baseline"})
    text = card(charter, dataclasses.replace(data, computed=frozenset({"x3"})))
    assert "| x3 | number | computed by the project, not to be sent |" in text and "| x2 | number | no |" in text
    assert "- drift: baseline" in text and "- low_confidence: not settled in the charter: the model answers" in text
    assert "- model_error: not settled in the charter: a person has to decide" in text


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_stay_text(generate: Any, name: str) -> None:
    charter, data = generate("binary", 120, project={"name": name, "description": name, "owner": name})
    raw = data.raw.rename(columns={"x1": name})
    raw["colour"] = [name] * 60 + ["other"] * 60
    frame = raw.assign(**{name + " ": list(range(120)), "y " + name: data.outcome})
    charter = charter.model_copy(
        update={
            "prediction": charter.prediction.model_copy(update={"target": "y " + name, "time_column": name + " "}),
            "sources": [charter.sources[0].model_copy(update={"name": name, "access": "simulated"})],
        }
    )
    data = dataclasses.replace(dataset.dataset(charter, frame), classes=("no", name))
    text = card(charter, data)
    shown = MarkdownIt("commonmark", {"html": True}).enable("table").render(text)
    for bad in ("<script", "<img", "<a ", "<em>", "<strong>Not", "onerror=alert(1)>"):
        assert bad not in shown
    assert shown.count("<h1>") == 1 and shown.count("<h2>") == 8
    assert shown.count("<table>") == 1
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert len(lines) == 2 + len(data.columns.kinds)


def test_a_card_says_what_somebody_has_to_know(generate: Any) -> None:
    charter, data = generate(
        "binary",
        300,
        project={"name": "Churn", "description": "Who leaves?", "owner": "Ada"},
        prediction={"positive_class": "yes"},
        fallback={"drift": "baseline"},
        sources=[{"name": "crm", "uri": "never.csv", "access": "simulated"}],
    )
    data = dataclasses.replace(
        data, columns=Columns(data.columns.kinds, data.columns.levels, {"id": "it names the case"})
    )
    scores = {"name": "linear", "title": "Linear model", "mean": 0.8, "low": 0.75, "high": 0.85}
    scores |= {"test": 0.79, "test_low": 0.7, "test_high": 0.88}
    poc = {"ladder": {"metric": "roc_auc", "chosen": "linear", "rungs": [scores]}}
    text = card(charter, data, poc)
    for part in (
        "# Churn: model card",
        "**Made on stand-in data: crm.**",
        "- Purpose: Who leaves?",
        "- Owner: Ada",
        "- Predicts: `y` (the probability of `yes`; classes: no, yes)",
        "- Learnt from: 240 cases; tested on 60 others, held back at random, classes in equal shares",
        "| Linear model (chosen) | 0.800 (0.750 to 0.850) | 0.790 (0.700 to 0.880) |",
        "| colour | category | yes | blue, green, red |",
        "- id: it names the case",
        "- drift: baseline",
    ):
        assert part in text
    assert "PoC was not part of this run" in card(charter, data)
    assert "Simulated demo data" not in text


@pytest.mark.parametrize("problem", ["multiclass", "regression"])
def test_a_card_is_written_for_every_problem(generate: Any, problem: str) -> None:
    charter, data = generate(problem, 200)
    split = splits.split(charter, data, 0)
    found = ladder.climb(charter, data, split, folds=2, repeats=1, budget=0).ladder
    text = card(charter, data, {"ladder": found.as_dict()})
    assert ("a number" if problem == "regression" else "classes: high, low, middle") in text
    assert f"{found.rung(found.chosen).title} (chosen)" in text
    assert "nobody named" in text and "not settled in the charter" in text and "nothing left out" in text


def test_a_nested_card_has_its_headings_two_levels_down(generate: Any) -> None:
    text = cards.nested("# one\n\n## two\n\ntext # three\n")
    assert text == "### one\n\n#### two\n\ntext # three\n"


def judged(name: str, message: str) -> dict[str, Any]:
    return {"id": name, "message": message}


def test_a_card_shows_groups_confidence_failures_and_what_it_belongs_to(generate: Any) -> None:
    charter, data = generate("binary", 200, prediction={"sensitive": ["x1"]})
    split = splits.split(charter, data, 0)
    agreed = contract.describe(charter, data, split, Policy(data.problem, 0.5))
    group = {"column": "age", "level": "<b>old</b>", "cases": 376, "score": 0.756, "low": 0.675, "high": 0.829}
    group |= {"selected": 0.47, "missed": 0.26, "worth": None, "behind": 0.0}
    few = {**group, "level": "young", "high": None, "missed": None}
    scores = {"name": "linear", "title": "Linear", "mean": 0.8, "low": 0.7, "high": 0.9}
    scores |= {"test": 0.79, "test_low": 0.7, "test_high": 0.88}
    poc = {
        "ladder": {"metric": "roc_auc", "chosen": "linear", "rungs": [scores]},
        "fairness": {"groups": [group, few], "problem": ""},
        "gates": [judged("poc.fairness", "No group is surely served worse.")],
    }
    explained = {
        "gates": [judged("explainability.error_slices", "Where x is 1, the model is wrong.")],
        "failures": ["Where x is 1: wrong 40%."],
        "hardest": ["Where x is 2: wrong 30%."],
    }
    text = cards.model_card(charter, data, split, "linear", poc, agreed, "The same.", explained, {"model.onnx": "ab12"})
    for part in (
        "| age \\<b\\>old\\</b\\> | 376 | 0.756 (0.675 to 0.829) | 47% | 26% |",
        "| age young | 376 | too few cases | 47% | – |",
        "No group is surely served worse.",
        "- Kinds of cases that fail: Where x is 1, the model is wrong.",
        "- The promised confidence: not judged in this run",
        "- Fails: Where x is 1: wrong 40%.",
        "- Hard to tell: Where x is 2: wrong 30%.",
        "- Not for: cases unlike those it learnt from",
        "- model.onnx: SHA-256 `ab12`",
    ):
        assert part in text
    bare = card(charter, data)
    assert "nobody has looked" in bare and "Sensitive columns: x1." in bare
