"""The verdict as Markdown: what a CI server shows as the summary of a job, and what fits into a merge request."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from typing import Any

from lab2live.reporting.formatting import SYMBOLS, is_broken, measured

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
    return "\n".join([*_decision(content), *_broken(content), *_gates(content)]) + "\n"


def _decision(content: Mapping[str, Any]) -> Iterator[str]:
    facts = content["run"]
    so_far = f"stopped by an error (so far: {content['decision']})"
    decided = so_far if is_broken(content) else content["decision"].upper()
    yield f"## {_plain(facts['project'])}: {decided}"
    yield ""
    if facts.get("question"):
        yield _plain(facts["question"])
        yield ""
    marks = [f"on stand-in data ({', '.join(facts['stand_ins'])})"] if facts.get("stand_ins") else []
    marks += ["about the simulated demo"] if facts.get("demo") else []
    marks += ["on small samples (--smoke)"] if facts.get("smoke") else []
    if marks:
        said = "; ".join(marks)
        yield f"**{_plain(said[0].upper() + said[1:])}**"
        yield ""
    yield from (f"- {_plain(reason)}" for reason in content["reasons"])
    yield ""


def _broken(content: Mapping[str, Any]) -> Iterator[str]:
    for record in content["run"]["stages"]:
        error = record["error"]
        if error:
            where = "" if error["cell"] is None else f" in cell {error['cell']}"
            yield f"**{_plain(record['title'])} broke**{where}: {_plain(error['name'])}: {_plain(error['message'])}"
            yield ""


def _gates(content: Mapping[str, Any]) -> Iterator[str]:
    yield "| | gate | req. | value | what was found |"
    yield "|---|---|---|---:|---|"
    for gate in content["gates"]:
        value, _ = measured(gate)
        star = " (must pass)" if gate["must_pass"] else ""
        cells = (f"{SYMBOLS[gate['status']]} {gate['status']}", f"`{gate['id']}`{star}", gate["requirement"])
        yield f"| {' | '.join(cells)} | {_plain(value)} | {_plain(gate['message'])} |"


def _plain(text: object) -> str:
    """Keep text from being Markdown or HTML, on one line and bounded."""
    words = " ".join(str(text).split())
    words = words if len(words) <= LONGEST else words[: LONGEST - 1] + "…"
    escaped = html.escape(re.sub(r"([\\`*_\[\]#|~$])", r"\\\1", words), quote=False)
    # a name after @ would be called, and an address become a link
    return escaped.replace("@", "&#64;").replace("://", ":&#47;/").replace("www.", "www&#46;")
