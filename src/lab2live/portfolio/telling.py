"""The portfolio in words, tables and charts, for somebody who decides where the money goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure

from lab2live.poc.worth.returns import Range
from lab2live.poc.worth.telling_money import about, rounded
from lab2live.portfolio import chances
from lab2live.portfolio.chances import Estimate, Spread, Worth
from lab2live.portfolio.learning import Lesson
from lab2live.portfolio.reading import Project
from lab2live.reporting import plots
from lab2live.reporting.formatting import agree, amount, short
from lab2live.reporting.style import shown

if TYPE_CHECKING:
    from lab2live.portfolio.sheet import Together

# How the luck of the projects hangs together, in words.
SHARED = {0.0: "nothing in common", 0.2: "some luck in common", 0.5: "much luck in common", 1.0: "one big project"}
DECISIONS = {
    "go": "✔\N{NO-BREAK SPACE}go",
    "conditional": "▲\N{NO-BREAK SPACE}conditional",
    "no-go": "✖\N{NO-BREAK SPACE}no-go",
}
ORDER = ("live", "not started", "stopped", "unreadable")


def ranked(projects: Sequence[Project]) -> list[Project]:
    """Sort by what can still be decided: live ones by falling priority, then those not started, stopped, unreadable."""
    return sorted(projects, key=lambda one: (ORDER.index(one.state), one.priority is None, -(one.priority or 0)))


def percent(chance: float) -> str:
    """A chance as people read it: never a certainty that only rounding made.

    Examples
    --------
    >>> percent(0.42), percent(0.9997), percent(0.0002), percent(0.0), percent(1.0)
    ('42%', 'above 99%', 'below 1%', '0%', 'above 99%')
    """
    if chance > 0.99:
        return "above 99%"
    return "below 1%" if 0 < chance < 0.01 else f"{chance:.0%}"


def money(worth: Worth, currency: str) -> str:
    """An amount with its interval, rounded to what the interval supports."""
    return about(Range(worth.low, worth.middle, worth.high), currency)


def overview(projects: Sequence[Project]) -> list[dict[str, Any]]:
    """List the projects side by side, the first in rank on top."""
    return [
        {
            "project": one.name + (f" ({'; '.join(one.marks)})" if one.marks else ""),
            "verdict": DECISIONS.get(one.decision or "", one.state),
            "stage": one.stage or None,
            "left after all costs (90 %)": money(one.worth, one.currency or "") if one.worth else None,
            "chance of a gain": None if one.chance is None else percent(one.chance),
            "priority": None if one.priority is None else f"{one.priority:.1f}",
            "days waited": waited(one),
            "blocked by": amount(len(one.blockers), "point") if one.blockers else None,
        }
        for one in ranked(projects)
    ]


def waited(project: Project) -> str | None:
    """Say how long the slowest source took; `None` where the charter does not say."""
    known = [wait for wait in project.waits if wait.days is not None]
    if not known:
        return None
    slowest = max(known, key=lambda wait: (not wait.is_over, wait.days or 0))
    return f"{slowest.days} for {slowest.source}" + ("" if slowest.is_over else f", still {slowest.access}")


def points(projects: Sequence[Project]) -> list[dict[str, str]]:
    """List what blocks the projects, and what could not be read of them."""
    found = [
        {"project": one.name, "what": text} for one in ranked(projects) for text in dict.fromkeys(one.blockers) if text
    ]
    return found + [{"project": one.name, "what": one.problem} for one in ranked(projects) if one.problem]


def waiting(projects: Sequence[Project]) -> str:
    """Say what waiting for access has cost altogether (G1)."""
    waits = [(one, wait) for one in projects for wait in one.waits if wait.days is not None]
    if not waits:
        return "No charter says when access was asked for."
    days = sum(wait.days or 0 for _, wait in waits)
    still = [f"{wait.source} ({one.name}, {wait.days} days so far)" for one, wait in waits if not wait.is_over]
    tail = f" Still waited for: {', '.join(still)}." if still else " Nothing is waited for any more."
    return f"{amount(len(waits), 'source')} took {days:,} days of waiting, added up.{tail}"


def bases(projects: Sequence[Project]) -> list[dict[str, str]]:
    """List where each chance comes from, or why there is none."""
    return [
        {
            "project": one.name,
            "chance": "no number" if one.chance is None else percent(one.chance),
            "because": one.basis,
        }
        for one in ranked(projects)
    ]


def likely(projects: Sequence[Project], counts: Mapping[float, Any]) -> str:
    """Say how likely it is that something comes of it, and who is left out of that.

    Parameters
    ----------
    projects
        All of them.
    counts
        Correlation -> chances of none, one, two, ... successes.
    """
    counted = [one.name for one in projects if one.counts]
    if not counted:
        return "No live project has measured a return on real data yet, so there is no chance to state."
    least, most = sorted((1 - counts[0.0][0], 1 - counts[0.5][0]))
    span = f"{percent(least)} to {percent(most)}, depending on how much luck they share"
    if percent(least) == percent(most):
        span = f"{percent(least)}, whether they share much luck or none"
    left_out = [one.name for one in projects if one.chance is None or (one.state == "live" and not one.counts)]
    tail = ""
    if left_out:
        tail = f" {', '.join(left_out)}: without a number that counts, so left out; with them it can only be higher."
    if len(counted) == 1:
        return f"That {counted[0]} succeeds: {percent(least)}.{tail}"
    return f"That at least one of {len(counted)} projects succeeds: {span}.{tail}"


def count_table(counts: Mapping[float, Sequence[float]]) -> list[dict[str, str]]:
    """Show how many succeed at each correlation: none, at least one, and how many on average."""
    return [
        {
            "the projects have": SHARED[correlation],
            "correlation": short(correlation),
            "none": percent(each[0]),
            "at least one": percent(1 - each[0]),
            "at least half": percent(sum(each[len(each) // 2 :])),
            "all": percent(each[-1]),
            "on average": f"{sum(number * chance for number, chance in enumerate(each)):.1f} of {len(each) - 1}",
        }
        for correlation, each in counts.items()
    ]


def spread_table(found: Together) -> list[dict[str, str]]:
    """Show the total at each correlation, quantiles with the standard error of the simulation; one project has none."""
    first = found.spreads[0]
    return [
        {
            "the projects have": SHARED[one.correlation] if len(found.projects) > 1 else "only one of them",
            "correlation": short(one.correlation) if len(found.projects) > 1 else "–",
            f"expected ({found.currency})": _figure(one.expected, first),
            "in 5 of 100 worlds below": _with_error(one.low, first),
            "in the middle": _with_error(one.middle, first),
            "in 5 of 100 worlds above": _with_error(one.high, first),
            "chance of a loss": f"{percent(one.loss.value)} ± {100 * one.loss.error:.1g} points",
        }
        for one in (found.spreads if len(found.projects) > 1 else found.spreads[:1])
    ]


def _with_error(found: Estimate, like: Spread) -> str:
    return f"{_figure(found.value, like)} ± {short(float(f'{found.error:.1g}'))}".replace(" ", "\N{NO-BREAK SPACE}")


def _figure(value: float, one: Spread) -> str:
    return f"{rounded(value, (one.high.value - one.low.value) / 10):,.0f}".replace("-", "−")


def against_one(found: Together) -> str:
    """Compare one big project with many small ones of the same expected total, in plain words."""
    number, big, many = len(found.projects), found.big, found.spreads[1]
    if number < 2:
        return f"Only one project has a measured return in {found.currency}: nothing to compare."
    currency = found.currency
    worst = [_figure(one.low.value, one) for one in (big, many)]
    losses = [percent(one.loss.value) for one in (big, many)]
    gap = big.loss.value - many.loss.value
    sure = abs(gap) > 3 * (big.loss.error + many.loss.error)
    end = (
        "Here many small ones are the safer way to the same expected total."
        if sure and gap > 0
        else "Here one big project is the safer one."
        if sure
        else "Here the chance of a loss does not tell them apart."
    )
    return (
        f"Both are expected to leave {_figure(many.expected, many)} {currency}. One big project loses money in "
        f"{losses[0]} of all worlds and leaves less than {worst[0]} {currency} in the worst 5 of 100. {number} "
        f"projects side by side lose in {losses[1]}, leave less than {worst[1]} {currency} in the worst 5 of 100, and "
        f"the chance that at least one of them gains is {percent(found.chance)}. {end}"
    )


def remaining(found: Sequence[Lesson], remarks: Mapping[str, int]) -> str:
    """Say which lessons meet nobody now, and where free remarks are to be read."""
    if not found and not remarks:
        return "No stopped project has written down a lesson."
    idle = sum(not one.applies for one in found)
    notes = ", ".join(f"{name} ({count})" for name, count in remarks.items())
    tail = f" Remarks that belong to no gate are in the lessons.yaml of: {notes}." if notes else ""
    if not idle:
        return f"Every lesson meets a project that is still going on.{tail}"
    return f"{amount(idle, 'more lesson')} {agree(idle, 'meets', 'meet')} no project that is still going on.{tail}"


def lesson_table(found: Sequence[Lesson]) -> list[dict[str, str]]:
    """Show the lessons that meet a project still going on."""
    return [
        {
            "learnt in": one.learnt_in,
            "what was found": one.found,
            "meets": "; ".join(f"{name} ({word})" for name, word in one.applies.items()),
        }
        for one in found
        if one.applies
    ]


def currencies(projects: Sequence[Project]) -> list[str]:
    """List the currencies in which live projects have measured a return."""
    return list(dict.fromkeys(one.currency or "" for one in ranked(projects) if one.state == "live" and one.worth))


def worth_chart(projects: Sequence[Project], currency: str) -> Figure:
    """Draw what each live project leaves after all costs, with its interval."""
    shown_ones = [one for one in ranked(projects) if one.state == "live" and one.currency == currency and one.worth]
    worths = [one.worth for one in shown_ones if one.worth]
    real = [one for one in shown_ones if one.counts and one.worth]
    safe = sum(one.worth.low > 0 for one in real if one.worth)
    of = amount(len(real), "project") + (" on real data" if len(real) < len(shown_ones) else "")
    leave = "leaves" if safe == 1 else "leave"
    title = f"{safe} of {of} {leave} a gain in 19 of 20 worlds"
    if len(real) < 2:
        title = "What is left, and how far that may be off"
    figure = plots.intervals(
        [one.name + (f" ({'; '.join(one.marks)})" if one.marks else "") for one in shown_ones],
        [worth.middle for worth in worths],
        [worth.low for worth in worths],
        [worth.high for worth in worths],
        title,
        f"left after all costs ({currency}), 90 % interval",
        reference=0.0,
        reference_label="nothing left",
        write=lambda value: shown(float(f"{value:.2g}")),
    )
    return _with_thousands(figure)


def total_chart(group: Together, seed: int) -> Figure:
    """Draw how the total spreads at each correlation."""
    first, last = group.spreads[0], group.spreads[-1]
    wider = (last.high.value - last.low.value) / (first.high.value - first.low.value) - 1
    title = "What the projects share decides how far the total may be off"
    if wider > 0.01:
        title = f"Sharing luck spreads the same expected total {wider:.0%} wider"
    worths = [one.worth for one in group.projects if one.worth is not None]
    drawn = {
        f"{SHARED[one.correlation]}, correlation {short(one.correlation)}": chances.totals(
            worths, one.correlation, seed
        )
        for one in group.spreads
    }
    return _with_thousands(plots.histogram(drawn, title, f"total left after all costs ({group.currency})"))


def _with_thousands(figure: Figure) -> Figure:
    """Write amounts of money in full instead of as powers of ten."""
    for axes in figure.axes:
        axes.locator_params(axis="x", nbins=4)
        axes.xaxis.set_major_formatter(lambda value, _: shown(value))
    return figure
