"""What does the fallback cost (L1)? How often it steps in, what that takes from the gain, and when nothing is left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lab2live.charter.schema import Charter
from lab2live.data.intervals import redraw, wilson
from lab2live.handoff.deciding import MODEL
from lab2live.handoff.fallback import TRIGGERS
from lab2live.pipeline.evidence import Evidence
from lab2live.poc.worth.returns import Range, range_of
from lab2live.poc.worth.telling_money import about
from lab2live.poc.worth.value import Policy, missing_volumes, no_money, worth
from lab2live.reporting import plots
from lab2live.reporting.formatting import amount

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RESAMPLES = 400
WHO = {"rule": "the business rule", "baseline": "the baseline", "review": "a person"}


@dataclass(frozen=True)
class Part:
    """The cases in which one trigger hands over to somebody.

    Attributes
    ----------
    trigger, who
        Which, and to whom.
    cases
        How many of the held-back cases.
    share, low, high
        The same as a share, with its 95 % interval.
    per_month
        What it costs a month against letting the model answer; `None` without money or volumes.
    """

    trigger: str
    who: str
    cases: int
    share: float
    low: float
    high: float
    per_month: Range | None


@dataclass(frozen=True)
class Cost:
    """What the fallback costs, measured on the held-back cases.

    Attributes
    ----------
    cases
        How many were asked.
    share, low, high
        Share of the cases in which the fallback steps in, with its 95 % interval (Wilson 1927).
    parts
        By trigger and by who answers.
    currency
        Of all amounts.
    per_month
        What all of it costs against letting the model answer every case, if a person decides no better than the model.
    reviews
        What the reviews alone cost, for persons who decide no better than the model; `None` where no person is asked.
    if_right
        The same less what persons would bring who are always right.
    gain
        What the model brings a month against the best alternative, after what running it costs.
    break_even
        The rate at which the fallback would cost all of the gain, if further cases cost as much as these; above 1: none
        does. `None` where the fallback costs nothing.
    lacking
        Why there is no money; empty if there is.
    """

    cases: int
    share: float
    low: float
    high: float
    parts: tuple[Part, ...]
    currency: str
    per_month: Range | None = None
    reviews: Range | None = None
    if_right: Range | None = None
    gain: Range | None = None
    break_even: Range | None = None
    lacking: str = ""


def referral_rate(decided: pd.DataFrame) -> dict[str, Any]:
    """Measure the share of cases that a person decides, as `run.measure` takes it, with its 95 % interval.

    Parameters
    ----------
    decided
        What the bundle does with the test set, see `Deciding.decide`.
    """
    referred = decided["served_by"] == "review"
    low, high = (float(end) for end in wilson(np.array(referred.sum()), np.array(len(referred))))
    return {"value": float(referred.mean()), "low": low, "high": high, "level": 0.95, "unit": "share"}


def reviews_per_month(rate: Mapping[str, Any], charter: Charter) -> dict[str, Any]:
    """Measure how many cases a month a person decides; `None` where the charter does not say how many come."""
    cases = charter.business.value.cases_per_month
    if cases is None:
        return {"value": None}
    return {**rate, **{end: rate[end] * cases for end in ("value", "low", "high")}, "unit": "reviews"}


def measure(
    charter: Charter,
    classes: Sequence[str],
    policy: Policy,
    known: np.ndarray,
    answers: np.ndarray,
    decided: pd.DataFrame,
    returns: Mapping[str, Any] | None,
    *,
    groups: np.ndarray | None = None,
    seed: int = 0,
) -> Cost:
    """Let the bundle decide held-back cases, and compare what that is worth with the model deciding all of them.

    Parameters
    ----------
    charter
        Money, volumes and what a review costs.
    classes, policy
        How answers become decisions, see `poc.worth.value`.
    known, answers
        Outcomes of the held-back cases, and what the model says of them, shape (rows,) or (rows, classes).
    decided
        What the bundle does with them, see `Deciding.decide`.
    returns
        What the proof of concept measured (`results/poc.json`), or `None`.
    groups
        Of the cases, shape (rows,): whole groups are drawn again.
    seed
        Of the bootstrap.
    """
    problem = policy.problem
    source, reason = decided["served_by"].to_numpy(), decided["reason"].to_numpy()
    steps_in = source != MODEL
    low, high = (float(end) for end in wilson(np.array(steps_in.sum()), np.array(len(known))))
    gain, lacking = _gain(charter, returns)
    if not lacking and (source == "review").any() and charter.business.value.review.cost_per_case is None:
        lacking = "The charter does not say what a review costs (business.value.review.cost_per_case)."
    lacking = lacking or no_money(charter, problem)
    found = Cost(
        len(known),
        float(steps_in.mean()),
        low,
        high,
        _parts(source, reason, None, None),
        charter.business.value.currency,
    )
    if lacking or gain is None:
        return Cost(**{**vars(found), "lacking": lacking})
    output = decided["prediction"].to_numpy()
    live = _decisions(policy, classes, answers, source, output)
    review = (charter.business.value.review.cost_per_case or 0.0) * (source == "review")
    alone = worth(charter, problem, known, policy.decide(answers))
    lost = alone - worth(charter, problem, known, live) + review
    weights = redraw(seed, len(known), RESAMPLES, groups).astype(float)
    weights /= weights.sum(axis=1, keepdims=True)  # whole groups are drawn: not always as many cases
    cases = charter.business.value.cases_per_month or 0.0
    per_month = range_of(weights @ lost * cases)
    reviews = right = None
    if (source == "review").any():
        best = _decisions(policy, classes, answers, source, output, known)
        better = worth(charter, problem, known, best) - worth(charter, problem, known, live)
        reviews, right = (range_of(weights @ costs * cases) for costs in (review, review - better))
    per_case = float(lost.mean()) / found.share if found.share else 0.0
    return Cost(
        **{
            **vars(found),
            "parts": _parts(source, reason, weights * cases, lost),
            "per_month": per_month,
            "reviews": reviews,
            "if_right": right,
            "gain": gain,
            "break_even": gain * (1 / (per_case * cases)) if per_case > 0 else None,
        }
    )


def _gain(charter: Charter, returns: Mapping[str, Any] | None) -> tuple[Range | None, str]:
    """Give what the model brings a month after running it, or say why that is not known."""
    if returns is None:
        return None, "The proof of concept is not part of this run, so it is not known what the model brings."
    measured = returns.get("gain_per_month")
    if measured is None:
        return None, returns.get("lacking") or "The proof of concept could not say what the model brings a month."
    missing = missing_volumes(charter.business.value)
    if missing:
        return None, f"The charter does not state {', '.join(f'business.value.{name}' for name in missing)}."
    run = charter.business.value.run_cost_per_month or 0.0
    return Range(*(measured[end] - run for end in ("low", "middle", "high"))), ""


def _decisions(
    policy: Policy,
    classes: Sequence[str],
    answers: np.ndarray,
    source: np.ndarray,
    output: np.ndarray,
    known: np.ndarray | None = None,
) -> np.ndarray:
    """Give the decisions where others than the model decide some of the cases.

    A person decides as the model would, or, where `known` is given, always right.
    """
    theirs = (source == "rule") | (source == "baseline")
    right = np.zeros(len(source), dtype=bool) if known is None else source == "review"
    if policy.problem == "regression":
        decisions = np.where(theirs, output, policy.decide(answers)).astype(float)
        return decisions if known is None else np.where(right, known, decisions)
    codes = np.array([classes.index(text) if other else 0 for text, other in zip(output, theirs, strict=True)])
    codes = codes if known is None else np.where(right, known, codes)
    if policy.problem == "multiclass":
        return np.where(theirs | right, codes, policy.decide(answers))
    # as scores beyond all others, so that all cases still compete for a limited capacity
    return policy.decide(np.where(theirs | right, np.where(codes == 1, np.inf, -np.inf), answers))


def _parts(
    source: np.ndarray, reason: np.ndarray, weights: np.ndarray | None, lost: np.ndarray | None
) -> tuple[Part, ...]:
    found = []
    for trigger in TRIGGERS:
        for who in WHO:
            rows = (source == who) & (reason == trigger)
            if not rows.any():
                continue
            low, high = (float(end) for end in wilson(np.array(rows.sum()), np.array(len(rows))))
            cost = None if weights is None or lost is None else range_of(weights[:, rows] @ lost[rows])
            found.append(Part(trigger, who, int(rows.sum()), float(rows.mean()), low, high, cost))
    return tuple(found)


def table(cost: Cost) -> pd.DataFrame:
    """Show how often which trigger hands over to whom, and what that costs."""
    return pd.DataFrame(
        [
            {
                "when": TRIGGERS[part.trigger],
                "who answers": WHO[part.who],
                "of 1,000 cases": _per_thousand(part.share, part.low, part.high),
                "costs a month": about(part.per_month, cost.currency) if part.per_month else "not known",
            }
            for part in cost.parts
        ]
    )


def _per_thousand(share: float, low: float, high: float) -> str:
    return f"{1000 * share:,.0f} ({1000 * low:,.0f} to {1000 * high:,.0f})"


def sentence(cost: Cost) -> str:
    """Say how often the fallback steps in, and what a person would have to be worth."""
    rate = f"{cost.share:.1%} (95 % interval {cost.low:.1%} to {cost.high:.1%})"
    says = f"Of {amount(cost.cases, 'row')} of the test set the fallback would step in for {rate}."
    if cost.reviews is None or cost.if_right is None:
        return says
    worse, better = cost.reviews.middle or 0.0, cost.if_right.middle or 0.0
    if better < 0 < worse:
        needed = worse / (worse - better)
        says += (
            f" A review pays if people avoid at least {needed:.0%} of what the model would lose in these cases"
            f" (always right: {_costs(cost.if_right, cost.currency)})."
        )
    elif better >= 0:
        says += " Even people who are always right would not earn back what their reviews cost."
    return says


def _costs(found: Range, currency: str) -> str:
    if (found.middle or 0.0) >= 0:
        return f"costs {about(found, currency, 'a month')}"
    turned = Range(*(-(end or 0.0) for end in (found.high, found.middle, found.low)))
    return f"brings {about(turned, currency, 'a month')}"


def verdict(cost: Cost) -> Evidence:
    """Give the share of the model's gain that the fallback costs."""
    value, says = _of_gain(cost)
    drawn = chart(cost, value) if cost.per_month is not None and cost.parts else None
    shown = table(cost) if cost.parts else None
    return Evidence(value, f"{sentence(cost)} {says}".strip(), shown, drawn, {"fallback_cost": asdict(cost)})


def _of_gain(cost: Cost) -> tuple[float | None, str]:
    if cost.lacking:
        return None, cost.lacking
    assert cost.per_month is not None and cost.gain is not None
    if not cost.parts:
        return 0.0, ""
    spent, gain = cost.per_month.middle or 0.0, cost.gain.middle or 0.0
    assumed = ", if people decide no better than the model" if cost.if_right is not None else ""
    says = f"At the expected rate of {cost.share:.0%} the fallback {_costs(cost.per_month, cost.currency)}{assumed}."
    if spent <= 0:
        return 0.0, f"{says} No rate would take the gain."
    if gain <= 0:
        return None, f"{says} The model leaves nothing a month that it could take."
    return spent / gain, f"{says} {_break_even(cost)}"


def _break_even(cost: Cost) -> str:
    assert cost.break_even is not None and cost.break_even.middle is not None
    low, middle, high = (max(end or 0.0, 0.0) for end in vars(cost.break_even).values())
    if middle > 1:
        return "It would not take the whole gain even if it stepped in for every case."
    return f"It would take the whole gain from a rate of {middle:.0%} on ({low:.0%} to {min(high, 1):.0%})."


def chart(cost: Cost, of_gain: float | None) -> Figure:
    """Draw what is left of the gain at every rate of the fallback."""
    assert cost.per_month is not None and cost.gain is not None and cost.gain.middle is not None
    slope = (cost.per_month.middle or 0.0) / cost.share if cost.share else 0.0
    rate = None if cost.break_even is None else cost.break_even.middle
    little = (of_gain or 0) <= 0.5
    title = f"The fallback {'leaves most' if little else 'takes much'} of what the model brings"
    return plots.falling(cost.gain.middle, slope, cost.share, rate, title, f"{cost.currency} a month")
