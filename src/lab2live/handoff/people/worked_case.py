"""One typical case from beginning to end: what goes in, what the model says, why, how sure, and what would flip it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from lab2live.handoff import form
from lab2live.handoff.answering import Answering, Refused
from lab2live.handoff.people.counting import Count, like_this
from lab2live.reporting.formatting import plain


@dataclass(frozen=True)
class Worked:
    """A case that nobody is: made up of what is usual among cases with such an answer.

    Attributes
    ----------
    title
        What it is typical of.
    inputs
        Field and value, in words; first what matters most.
    said, output
        What the model says, and what that is taken for.
    start
        What it would say of a case about which nothing is known.
    reasons
        What, and how much it moves the answer, in words; the strongest first.
    sure
        How sure it is, as a sentence.
    like
        Of 100 cases like this one.
    flip
        What would change the output, as a sentence, or why nothing that was tried does.
    decides
        Who decides in the end: the model or what stands in for it.
    """

    title: str
    inputs: tuple[tuple[str, str], ...]
    said: str
    output: str
    start: str
    reasons: tuple[tuple[str, str], ...]
    sure: str
    like: Count
    flip: str
    decides: str


def worked(answering: Answering, known: np.ndarray, answers: np.ndarray) -> Worked | None:
    """Ask the bundle about its typical cases, and tell the first for which it is known what would flip the output.

    Parameters
    ----------
    answering
        The bundle, made ready.
    known, answers
        Outcomes of the held-back cases and what the model says of them, see `counting.like_this`.

    Returns
    -------
    Worked or None
        `None` where the bundle refuses its own typical cases. No real case is ever told: of the changes only those
        that were made up.
    """
    asked = [(case, answering.explain(case["values"])) for case in answering.form["cases"]]
    told = [(case, found) for case, found in asked if not isinstance(found, Refused)]
    if not told:
        return None
    case, found = next((pair for pair in told if _made_up(pair[1])), told[0])
    values = {name: value for name, value in case["values"].items() if name not in found["derived"]}
    answer = answering.explainer.predict(answering.explainer.row(_typed(answering, values)))[0]
    fields = {field["name"]: field for field in answering.form["fields"]}
    return Worked(
        case["title"],
        tuple((name, _shown(value, fields[name])) for name, value in values.items()),
        found["answer"]["said"],
        found["answer"]["output"],
        found["reasons"]["start"],
        tuple((part["what"], _moves(part)) for part in found["reasons"]["parts"]),
        found["confidence"]["set"],
        like_this(answering.explainer, answer, known, answers),
        _flip(found["flips"]),
        found["fallback"]["words"],
    )


def _typed(answering: Answering, values: Mapping[str, Any]) -> dict[str, Any]:
    return form.read(answering.form, answering.explainer, values)[0]


def _made_up(found: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [option for option in found["flips"]["options"] if option["title"] != "Nearest real case"]


def _flip(flips: Mapping[str, Any]) -> str:
    options = _made_up({"flips": flips})
    return options[0]["sentence"] if options else flips["none"] or "No change that was tried flips the output."


def _moves(part: Mapping[str, Any]) -> str:
    sign, size = part["text"][0], part["text"][1:]
    verb = {"+": "raises the answer by", "−": "lowers the answer by"}.get(sign)
    return f"{verb} {size}" if verb else "no noticeable change"


def _shown(value: Any, field: Mapping[str, Any]) -> str:
    text = plain(value) if not isinstance(value, float) or value != round(value) else f"{value:,.0f}"
    return f"{text} {field['unit']}".strip() if value is not None else "not known"
