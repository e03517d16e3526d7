"""What somebody must know before using the model: the model card, written from the run and not by hand."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from lab2live.cases import Dataset
from lab2live.handoff.contract import bound
from lab2live.metrics import METRICS
from lab2live.schema import Charter
from lab2live.splits import Split


def model_card(
    charter: Charter,
    data: Dataset,
    split: Split,
    name: str,
    poc: Mapping[str, Any] | None,
    contract: Mapping[str, Any],
    parity: str,
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
    """
    project, prediction = charter.project, charter.prediction
    lines = [f"# {_plain(project.name)}: model card", ""]
    if charter.is_demo:
        lines += ["**Simulated demo data: not for any decision.**", ""]
    if charter.stand_ins:
        lines += [f"**Made on stand-in data: {_plain(', '.join(charter.stand_ins))}.**", ""]
    lines += [f"- Purpose: {_plain(project.description) or 'not stated in the charter'}"]
    lines += [f"- Owner: {_plain(project.owner or 'nobody named')}", f"- Model: {name}"]
    lines += [f"- Predicts: {_code(prediction.target)} ({_what(data)})"]
    held_back = f"tested on {len(split.test):,} others, held back {_plain(split.how)}"
    lines += [f"- Learnt from: {len(split.train):,} cases; {held_back}"]
    lines += [f"- Sources: {_plain(', '.join(source.name for source in charter.sources))}"]
    lines += [f"- File: {_plain(parity)}", "", "## How good it is", ""]
    lines += _scores(poc["ladder"]) if poc else ["The PoC was not part of this run: no scores to show."]
    lines += ["", "## What it needs", "", "| column | kind | may be empty | seen in training |", "|---|---|---|---|"]
    lines += [
        f"| {_plain(e['name'])} | {e['kind']} | {'yes' if e['nullable'] else 'no'} | {_seen(e)} |"
        for e in contract["inputs"]
    ]
    lines += ["", "## What it does not use", ""]
    lines += [f"- {_plain(column)}: {reason}" for column, reason in data.columns.left_out.items()] or [
        "- nothing left out"
    ]
    lines += ["", "## When it must not answer", ""]
    lines += [f"- {trigger}: {answer}" for trigger, answer in charter.fallback.items()] or [
        "- not settled in the charter"
    ]
    return "\n".join(lines) + "\n"


def nested(card: str) -> str:
    """Give the card with its headings two levels down, for a page that has a title already."""
    return re.sub(r"^#", "###", card, flags=re.MULTILINE)


def _what(data: Dataset) -> str:
    if data.problem == "regression":
        return "a number"
    kind = f"the probability of {_code(data.classes[-1])}" if data.problem == "binary" else "one of the classes"
    return f"{kind}; classes: {_plain(', '.join(data.classes))}"


def _scores(ladder: Mapping[str, Any]) -> list[str]:
    metric = METRICS[ladder["metric"]]
    lines = [f"{metric.label}: {metric.meaning}. 95 % intervals.", ""]
    lines += ["| candidate | cross-validated | test part |", "|---|---|---|"]
    for rung in ladder["rungs"]:
        chosen = " (chosen)" if rung["name"] == ladder["chosen"] else ""
        lines.append(
            f"| {rung['title']}{chosen} | {rung['mean']:.3f} ({rung['low']:.3f} to {rung['high']:.3f}) "
            f"| {rung['test']:.3f} ({rung['test_low']:.3f} to {rung['test_high']:.3f}) |"
        )
    return lines


def _seen(entry: Mapping[str, Any]) -> str:
    if entry["kind"] != "category":
        return f"{bound(entry, 'min')} to {bound(entry, 'max')}"
    return _plain(_some(entry["categories"]))


def _some(values: Sequence[str], most: int = 8) -> str:
    more = f" and {len(values) - most} more" if len(values) > most else ""
    return ", ".join(values[:most]) + more


def _code(text: object) -> str:
    """Set a name as code, where Markdown knows no escapes: only a backtick could end it."""
    return f"`{' '.join(str(text).replace('`', chr(39)).split()) or ' '}`"


def _plain(text: object) -> str:
    """Keep text from the charter or the data from being Markdown or HTML, and on one line."""
    return re.sub(r"([\\`*_{}\[\]<>()#+!|~$&])", r"\\\1", " ".join(str(text).split()))
