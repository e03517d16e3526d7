"""The runbook (G4): for whoever is called at night. Written from what was measured and settled, never by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lab2live.charter.schema import Charter
from lab2live.handoff.cards import as_code, as_text
from lab2live.handoff.fallback import Plan
from lab2live.handoff.people import roles
from lab2live.reporting.formatting import short

if TYPE_CHECKING:
    from lab2live.handoff.alerts import Alert
    from lab2live.handoff.deploying.capacity import Capacity

FILE = "runbook.md"
LEVELS = {"page": "somebody has to look now", "ticket": "somebody looks within days"}
WHO = {
    "rule": "the business rule in the bundle",
    "baseline": "the usual outcome, whatever the case",
    "review": "a person, at /review",
    "not settled": "nobody has settled it",
}


def markdown(
    charter: Charter,
    contract: Mapping[str, Any],
    capacity: Capacity | None,
    alerts: Sequence[Alert],
    plans: Sequence[Plan],
) -> str:
    """Write the runbook.

    Parameters
    ----------
    charter
        Who is called, and what was asked for.
    contract
        The bundle's `contract.json`.
    capacity
        What was measured; `None` where nothing was: the runbook says so.
    alerts
        Everything that may call somebody.
    plans
        What the fallback does, see `fallback.plans`.
    """
    parts = [
        _head(charter),
        _contacts(charter),
        _start(),
        _look(),
        _off(),
        _bundles(capacity),
        _fallback(plans),
        _limits(charter, contract, capacity),
        _alerts(charter, alerts),
        _retraining(charter),
    ]
    return "\n".join(line for part in parts for line in [*part, ""]).rstrip() + "\n"


def sentence(alerts: Sequence[Alert], charter: Charter) -> str:
    """Say how many alerts the runbook has, and whose owner nobody is."""
    nobody = sorted({roles.title(one.owner) for one in alerts if not roles.person(charter, one.owner)})
    left = f" Nobody is named for: {', '.join(nobody)}." if nobody else " Every one has somebody who acts on it."
    return f"The runbook tells what to do on {len(alerts)} alerts.{left}"


def _head(charter: Charter) -> list[str]:
    lines = [f"# {as_text(charter.project.name)}: runbook", ""]
    if charter.is_demo:
        lines += ["**Simulated demo data: not for any decision.**", ""]
    if charter.stand_ins:
        lines += [f"**Made on stand-in data: {as_text(', '.join(charter.stand_ins))}.**", ""]
    lines += [f"What it answers: {as_text(charter.project.description) or 'not stated in the charter'}", ""]
    return [
        *lines,
        "`BUNDLE` stands for the folder of the bundle, `STATE` for a folder that outlives a restart. Commands are for "
        "the machine on which it runs, port 8000. Leave the line with X-API-Key out where no key is set.",
    ]


def _contacts(charter: Charter) -> list[str]:
    lines = ["## Whom to call", "", "| for | who |", "|---|---|"]
    for role, owns in roles.OWNS.items():
        if role in roles.needed(charter):
            lines.append(f"| {as_text(owns)} | {as_text(roles.named(charter, role))} |")
    lines += [
        f"| the data of {as_text(one.name)} | {as_text(one.owner or 'nobody: name an owner')} |"
        for one in charter.sources
    ]
    return lines


def _start() -> list[str]:
    return [
        "## Start and stop",
        "",
        "```bash",
        "export LAB2LIVE_API_KEY=...   # what programs have to send; leave it out for no key",
        "lab2live serve BUNDLE --port 8000 --state STATE",
        "```",
        "",
        "It listens on this machine alone; `--host 0.0.0.0` opens it to others. Every file of the bundle is checked at "
        "every start. On a bundle that is not whole the fallback answers. Stop it with Ctrl-C or SIGTERM: requests "
        "under way are answered first, for 30 seconds at most. Whole files: `lab2live score BUNDLE INPUT OUTPUT`; "
        "given again after a stop it goes on where it was.",
    ]


def _look() -> list[str]:
    return [
        "## Is it well?",
        "",
        "```bash",
        _get("health"),
        _get("ready"),
        _get("metrics", key=True),
        "```",
        "",
        '- `/health` says `{"status": "ok"}` as long as the process lives.',
        "- `/ready` says who answers (`answers_by`: `model` or `fallback`), which bundle, and whether its files are "
        "intact.",
        "- `/metrics` is for Prometheus: `lab2live_requests_total`, `lab2live_request_seconds`, "
        "`lab2live_cases_total` by `source` and `reason`, `lab2live_bundle_intact`, `lab2live_model_answers`, "
        "`lab2live_drift_declared`, `lab2live_reviews_waiting`.",
        "- The log is the standard error of the process, a line of JSON each. `event` is `request`, `reload`, "
        "`rollback`, `drift`, `integrity`, `not_whole`, `review_not_kept` or `explanation_failed`. Nothing of what "
        "was sent is in it; `id` is the `X-Request-ID` of the answer.",
    ]  # fmt: skip


def _off() -> list[str]:
    return [
        "## Switch the model off",
        "",
        "Whenever its answers do harm, and before anybody has found out why. Nothing has to be restarted:",
        "",
        *_post("drift", '{"declared": true}'),
        "",
        "From then on the fallback answers every case, see `drift` below. Back to the model with `false`. **A restart "
        "forgets it:** declare it again after one.",
    ]


def _bundles(capacity: Capacity | None) -> list[str]:
    reload = _seconds(capacity.reload_seconds if capacity else None)
    rollback = _seconds(capacity.rollback_seconds if capacity else None)
    return [
        "## Take up another bundle, or go back",
        "",
        f"Put the files of the new bundle into `BUNDLE`, then ({reload}):",
        "",
        *_post("reload", "{}"),
        "",
        "Status 409 says that it is not whole; the fallback answers until it is mended or taken back. Go back to the "
        f"bundle before ({rollback}):",
        "",
        *_post("rollback", "{}"),
        "",
        "The bundle before is kept in memory, one step back and only until the process ends. **Put the old files back "
        "into `BUNDLE` as well:** a restart reads what lies there. Status 409 says that there is nothing to go back "
        "to: put the old files back and reload.",
    ]


def _seconds(measured: float | None) -> str:
    return "not measured" if measured is None else f"measured: {short(measured, 2)} s"


def _fallback(plans: Sequence[Plan]) -> list[str]:
    lines = ["## What answers when the model does not", ""]
    if not plans:
        return [*lines, "Nothing was settled when this was written."]
    lines += ["| trigger | when | who answers | tried |", "|---|---|---|---|"]
    for plan in plans:
        who = WHO[plan.answer] + (" (does not work)" if plan.works is False else "")
        lines.append(f"| `{plan.trigger}` | {as_text(plan.when)} | {who} | {as_text(plan.note)} |")
    return [
        *lines,
        "",
        "Cases for a person wait at `/review`; with `--state` they outlive a restart. `lab2live_reviews_waiting` "
        "counts them.",
    ]


def _limits(charter: Charter, contract: Mapping[str, Any], capacity: Capacity | None) -> list[str]:
    wanted = charter.deployment
    measured = {} if capacity is None else capacity.as_dict()
    rows = [
        ("slowest of 95 in 100 answers (ms)", measured.get("p95_ms"), wanted.latency_ms, False),
        ("requests a second", measured.get("requests_per_second"), wanted.requests_per_second, True),
        ("memory (MB)", measured.get("memory_mb"), wanted.memory_mb, False),
        ("from start to the first answer (s)", measured.get("start_seconds"), None, False),
    ]
    lines = ["## Limits", "", "Measured on one process, on the machine that ran the last stage.", ""]
    lines += ["| what | measured | the charter asks for | fits |", "|---|---|---|---|"]
    for what, is_so, asked, more in rows:
        fits = "" if is_so is None or asked is None else _yes(is_so >= asked if more else is_so <= asked)
        lines.append(f"| {what} | {_number(is_so, 'not measured')} | {_number(asked, 'nothing stated')} | {fits} |")
    python, needs = measured.get("python"), wanted.python
    fits = "" if python is None or needs is None else _yes(f"{python}.".startswith(f"{needs}."))
    lines.append(f"| Python | {python or 'not measured'} | {as_text(needs or 'nothing stated')} | {fits} |")
    after = contract["limits"]["time_out_ms"]
    return [*lines, "", f"After {short(after)} ms without an answer of the model the fallback answers (`time_out`)."]


def _yes(is_so: bool) -> str:
    return "yes" if is_so else "**no**"


def _number(value: float | None, nothing: str) -> str:
    return nothing if value is None else short(value)


def _alerts(charter: Charter, alerts: Sequence[Alert]) -> list[str]:
    lines = [
        "## Alerts",
        "",
        "`lab2live monitor BUNDLE BATCH` raises those about cases; the service's metrics the others.",
    ]
    if not alerts:
        return [*lines, "", "There are none: nobody is told when something goes wrong."]
    for one in alerts:
        lines += [
            "",
            f"### {as_code(one.id)}: {one.level}, {LEVELS[one.level]}",
            "",
            f"- **Means:** {as_text(one.means)}",
            f"- **First check:** {as_text(one.first_check)}",
            f"- **Do:** {as_text(one.action)}",
            f"- **Who:** {as_text(roles.named(charter, one.owner))}",
        ]
    return lines


def _retraining(charter: Charter) -> list[str]:
    delay = charter.prediction.label_delay_days
    known = (
        "After how many days it is known whether an answer was right, the charter does not say "
        "(prediction.label_delay_days). A model can only learn from cases of which it is known."
        if delay is None
        else f"Whether an answer was right is known after {short(delay)} days: a model can only learn from cases older "
        "than that."
    )
    return [
        "## Learn anew",
        "",
        f"{known} In the project, with the newest data in its sources:",
        "",
        "```bash",
        "lab2live run",
        "lab2live sign-off RUN",
        "```",
        "",
        "The same questions are asked again, with the same limits. Exit code 0 is a go or a conditional go, 2 a "
        "no-go: then the old bundle stays. After the signatures put `artefacts/bundle` of the new run into `BUNDLE` "
        f"and reload. Who does it: {as_text(roles.named(charter, 'data_scientist'))}; who takes it over: "
        f"{as_text(roles.named(charter, 'mlops_engineer'))}.",
    ]


def _get(path: str, key: bool = False) -> str:
    header = '-H "X-API-Key: $LAB2LIVE_API_KEY" ' if key else ""
    return f"curl -s {header}http://127.0.0.1:8000/{path}"


def _post(path: str, body: str) -> list[str]:
    return [
        "```bash",
        "curl -s -X POST -H 'Content-Type: application/json' \\",
        '  -H "X-API-Key: $LAB2LIVE_API_KEY" \\',
        f"  -d '{body}' http://127.0.0.1:8000/{path}",
        "```",
    ]
