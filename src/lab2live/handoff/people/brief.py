"""The brief (T1): one page for whoever decides and does not know what a model is. Every number is one of the run's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lab2live.charter import review
from lab2live.handoff.people import limits, money, roles
from lab2live.handoff.people.counting import Counts
from lab2live.handoff.people.findings import Findings
from lab2live.handoff.people.icons import dots
from lab2live.handoff.people.printing import printed
from lab2live.handoff.people.worked_case import Worked
from lab2live.reporting.formatting import DecisionView, amount, decision_view, gate_view, short

FILE = "brief.html"
# Reasons and things to settle that are named.
MOST = 6


@dataclass(frozen=True)
class Task:
    """Something to be done next, by whom, and until when."""

    what: str
    who: str
    until: str


def page(found: Findings, counted: Counts | None, case: Worked | None) -> str:
    """Write the brief as one HTML page that needs nothing else, on a screen, on a phone and on paper.

    Parameters
    ----------
    found
        What the run knows when its last stage ends.
    counted
        See `counting.counts`; `None` where nothing could be counted: the page says so.
    case
        See `worked_case.worked`; `None` where there is none: the page says so.
    """
    charter = found.charter
    decision, reasons = found.decision()
    numbers = [] if counted is None else [*counted.main, *([case.like] if case else [])]
    return printed(
        "handoff/people/brief.html.j2",
        title=f"Brief: {charter.project.name}",
        project=charter.project.name,
        question=charter.project.description or "The charter does not say what is asked.",
        notes=notes(found),
        decision=decision,
        answer=stands(decision),
        reasons=reasons[:MOST],
        more_reasons=max(0, len(reasons) - MOST),
        signers=signers(found),
        numbers=[{"count": one, "dots": dots(one)} for one in numbers],
        by_class=[] if counted is None else counted.by_class,
        flags=_flags(found, counted),
        why=(found.found("handoff", "contract") or {}).get("why", ""),
        case=case,
        distrust=limits.distrust(found, counted),
        beyond=limits.beyond(found, counted),
        money=money.told(found),
        rests_on=money.rests_on(charter.business.value),
        tasks=tasks(found, decision),
    )


def stands(decision: str) -> DecisionView:
    """View the decision as it stands while the run has not ended, like every other page."""
    return decision_view({"decision": decision, "run": {"stages": ()}})


def notes(found: Findings) -> list[tuple[str, str]]:
    """Say what a reader must know before any number: title and text, the most serious first."""
    said = []
    if found.charter.is_demo:
        said.append(("Demo", "Every number here is about a simulated company: not for any decision."))
    if found.charter.stand_ins:
        names = ", ".join(found.charter.stand_ins)
        said.append(("Stand-in data", f"Not the real data: {names}. The numbers show how it works, not how well."))
    if found.is_sample:
        said.append(("Sample", "Computed on a part of the cases: it shows that things work, not how well."))
    return said


def signers(found: Findings) -> str:
    """Say who has to decide."""
    named = [f"{who} ({roles.title(role)})" for role, who in roles.signers(found.charter) if who]
    unnamed = [roles.title(role) for role, who in roles.signers(found.charter) if not who]
    if not named and not unnamed:
        return "Nobody is named who decides: the charter's team has nobody with signs_off"
    also = f"; nobody is named yet as {', '.join(unnamed)}" if unnamed else ""
    return f"{', '.join(named) or 'Nobody'}{also}"


def _flags(found: Findings, counted: Counts | None) -> str:
    """Say how many cases the model picks out, and how many of them can be acted on."""
    if counted is None or counted.flagged is None:
        return ""
    value, share = found.charter.business.value, counted.flagged
    said = f"Of 100 cases the model picks out {100 * share:.0f}."
    if value.cases_per_month is None:
        return said
    monthly = share * value.cases_per_month
    said = f"{said} With {short(value.cases_per_month)} cases a month these are about {monthly:,.0f}."
    if value.capacity_per_month is not None and value.capacity_per_month < monthly:
        said += f" The charter says that {short(value.capacity_per_month)} can be acted on: the highest answers first."
    return said


def tasks(found: Findings, decision: str) -> list[Task]:
    """List what has to be done next: the decision, what it hangs on, what is open, and taking the model over."""
    charter = found.charter
    deadline = charter.feasibility.deadline
    until = deadline.isoformat() if deadline else "no date is stated: agree on one"
    listed = [Task("Decide: go, conditional go, or no-go; and sign the sheet", signers(found), until)]
    objecting = [gate for gate in found.gates.values() if gate.status in ("fail", "warn")]
    objecting += [gate for gate in found.gates.values() if gate.must_pass and gate.status == "skip"]
    objecting.sort(key=lambda gate: (gate.status != "fail", not gate.must_pass))
    before = "before it goes live"
    for gate in objecting[:MOST]:
        view = gate_view(gate)
        measured = f" Measured: {view.measured}." if view.measured else ""
        what = f"Settle: {view.title}. {view.question}{measured}"
        listed.append(Task(what, roles.settles(charter, gate.requirement), before))
    if len(objecting) > MOST:
        more = f"Settle {amount(len(objecting) - MOST, 'more point')}, see the decision of the run (index.html)"
        listed.append(Task(more, roles.named(charter, "product_manager"), before))
    open_ones = review.unanswered(charter)
    if open_ones:
        what = f"Answer {amount(len(open_ones), 'open question')} of the charter: lab2live charter"
        listed.append(Task(what, roles.named(charter, "product_manager"), before))
    if decision != "no-go":
        listed.append(Task("Take the model over: bundle and runbook", roles.named(charter, "mlops_engineer"), until))
    return listed


def sentence(found: Findings, counted: Counts | None, case: Worked | None) -> str:
    """Say what is in the brief, and what it had to leave open."""
    unknown = [
        point.title for point in [*limits.distrust(found, counted), *limits.beyond(found, counted)] if not point.known
    ]
    open_ones: list[Any] = [*unknown]
    if counted is None:
        open_ones.append("the numbers")
    if case is None:
        open_ones.append("the worked case")
    left = f" Left open, and said so: {'; '.join(open_ones)}." if open_ones else ""
    return f"The brief says what has to be decided, by whom, and what it rests on.{left}"
