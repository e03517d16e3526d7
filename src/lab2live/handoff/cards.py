"""What somebody must know before using the model: the model card, written from the run and not by hand."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from lab2live import __version__
from lab2live.charter.metrics import METRICS
from lab2live.charter.schema import Charter
from lab2live.data.dataset import Dataset
from lab2live.data.splits import Split
from lab2live.handoff.contract import bound, sent
from lab2live.handoff.fallback import TRIGGERS, otherwise
from lab2live.reporting.formatting import plain, score_text


def model_card(
    charter: Charter,
    data: Dataset,
    split: Split,
    name: str,
    poc: Mapping[str, Any] | None,
    contract: Mapping[str, Any],
    parity: str,
    explainability: Mapping[str, Any] | None = None,
    hashes: Mapping[str, str] | None = None,
) -> str:
    """Write the model card (Mitchell et al. 2019, "Model cards for model reporting") as Markdown.

    Parameters
    ----------
    charter, data, split
        What it is for, and what it learnt from.
    name
        The rung of the ladder.
    poc
        The results of the PoC, or `None` if it has not run in this run: the card says so.
    contract
        The bundle's `contract.json`.
    parity
        How the exported model compares with the tested one, as a sentence.
    explainability
        The results of that stage, or `None` if it has not run in this run: the card says so.
    hashes
        Name -> SHA-256 of what the card belongs to, such as the model's file.
    """
    project, prediction = charter.project, charter.prediction
    lines = [f"# {as_text(project.name)}: model card", ""]
    if charter.is_demo:
        lines += ["**Simulated demo data: not for any decision.**", ""]
    if charter.stand_ins:
        lines += [f"**Made on stand-in data: {as_text(', '.join(charter.stand_ins))}.**", ""]
    lines += [f"- Purpose: {as_text(project.description) or 'not stated in the charter'}"]
    lines += [f"- Owner: {as_text(project.owner or 'nobody named')}", f"- Model: {name}"]
    lines += [f"- Predicts: {as_code(prediction.target)} ({_what(data)})"]
    held_back = f"tested on {len(split.test):,} others, held back {as_text(split.how)}"
    lines += [f"- Learnt from: {len(split.train):,} cases; {held_back}"]
    lines += [f"- Sources: {as_text(', '.join(source.name for source in charter.sources))}"]
    lines += [f"- File: {as_text(parity)}", "", "## What it is for, and what not", "", *_use(charter)]
    lines += ["", "## How good it is", ""]
    lines += _scores(poc["ladder"]) if poc else ["The PoC was not part of this run: no scores to show."]
    lines += ["", "## How it serves groups of people", "", *_groups(charter, poc)]
    lines += ["", "## How sure it is, and when it fails", "", *_limits(explainability)]
    lines += ["", "## What it needs", "", "| column | kind | may be empty | seen in training |", "|---|---|---|---|"]
    lines += [f"| {as_text(e['name'])} | {e['kind']} | {plain(sent(e))} | {_seen(e)} |" for e in contract["inputs"]]
    lines += ["", "## What it does not use", ""]
    lines += [f"- {as_text(column)}: {as_text(reason)}" for column, reason in data.columns.left_out.items()] or [
        "- nothing left out"
    ]
    lines += ["", "## When it must not answer", ""]
    lines += [f"- {trigger}: {answer}" for trigger, answer in charter.answerers.items()]
    open_ones = [trigger for trigger in TRIGGERS if trigger not in charter.fallback]
    lines += [f"- {trigger}: not settled in the charter: {otherwise(trigger)}" for trigger in open_ones]
    lines += ["", "## What this card belongs to", "", f"- lab2live {__version__}", f"- {trusted(charter)}"]
    lines += [f"- {as_text(name)}: SHA-256 {as_code(digest)}" for name, digest in (hashes or {}).items()]
    return "\n".join(lines) + "\n"


def trusted(charter: Charter) -> str:
    """Say which types of a model somebody has declared safe to load, beside those of scikit-learn and LightGBM."""
    named = ", ".join(as_code(name) for name in charter.deployment.trusted_types)
    return f"Types trusted by name (`deployment.trusted_types`): {named or 'none beside scikit-learn and LightGBM'}"


def nested(card: str) -> str:
    """Give the card with its headings two levels down, for a page that has a title already."""
    return re.sub(r"^#", "###", card, flags=re.MULTILINE)


def _what(data: Dataset) -> str:
    if data.problem == "regression":
        return "a number"
    kind = f"the probability of {as_code(data.classes[-1])}" if data.problem == "binary" else "one of the classes"
    return f"{kind}; classes: {as_text(', '.join(data.classes))}"


def _use(charter: Charter) -> list[str]:
    """Say what the model is meant for, and what nobody has tested it for."""
    target = as_code(charter.prediction.target)
    personal = "are or may be personal" if charter.is_personal else "are not personal"
    return [
        f"- Meant for: saying {target} of cases as its sources deliver them, by those named below, with the fallback "
        "below",
        "- Not for: cases unlike those it learnt from, other purposes than the one above, or saying what causes what",
        "- Not for: deciding alone where the charter hands the case to a person",
        f"- The data {personal}.",
    ]


def _groups(charter: Charter, poc: Mapping[str, Any] | None) -> list[str]:
    """Show score and errors of each sensitive group."""
    kept = poc.get("fairness") if poc else None
    if not isinstance(kept, Mapping):
        named = as_text(", ".join(charter.prediction.sensitive))
        return [f"Not measured in this run. Sensitive columns: {named or 'none named in the charter'}."]
    if not kept["groups"]:
        return [as_text(kept["problem"])]
    lines = ["| group | cases | score | acted on | missed |", "|---|---|---|---|---|"]
    for one in kept["groups"]:
        said = "too few cases" if one["high"] is None else score_text(one["score"], one["low"], one["high"])
        shares = [plain(None) if one[name] is None else f"{one[name]:.0%}" for name in ("selected", "missed")]
        lines.append(
            f"| {as_text(one['column'])} {as_text(one['level'])} | {one['cases']:,} | {said} | {' | '.join(shares)} |"
        )
    judged = next((gate for gate in poc["gates"] if gate["id"] == "poc.fairness"), None) if poc else None
    return [*lines, *(["", as_text(judged["message"])] if judged else [])]


def _limits(explainability: Mapping[str, Any] | None) -> list[str]:
    """Say what was found about confidence and failures, slice by slice."""
    if not explainability:
        return ["The explanations were not part of this run: nobody has looked."]
    judged = {gate["id"]: gate["message"] for gate in explainability["gates"]}
    lines = [
        f"- {title}: {as_text(judged.get(name, 'not judged in this run'))}"
        for title, name in (
            ("80 % means 80 %?", "explainability.calibration"),
            ("The promised confidence", "explainability.coverage"),
            ("Kinds of cases that fail", "explainability.error_slices"),
            ("Unlike what was learnt from", "explainability.out_of_distribution"),
        )
    ]
    lines += [f"- Fails: {as_text(text)}" for text in explainability.get("failures", ())]
    return lines + [f"- Hard to tell: {as_text(text)}" for text in explainability.get("hardest", ())]


def _scores(ladder: Mapping[str, Any]) -> list[str]:
    metric = METRICS[ladder["metric"]]
    lines = [f"{metric.label}: {metric.meaning}. 95 % intervals.", ""]
    lines += ["| candidate | cross-validated | test part |", "|---|---|---|"]
    for rung in ladder["rungs"]:
        chosen = " (chosen)" if rung["name"] == ladder["chosen"] else ""
        crossed = score_text(rung["mean"], rung["low"], rung["high"])
        test = score_text(rung["test"], rung["test_low"], rung["test_high"])
        lines.append(f"| {rung['title']}{chosen} | {crossed} | {test} |")
    return lines


def _seen(entry: Mapping[str, Any]) -> str:
    if entry["kind"] != "category":
        return f"{bound(entry, 'min')} to {bound(entry, 'max')}"
    return as_text(_some(entry["categories"]))


def _some(values: Sequence[str], most: int = 8) -> str:
    more = f" and {len(values) - most} more" if len(values) > most else ""
    return ", ".join(values[:most]) + more


def as_code(text: object) -> str:
    """Set a name as code, where Markdown knows no escapes: only a backtick could end it."""
    return f"`{' '.join(str(text).replace('`', chr(39)).split()) or ' '}`"


def as_text(text: object) -> str:
    """Keep text from the charter or the data from being Markdown or HTML, and on one line."""
    return re.sub(r"([\\`*_{}\[\]<>()#+!|~$&])", r"\\\1", " ".join(str(text).split()))
