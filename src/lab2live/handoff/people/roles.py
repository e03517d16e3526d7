"""Who owns which part (T4): the roles of a project, what each does at every step, and who is missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from lab2live.charter.schema import Charter
from lab2live.pipeline.evidence import Evidence
from lab2live.reporting.formatting import agree, amount

# Role of the charter's `team` -> what it owns.
OWNS = {
    "product_manager": "the question, what an answer is worth, and the consent of those it is for",
    "data_analyst": "the sources: who owns them, what they mean, what is wrong with them",
    "data_labeler": "the outcomes that people have to judge",
    "data_scientist": "the model, its tests, and what is said of it",
    "solution_architect": "where and how it runs, and whether that fits what is there",
    "mlops_engineer": "the model in production: deploying, watching, switching off, renewing",
    "infrastructure": "machines, network, storage and access",
}
# Either of them can take the model over.
TAKES_OVER = ("mlops_engineer", "engineer")
# What a requirement is about, by the first letters of its id -> who settles it.
SETTLES = {
    "B": "product_manager",
    "P": "data_scientist",
    "L1": "mlops_engineer",
    "L4": "data_analyst",
    "L5": "solution_architect",
    "L": "data_scientist",
    "G1": "data_analyst",
    "G4": "mlops_engineer",
    "G": "data_scientist",
    "T4": "product_manager",
    "T": "data_scientist",
}


@dataclass(frozen=True)
class Step:
    """One step of the journey: who does it, who is asked, who is told."""

    what: str
    does: str
    asked: tuple[str, ...]
    told: tuple[str, ...]


STEPS = (
    Step("Say what is wanted, and what it is worth", "product_manager", ("data_analyst",), ("data_scientist",)),
    Step("Find the data, get access, know their faults", "data_analyst", ("infrastructure",), ("data_scientist",)),
    Step("Judge outcomes that no system knows", "data_labeler", ("product_manager",), ("data_scientist",)),
    Step("Build the model and test it", "data_scientist", ("data_analyst",), ("product_manager",)),
    Step("Say why it answers so, and when it fails", "data_scientist", ("product_manager",), ("mlops_engineer",)),
    Step("Say where and how it runs", "solution_architect", ("mlops_engineer", "infrastructure"), ("data_scientist",)),
    Step("Provide what it runs on", "infrastructure", ("solution_architect",), ("mlops_engineer",)),
    Step("Deploy it, watch it, switch it off, renew it", "mlops_engineer", ("data_scientist",), ("product_manager",)),
)


def title(role: str) -> str:
    """Write a role as a person would: `data scientist`."""
    return role.replace("mlops", "MLOps").replace("_", " ")


def person(charter: Charter, role: str) -> str:
    """Give who has a role; an engineer may stand in for an MLOps engineer. Empty where nobody is named."""
    names = TAKES_OVER if role in TAKES_OVER else (role,)
    known = [charter.team[name].who for name in names if name in charter.team]
    return next((who.strip() for who in known if who and who.strip()), "")


def named(charter: Charter, role: str) -> str:
    """Give who has a role, with the role; or ask for a name."""
    who = person(charter, role)
    return f"{who} ({title(role)})" if who else f"nobody: name a person for {title(role)}"


def settles(charter: Charter, requirement: str) -> str:
    """Say who settles what a gate objects to."""
    role = next(SETTLES[start] for start in (requirement[:2], requirement[:1]) if start in SETTLES)
    return named(charter, role)


def signers(charter: Charter) -> list[tuple[str, str]]:
    """List role and person of those whose consent the handoff needs."""
    return [(role, (member.who or "").strip()) for role, member in charter.team.items() if member.signs_off]


def needed(charter: Charter) -> tuple[str, ...]:
    """List the roles that this project needs.

    People who judge outcomes only where `prediction.annotators` names columns of theirs, infrastructure only where the
    model is to run as a service.
    """
    without = set()
    if not charter.prediction.annotators:
        without.add("data_labeler")
    if charter.deployment.target not in ("service", "both"):
        without.add("infrastructure")
    return tuple(role for role in OWNS if role not in without)


def missing(charter: Charter) -> list[str]:
    """List what has nobody: roles that are needed, and a signature."""
    found = [title(role) for role in needed(charter) if not person(charter, role)]
    if not any(who for _, who in signers(charter)):
        found.append("anybody who signs off")
    return found


def team_table(charter: Charter) -> pd.DataFrame:
    """Show every role: who has it, what it owns, and whether it signs off; roles beyond the usual ones as well."""
    wanted = needed(charter)
    own = [role for role in charter.team if role not in OWNS and role not in TAKES_OVER]
    signing = {role for role, _ in signers(charter)}
    rows = []
    for role in [*OWNS, *own]:
        names = TAKES_OVER if role in TAKES_OVER else (role,)
        rows.append(
            {
                "role": title(role),
                "who": person(charter, role) or ("nobody" if role in wanted else "not needed here"),
                "owns": OWNS.get(role, "said in the charter alone"),
                "signs off": "yes" if signing & {*names} else "",
            }
        )
    return pd.DataFrame(rows)


def steps_table(charter: Charter) -> pd.DataFrame:
    """Show every step of the journey: who does it, who is asked before, who is told afterwards."""
    wanted = needed(charter)

    def people(names: Sequence[str]) -> str:
        return ", ".join(person(charter, role) or f"{title(role)} (nobody)" for role in names if role in wanted)

    rows = [
        {
            "step": step.what,
            "responsible": people([step.does]),
            "consulted": people(step.asked),
            "informed": people(step.told),
        }
        for step in STEPS
        if step.does in wanted
    ]
    owners = sorted({source.owner for source in charter.sources if source.owner})
    if len(rows) > 1 and owners:  # those who own a source have a say in what becomes of it
        rows[1]["consulted"] = ", ".join(filter(None, [rows[1]["consulted"], *owners]))
    signing = ", ".join(who or f"{title(role)} (nobody)" for role, who in signers(charter)) or "nobody"
    decision = {"step": "Decide: go, conditional go, or no-go", "responsible": signing}
    return pd.DataFrame([*rows, {**decision, "consulted": "everybody above", "informed": "everybody above"}])


def gaps(charter: Charter) -> Evidence:
    """Judge the roles: 0 all are filled, 1 somebody is missing, 2 nobody takes the model over.

    `None` where the charter names nobody at all: then it is an open question, and no gap among others.
    """
    if not any(person(charter, role) for role in charter.team):
        said = "The charter names nobody (team): who owns which part is an open question."
        return Evidence(None, said, team_table(charter))
    without, unowned = missing(charter), [source.name for source in charter.sources if not source.owner]
    asked = f" Nobody is named who owns {agree(len(unowned), 'the source', 'the sources')} {', '.join(unowned)}."
    more = asked if unowned else ""
    if not person(charter, "mlops_engineer"):
        others = [name for name in without if name != title("mlops_engineer")]
        also = f" Also missing: {', '.join(others)}." if others else ""
        said = f"Nobody takes the model over: name an MLOps engineer or an engineer (team).{also}{more}"
        return Evidence(2, said, team_table(charter))
    if without:
        said = f"{amount(len(without), 'part has', 'parts have')} nobody: {', '.join(without)}.{more}"
        return Evidence(1, said, team_table(charter))
    said = f"All {len(needed(charter))} roles that are needed have somebody.{more}"
    return Evidence(int(bool(unowned)), said, team_table(charter))
