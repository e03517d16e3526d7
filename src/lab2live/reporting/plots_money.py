"""The charts about money: what acting earns, which assumption it hangs on, and what a fallback leaves of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from lab2live.reporting.style import (
    BLUE,
    DPI,
    INK,
    LOOK,
    ORANGE,
    QUIET,
    VERMILION,
    WIDTH,
    clean,
    finish,
    mark_line,
    names_of,
    rows_canvas,
    set_range,
    shown,
    write_title,
)

LINES = ((VERMILION, "-", 2.6), (BLUE, (0, (5, 2)), 2.0))


def profit_curve(
    shares: Sequence[float],
    worths: Mapping[str, Sequence[float]],
    chosen: tuple[float, float],
    capacity: float | None,
    title: str,
    ylabel: str,
) -> Figure:
    """What acting on the highest-scored share of the cases earns, by the ranking of model and rule.

    Parameters
    ----------
    shares
        From 0 (nobody) to 1 (everybody).
    worths
        By who ranks the cases, the model first: the money at each share.
    chosen
        Share and money where the model's policy ends up.
    capacity
        The largest share that can be acted on, if something limits it.
    title, ylabel
        The message of the chart; what is measured, with its unit.
    """
    model = next(iter(worths.values()))
    nobody, everybody = model[0], model[-1]
    with rc_context(LOOK):
        figure = Figure(figsize=(WIDTH, 4.6), dpi=DPI, layout="constrained")
        axes = figure.subplots()
        axes.grid(axis="y")
        for (name, money), (colour, dashes, width) in zip(worths.items(), LINES, strict=False):
            axes.plot(shares, money, color=colour, linestyle=dashes, linewidth=width, label=clean(name))
        axes.plot([0, 1], [nobody, everybody], color=QUIET, linewidth=1.2, linestyle=":", label="drawn by lot")
        axes.plot([0, 1], [nobody, everybody], "o", color=QUIET, markersize=6)
        axes.plot(*chosen, "D", color=INK, markersize=9, linestyle="none", label="what the model does", zorder=5)
        axes.set_xlim(-0.04, 1.04)
        axes.margins(y=0.15)
        if capacity is not None and capacity < 1:
            mark_line(axes, capacity, f"capacity {shown(capacity, percent=True)}")
        for place, words, side in ((0.0, "nobody", "left"), (1.0, "everybody", "right")):
            money_there = nobody if place == 0 else everybody
            axes.annotate(words, (place, money_there), (0, -8), textcoords="offset points", ha=side, va="top")
        axes.xaxis.set_major_formatter(lambda share, _: shown(share, percent=True))
        axes.yaxis.set_major_formatter(lambda money, _: shown(money))
        axes.set_xlabel("share of cases acted on, highest scores first")
        axes.set_title(clean(ylabel), loc="left", fontsize=11, color=QUIET, pad=20)
        figure.legend(loc="outside lower left", ncols=2, frameon=False, fontsize=11)
        write_title(figure, title)
        best = [f"{name} at most {shown(max(money))}" for name, money in worths.items()]
        limit = "" if capacity is None else f" Capacity ends at {shown(capacity, percent=True)}."
        place_, money_ = shown(chosen[0], percent=True), shown(chosen[1])
        return finish(
            figure,
            f"{title}. {ylabel} against the share of cases acted on: nobody {shown(nobody)}, everybody "
            f"{shown(everybody)}; {'; '.join(best)}; what the model does: {place_}, {money_}.{limit}",
        )


def tornado(
    labels: Sequence[str],
    at_low: Sequence[float],
    at_high: Sequence[float],
    base: float,
    title: str,
    xlabel: str,
    names: tuple[str, str] = ("30 % less", "30 % more"),
) -> Figure:
    """What is left when one assumption at a time turns out to be less or more than assumed.

    Parameters
    ----------
    labels
        The assumptions, the one with the largest swing first.
    at_low, at_high
        What is left if there is less of it, and if there is more.
    base
        What is left if everything is as assumed.
    title, xlabel
        The message of the chart; what is measured, with its unit.
    names
        What less and more mean.
    """
    rows = names_of(labels)
    with rc_context(LOOK):
        figure, axes = rows_canvas(rows, title, xlabel)
        for row, (low, high) in enumerate(zip(at_low, at_high, strict=True)):
            # the longer one first, where both point the same way
            for end, colour, hatch in sorted(
                ((low, BLUE, ""), (high, ORANGE, "///")), key=lambda bar: -abs(bar[0] - base)
            ):
                axes.barh(row, end - base, left=base, height=0.62, color=colour, hatch=hatch, edgecolor="white")
        reach = [base, *at_low, *at_high]
        if min(reach) > 0 and min(reach) < 0.25 * max(reach):
            reach.append(0.0)  # so near to nothing being left that it belongs into the picture
        set_range(axes, min(reach), max(reach), room=0.1)
        if min(reach) <= 0 <= max(reach):
            axes.axvline(0, color=INK, linewidth=1.4)
        mark_line(axes, base, f"as assumed {shown(base)}")
        axes.xaxis.set_major_formatter(lambda money, _: shown(money))
        axes.locator_params(axis="x", nbins=4)
        figure.legend(
            handles=[
                Patch(facecolor=BLUE, label=clean(names[0])),
                Patch(facecolor=ORANGE, hatch="///", edgecolor="white", label=clean(names[1])),
            ],
            loc="outside lower left",
            ncols=2,
            frameon=False,
            fontsize=11,
        )
        facts = [f"{name} {shown(low)} to {shown(high)}" for name, low, high in zip(rows, at_low, at_high, strict=True)]
        return finish(
            figure,
            f"{title}. {xlabel}, as assumed {shown(base)}; {names[0]} to {names[1]}: {'; '.join(facts)}.",
        )


def falling(gain: float, slope: float, expected: float, rate: float | None, title: str, ylabel: str) -> Figure:
    """What is left of a gain at every rate of the fallback.

    Parameters
    ----------
    gain
        Money without any fallback.
    slope
        What it would cost if every case were handed over.
    expected
        The rate that is expected, 0 to 1.
    rate
        From which on nothing is left; `None` if that never comes.
    title, ylabel
        The message of the chart; what is measured, with its unit.
    """
    with rc_context(LOOK):
        figure = Figure(figsize=(WIDTH, 3.8), dpi=DPI, layout="constrained")
        axes = figure.subplots()
        axes.grid(axis="y")
        axes.plot([0, 1], [gain, gain - slope], color=BLUE, linewidth=2.4)
        axes.axhline(0, color=INK, linewidth=1.4)
        left = gain - slope * expected
        axes.plot(expected, left, "D", color=VERMILION, markersize=9, zorder=5)
        axes.annotate(
            f"expected: {shown(expected, percent=True)}",
            (expected, left),
            (10, 8),
            textcoords="offset points",
            weight="bold",
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},  # nothing is written across the line
        )
        axes.set_xlim(-0.02, 1.02)
        axes.margins(y=0.15)
        if rate is not None and rate <= 1:
            mark_line(axes, rate, f"nothing left from {shown(round(rate, 3), percent=True)}")
        axes.xaxis.set_major_formatter(lambda share, _: shown(share, percent=True))
        axes.yaxis.set_major_formatter(lambda money, _: shown(money))
        axes.set_xlabel("share of cases that the fallback answers")
        axes.set_title(clean(ylabel), loc="left", fontsize=11, color=QUIET, pad=20)
        write_title(figure, title)
        never = "never nothing is left" if rate is None or rate > 1 else f"nothing is left from {rate:.0%} on"
        return finish(
            figure,
            f"{title}. {ylabel} against the share of cases that the fallback answers: {shown(gain)} without it, "
            f"{shown(left)} at the expected {shown(expected, percent=True)}; {never}.",
        )
