"""Is it worth it (B2, B3)? What the model earns against the best that one could do without it, when it pays back."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lab2live.charter.schema import Charter, Value
from lab2live.data.dataset import Problem
from lab2live.data.intervals import redraw, redraw_in_shares
from lab2live.pipeline import hooks
from lab2live.pipeline.evidence import Evidence
from lab2live.poc.comparison import candidates
from lab2live.poc.comparison.answers import Answers
from lab2live.poc.worth.alternatives import (
    MODEL,
    PLAIN,
    RULE,
    Part,
    best_alternative,
    gain_over,
    split_parts,
    values,
)
from lab2live.poc.worth.ranking import rank
from lab2live.poc.worth.telling_money import decides, headline, name_of, returns_table, verdict_sentence
from lab2live.poc.worth.value import Policy, capacity_share, learn_policy, missing_volumes, no_money, stakes
from lab2live.reporting import plots

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLES = {"linear": "Linear model", "boosting": "Gradient boosting", "rule": "Today's rule"}

# Points of the profit curve: whole per cents.
SHARES = np.linspace(0, 1, 101)

INTERVAL = (0.05, 0.5, 0.95)


@dataclass(frozen=True)
class Range:
    """What lies in the middle, and between which limits it lies in nine of ten resamples.

    Attributes
    ----------
    low, middle, high
        The 5, 50 and 95 % quantiles of the resamples. `None` stands for never, where months are counted.
    """

    low: float | None
    middle: float | None
    high: float | None

    def __mul__(self, factor: float) -> Range:
        """Say the same of so many cases."""
        return Range(*(None if end is None else end * factor for end in (self.low, self.middle, self.high)))


@dataclass(frozen=True)
class Option:
    """One way to decide, and what it is worth.

    Attributes
    ----------
    name, title
        `model`, `all`, `none`, `constant` or `rule`; how it is called.
    decides
        How it decides, in words.
    per_case, per_month
        What it is worth; `per_month` is `None` without volumes.
    plain
        In a regression: per case, if the answer were taken as it is instead of being shifted.
    """

    name: str
    title: str
    decides: str
    per_case: Range
    per_month: Range | None
    plain: Range | None = None


@dataclass(frozen=True)
class Curve:
    """What acting on the highest-scored share of the test part is worth, per month or (without volumes) per case.

    Attributes
    ----------
    shares, model, rule
        The share acted on, and the worth by the ranking of each; `rule` is empty where there is none. The first value
        is that of acting on nobody, the last that of acting on everybody.
    chosen_share, chosen
        Where the policy ends up, and what it is worth there.
    capacity
        The largest share that can be acted on; `None` where nothing limits it.
    """

    shares: tuple[float, ...]
    model: tuple[float, ...]
    rule: tuple[float, ...]
    chosen_share: float
    chosen: float
    capacity: float | None


@dataclass(frozen=True)
class Returns:
    """What the model earns.

    Attributes
    ----------
    currency, problem
        What money and outcomes are.
    options
        The model first, then what one could do without it; empty without money in the charter.
    against
        Name of the alternative that the gain is measured against: the best one on the training part.
    gain_per_case, gain_per_month
        Of the model over that alternative, on the same resamples.
    horizon, invested
        How many months are looked at, and what building and running it cost in them.
    net, roi
        What is left over the horizon, and the return on investment: the same as a share of `invested`.
    break_even
        The month in which the gain has paid for building and running it; `None` in it for never.
    positive
        The probability that `net` is positive.
    lacking
        What could not be computed and why; empty if everything could.
    curve
        Of two classes only.
    """

    currency: str
    problem: Problem
    options: tuple[Option, ...] = ()
    against: str = ""
    gain_per_case: Range | None = None
    gain_per_month: Range | None = None
    horizon: float | None = None
    invested: float | None = None
    net: Range | None = None
    roi: Range | None = None
    break_even: Range | None = None
    positive: float | None = None
    lacking: str = ""
    curve: Curve | None = None

    def option(self, name: str) -> Option:
        return next(option for option in self.options if option.name == name)

    def as_dict(self) -> dict[str, Any]:
        """Give what belongs into the results."""
        return asdict(self)

    @property
    def evidence(self) -> Evidence:
        """The probability that the return is positive, for its gate, with what it means; `None` with the reason."""
        table = returns_table(self) if self.options else None
        figure = self.figure() if self.options else None
        return Evidence(self.positive, verdict_sentence(self), table, figure, {"returns": self.as_dict()})

    def figure(self) -> Figure:
        """Draw the profit curve, or what every option is worth where decisions are not to act or not to act."""
        unit = "month" if self.gain_per_month is not None else "case"
        if self.curve is not None:
            rule = {self.option(RULE).title: self.curve.rule} if self.curve.rule else {}
            return plots.profit_curve(
                self.curve.shares,
                {self.option(MODEL).title: self.curve.model, **rule},
                (self.curve.chosen_share, self.curve.chosen),
                self.curve.capacity,
                headline(self),
                f"{self.currency} per {unit}",
            )
        ranges = [option.per_month or option.per_case for option in self.options]
        return plots.intervals(
            [option.title for option in self.options],
            [worth.middle or 0.0 for worth in ranges],
            [worth.low or 0.0 for worth in ranges],
            [worth.high or 0.0 for worth in ranges],
            headline(self),
            f"{self.currency} per {unit}, 90 % interval",
            chosen=self.options[0].title if self.options else None,
        )


def returns(charter: Charter, answers: Answers, chosen: str, seed: int = 0, resamples: int = 400) -> Returns:
    """Say what the chosen model is worth, against what one could do without it, and if it pays back.

    Parameters
    ----------
    charter
        Money and volumes. What is missing is not guessed: `Returns.lacking` says what could not be computed.
    answers
        Of all candidates, out of fold and on the test part.
    chosen
        The model's name in `answers`.
    seed, resamples
        Of the paired bootstrap: training rows are drawn again and policies learnt again on them, test rows (whole
        groups, where there are any) are drawn again and the decisions valued on them. A test part that holds the
        classes in the shares of all cases is drawn again in the same way.

    Returns
    -------
    Returns
        The alternative that the gain is measured against is chosen on the training part, so that the test part has no
        say in anything that is measured on it.
    """
    value, problem = charter.business.value, answers.problem
    lacking = no_money(charter, problem)
    learn, judge = split_parts(answers, chosen)
    if not lacking and not len(learn.known):
        lacking = "No case of the training part was answered out of fold by everybody, so that no policy can be learnt."
    if lacking:
        return Returns(value.currency, problem, lacking=lacking)
    random = np.random.default_rng(seed)
    learn_weights = redraw(random, len(learn.known), resamples)
    if answers.in_shares:
        judge_weights = redraw_in_shares(random, judge.known, resamples, len(answers.known) + len(judge.known))
    else:
        judge_weights = redraw(random, len(judge.known), resamples, answers.test_groups)
    worths = values(charter, problem, learn, judge, learn_weights, judge_weights)
    against = best_alternative(charter, problem, learn)
    policies = {
        name: learn_policy(charter, problem, learn.known, answer, probabilities=name == MODEL)
        for name, answer in learn.answers.items()
    }
    gain = gain_over(worths, against)
    titles = {MODEL: TITLES.get(chosen, chosen)}
    if hooks.rule_is_example(charter):
        titles[RULE] = candidates.EXAMPLE
    return Returns(
        value.currency,
        problem,
        options=tuple(
            _option(name, titles.get(name, ""), worths, policies, value) for name in worths if PLAIN not in name
        ),
        against=against,
        gain_per_case=range_of(gain),
        curve=_curve(charter, judge, policies) if problem == "binary" else None,
        **_over_time(value, gain),
    )


def range_of(draws: np.ndarray) -> Range:
    """Give the 90 % interval and the middle of resamples; an end that is not finite is `None`."""
    # without interpolation, so that an infinite time stays infinite
    ends = np.quantile(draws, INTERVAL, method="inverted_cdf")
    return Range(*(float(end) if np.isfinite(end) else None for end in ends))


def _over_time(value: Value, gain: np.ndarray) -> dict[str, Any]:
    """Compute what needs volumes and costs, as far as they are stated."""
    found: dict[str, Any] = {}
    if value.cases_per_month is not None:
        found["gain_per_month"] = range_of(gain * value.cases_per_month)
    missing = missing_volumes(value)
    if missing:
        fields = ", ".join(f"business.value.{name}" for name in missing)
        return {**found, "lacking": f"There is no return on investment: the charter does not state {fields}."}
    cases, horizon = value.cases_per_month or 0.0, value.horizon_months or 0.0
    build, run = value.build_cost or 0.0, value.run_cost_per_month or 0.0
    invested, surplus = build + run * horizon, gain * cases - run
    net = surplus * horizon - build
    with np.errstate(divide="ignore", invalid="ignore"):
        months = np.where(surplus > 0, build / surplus, np.inf)
    found |= {"horizon": horizon, "invested": invested, "net": range_of(net), "positive": float((net > 0).mean())}
    found["break_even"] = range_of(months)
    if invested:
        return {**found, "roi": range_of(net / invested)}
    return {**found, "lacking": "There is no return on investment: building and running it cost nothing."}


def _option(name: str, title: str, worths: dict[str, np.ndarray], policies: dict[str, Policy], value: Value) -> Option:
    per_case, plain = range_of(worths[name]), worths.get(name + PLAIN)
    return Option(
        name,
        title or name_of(name, policies[MODEL]),
        decides(name, policies),
        per_case,
        None if value.cases_per_month is None else per_case * value.cases_per_month,
        None if plain is None else range_of(plain),
    )


def _curve(charter: Charter, judge: Part, policies: dict[str, Policy]) -> Curve:
    value = charter.business.value
    assert value.per_case is not None
    acting, leaving = stakes(value.per_case, judge.known)
    rows, cases = len(judge.known), value.cases_per_month or 1.0

    def money(answer: np.ndarray) -> tuple[float, ...]:
        ranking = rank(answer, acting - leaving)
        gains = np.interp(SHARES * rows, ranking.weight[0], ranking.gain[0])
        return tuple(((leaving.sum() + gains) / rows * cases).tolist())

    decisions = policies[MODEL].decide(judge.answers[MODEL])
    return Curve(
        tuple(SHARES.tolist()),
        money(judge.answers[MODEL]),
        money(judge.answers[RULE]) if RULE in judge.answers else (),
        float(decisions.mean()),
        float((leaving + decisions * (acting - leaving)).mean() * cases),
        capacity_share(charter),
    )
