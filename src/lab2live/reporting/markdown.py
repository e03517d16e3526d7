"""The verdict as Markdown: what a CI server shows as the summary of a job, and what fits into a merge request."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from typing import Any

from lab2live.reporting.display import TEMPLATES
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
    views = {"decision": decision_view(content), "gates": map(gate_view, content["gates"])}
    template = TEMPLATES.overlay(autoescape=False, finalize=_plain).get_template("verdict.md.j2")
    return template.render(run=content["run"], reasons=content["reasons"], so_far=content["decision"], **views)


def _plain(text: object) -> str:
    """Keep text from being Markdown or HTML, on one line and bounded."""
    words = " ".join(str(text).split())
    words = words if len(words) <= LONGEST else words[: LONGEST - 1] + "…"
    escaped = html.escape(re.sub(r"([\\`*_\[\]#|~$])", r"\\\1", words), quote=False)
    # a name after @ would be called, and an address become a link
    return escaped.replace("@", "&#64;").replace("://", ":&#47;/").replace("www.", "www&#46;")
