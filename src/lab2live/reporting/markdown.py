"""The verdict as Markdown: what a CI server shows as the summary of a job, and what fits into a merge request."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from typing import Any

from lab2live.reporting.formatting import decision_view, gate_view

LONGEST = 400  # characters of one cell: a summary is read at a glance


def markdown(content: Mapping[str, Any]) -> str:
    """Write a verdict as Markdown: the decision with its reasons, what broke, then every gate.

    Parameters
    ----------
    content
        What `verdict.json` holds.

    Returns
    -------
    str
        Text from data and charter is escaped: it can neither be markup nor end a cell.
    """
    return "\n".join(_lines(content)) + "\n"


def _lines(content: Mapping[str, Any]) -> Iterator[str]:
    run, decision = content["run"], decision_view(content)
    so_far = f"{decision.word.lower()} (so far: {content['decision']})"
    yield f"## {_plain(run['project'])}: {so_far if decision.look == 'broken' else decision.word.upper()}\n"
    if run.get("question"):
        yield _plain(run["question"]) + "\n"
    marks = [f"on stand-in data ({', '.join(run['stand_ins'])})"] if run.get("stand_ins") else []
    marks += ["about the simulated demo"] if run.get("demo") else []
    marks += ["on small samples (--smoke)"] if run.get("smoke") else []
    if said := "; ".join(marks):
        yield f"**{_plain(said[0].upper() + said[1:])}**\n"
    yield from (f"- {_plain(reason)}" for reason in content["reasons"])
    yield ""
    for record in run["stages"]:
        if error := record["error"]:
            where = "" if error["cell"] is None else f" in cell {error['cell']}"
            yield f"**{_plain(record['title'])} broke**{where}: {_plain(error['name'])}: {_plain(error['message'])}\n"
    yield "| | gate | req. | measured | what was found |\n|---|---|---|---:|---|"
    for gate in map(gate_view, content["gates"]):
        must = " (must pass)" if gate.must_pass else ""
        row = (f"{gate.symbol} {gate.status}", f"{_plain(gate.title)}{must}", gate.requirement)
        yield f"| {' | '.join((*row, _plain(gate.measured), _plain(gate.message)))} |"
    if run.get("accepted"):
        yield "\n**Accepted findings**\n"
    for one in run.get("accepted", ()):
        until = f" until {one['until']}" if one["until"] else ""
        said = f"{one['check']}: {one['message']} (accepted by {one['by']}{until})"
        yield f"- {_plain(said)}"


def _plain(text: object) -> str:
    """Keep text from being Markdown or HTML, on one line and bounded."""
    words = " ".join(str(text).split())
    words = words if len(words) <= LONGEST else words[: LONGEST - 1] + "…"
    escaped = html.escape(re.sub(r"([\\`*_\[\]#|~$])", r"\\\1", words), quote=False)
    # a name after @ would be called, and an address become a link
    return escaped.replace("@", "&#64;").replace("://", ":&#47;/").replace("www.", "www&#46;")
