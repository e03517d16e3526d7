"""The charts of the journey, in one visual language.

Colour-blind safe (Okabe-Ito), labelled directly, legible on a phone and in print. A title states the message. Figures
are made without pyplot, so that nothing leaks between cells. Every figure carries its own description in words:
`alt(figure)`; `show(figure)` is what a notebook cell ends with, `png(figure)` is what a file gets. A value that is not
finite is left out: a chart never stops a stage.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lab2live.reporting import style
from lab2live.reporting.formatting import plain
from lab2live.reporting.style import Picture, alt, clean, drawn, finish, heading, names_of, png, show, shown, stamp

as_percent = partial(shown, percent=True)
LINES = ((style.VERMILION, "-", 2.6), (style.BLUE, (0, (5, 2)), 2.0))

__all__ = ["Picture", "alt", "bars", "contributions", "falling", "heading", "histogram"]
__all__ += ["intervals", "png", "profit_curve", "show", "stamp", "tornado"]


@drawn
def bars(
    labels: Sequence[str],
    values: Sequence[float],
    title: str,
    xlabel: str,
    limit: float | None = None,
    limit_label: str = "limit",
    percent: bool = False,
) -> Figure:
    """Horizontal bars in the given order, each labelled with its value, and a limit line if there is one.

    Parameters
    ----------
    labels, values
        One bar each, the first on top. A missing value has no bar.
    title, xlabel
        The message of the chart; what is measured, with its unit.
    limit, limit_label
        Where the line goes, and what it means. Bars beyond it are *not* recoloured: the gate judges, the chart shows.
    percent
        Values are shares: show 0.25 as 25 %.
    """
    names, heights, write = names_of(labels), np.asarray(values, dtype=float), partial(shown, percent=percent)
    figure, axes = style.rows_canvas(names, title, xlabel)
    drawn = axes.barh(range(len(names)), np.nan_to_num(heights, posinf=0, neginf=0), height=0.62, color=style.BLUE)
    axes.bar_label(drawn, [write(value) for value in heights], padding=5, bbox=style.BOX)
    mark = style.mark_line(axes, limit, limit_label, write)
    axes.xaxis.set_major_formatter(lambda value, _: write(value))
    facts = [f"{name} {write(value)}" for name, value in zip(names, heights, strict=True)]
    return finish(figure, f"{title}. Bars of {xlabel}: {'; '.join(facts)}.{mark}")


@drawn
def intervals(
    labels: Sequence[str],
    centre: Sequence[float],
    low: Sequence[float],
    high: Sequence[float],
    title: str,
    xlabel: str,
    chosen: str | None = None,
    reference: float | None = None,
    reference_label: str = "reference",
    write: Callable[[float], str] = plain,
) -> Figure:
    """A dot with its interval per row (the ladder of models); the chosen row stands out. Values stand to the right.

    Parameters
    ----------
    labels
        One row each, the first on top.
    centre, low, high
        The estimate and its interval.
    title, xlabel
        The message of the chart; what is measured, with its unit.
    chosen
        The label of the row to highlight: thicker, darker, and marked in words.
    reference, reference_label
        A line to compare with, such as the best score anyone could reach.
    write
        How a value is written.
    """
    names = [f"{name}{' (chosen)' * (label == chosen)}" for label, name in zip(labels, names_of(labels), strict=True)]
    figure, axes = style.rows_canvas(names, title, xlabel)
    axes.locator_params(axis="x", nbins=5)
    facts = []
    for row, (label, name, *ends) in enumerate(zip(labels, names, centre, low, high, strict=True)):
        bold = label == chosen
        colour, width, dot, weight = (style.VERMILION, 4.0, "D", "bold") if bold else (style.BLUE, 2.2, "o", "normal")
        axes.plot(ends[1:], [row, row], color=colour, linewidth=width, solid_capstyle="butt")
        axes.plot(ends[0], row, dot, color=colour, markersize=9 if bold else 7)
        middle, left, right = (write(float(end)) for end in ends)
        style.value_label(axes, row, float(np.nanmax([ends[0], ends[2]])), middle, weight=weight)
        facts.append(f"{name} {middle} ({left} to {right})")
    told = style.mark_line(axes, reference, reference_label, write)
    return finish(figure, f"{title}. {xlabel} with intervals: {'; '.join(facts)}.{told}")


@drawn
def contributions(
    names: Sequence[str],
    values: Sequence[float],
    base: float,
    total: float,
    title: str,
    xlabel: str,
    said: tuple[str, str] | None = None,
    note: str = "",
) -> Figure:
    """A waterfall from the base value to one prediction: what each reason adds or takes away.

    Parameters
    ----------
    names, values
        The reasons and what each one adds, in the given order; what they leave unexplained is shown as "all others".
    base
        Where the waterfall starts (the average prediction).
    total
        Where it ends (this prediction).
    title, xlabel
        The message of the chart; what is measured, with its unit.
    said
        How base and total are written, if not as numbers.
    note
        A remark on how to read it, below what is measured.
    """
    first, final = said or (shown(base), shown(total))
    labels, steps = names_of(names), np.nan_to_num(np.asarray(values, dtype=float), posinf=0, neginf=0)
    rest = total - base - steps.sum()
    if abs(rest) > 1e-6 * max(1.0, abs(total), abs(base)):
        labels, steps = [*labels, "all others"], np.append(steps, rest)
    ends, last = base + np.cumsum(steps), len(steps) + 1
    figure, axes = style.rows_canvas(["average", *labels, "this prediction"], title, xlabel)
    axes.use_sticky_edges = False  # a bar that ends at the far left has its label there, too
    colours = [style.VERMILION if step > 0 else style.BLUE for step in steps]
    drawn = axes.barh(range(1, last), steps, left=ends - steps, height=0.6, color=colours)
    written = [style.signed(step) for step in steps]
    axes.bar_label(drawn, written, padding=5)
    axes.vlines([base, *ends], range(last), range(1, last + 1), color=style.QUIET, linewidth=0.8, zorder=0)
    axes.plot([base, total], [0, last], "D", color=style.INK, markersize=8, linestyle="none")
    for row, place, text in ((0, base, first), (last, total, final)):
        style.value_label(axes, row, place, text, left=place > sum(axes.get_xlim()) / 2)  # where there is room
    if note:
        axes.set_xlabel(f"{clean(xlabel)}\n{textwrap.fill(f'({clean(note)})', 38)}")
    facts = [f"{name} {step}" for name, step in zip(labels, written, strict=True)]
    words = f"From the average {first}: {'; '.join(facts)}; this prediction {final}."
    return finish(figure, f"{title}. {xlabel}{f' ({note})' if note else ''}. {words}")


@drawn
def histogram(values_by_group: Mapping[str, Any], title: str, xlabel: str) -> Figure:
    """How values are distributed in each group: shares within the group, on common bins, one panel above the other.

    Parameters
    ----------
    values_by_group
        Arrays of numbers by name of the group; missing and infinite values are left out.
    title, xlabel
        The message of the chart; what is measured, with its unit.
    """
    groups = {name: (x := np.asarray(part, float).ravel())[np.isfinite(x)] for name, part in values_by_group.items()}
    edges = np.histogram_bin_edges(np.concatenate([[], *groups.values()]), bins=30)
    figure = style.canvas(1.2 + 1.25 * max(len(groups), 1))
    panels = np.atleast_1d(figure.subplots(max(len(groups), 1), 1, sharex=True, sharey=True))
    facts = []
    drawn = zip(panels, names_of(list(groups)), groups.values(), style.GROUPS * len(groups), strict=False)
    for axes, name, values, colour in drawn:
        axes.hist(values, edges, weights=np.ones(values.size) / max(values.size, 1), color=colour)
        axes.grid(axis="y")
        axes.tick_params(axis="x", length=0)
        axes.yaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
        axes.locator_params(axis="y", nbins=3)
        axes.set_title(f"{name} ({values.size:,})", loc="left", fontsize=11, color=style.INK)
        middle = plain(float(np.median(values))) if values.size else "–"
        facts.append(f"{name}: {values.size:,} values, median {middle}")
    style.write_title(figure, title)
    # at the panel, not at the figure: a stamp stands there
    panels[-1].set_xlabel(clean(xlabel), fontsize=11, color=style.QUIET)
    return finish(figure, f"{title}. Histogram of {xlabel}. {'; '.join(facts)}.")


@drawn
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
    nobody, *_, everybody = next(iter(worths.values()))
    figure, axes = _shares_canvas(4.6, title, ylabel, "share of cases acted on, highest scores first")
    for (name, money), (colour, dashes, width) in zip(worths.items(), LINES, strict=False):
        axes.plot(shares, money, color=colour, linestyle=dashes, linewidth=width, label=clean(name))
    axes.plot([0, 1], [nobody, everybody], "o:", color=style.QUIET, linewidth=1.2, label="at random")
    axes.plot(*chosen, "D", color=style.INK, markersize=9, linestyle="none", label="what the model does", zorder=5)
    style.mark_line(axes, capacity if capacity is not None and capacity < 1 else None, "capacity", as_percent)
    limit = "" if capacity is None else f" Capacity ends at {as_percent(capacity)}."
    for place, words, side in (((0, nobody), "nobody", "left"), ((1, everybody), "everybody", "right")):
        axes.annotate(words, place, (0, -8), textcoords="offset points", ha=side, va="top")
    figure.legend(loc="outside lower left", ncols=2)
    best = [f"{name} at most {shown(max(money))}" for name, money in worths.items()]
    ends = f"nobody {shown(nobody)}, everybody {shown(everybody)}; {'; '.join(best)}"
    policy = f"what the model does: {as_percent(chosen[0])}, {shown(chosen[1])}"
    return finish(figure, f"{title}. {ylabel} against the share of cases acted on: {ends}; {policy}.{limit}")


@drawn
def tornado(
    labels: Sequence[str], at_low: Sequence[float], at_high: Sequence[float], base: float, title: str, xlabel: str
) -> Figure:
    """What is left when one assumption at a time turns out to be 30 % less or more than assumed.

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
    """
    rows = names_of(labels)
    figure, axes = style.rows_canvas(rows, title, xlabel)
    axes.use_sticky_edges = False
    for row, (low, high) in enumerate(zip(at_low, at_high, strict=True)):
        both = ((low, style.BLUE, "", "30 % less"), (high, style.ORANGE, "///", "30 % more"))
        # the longer one first, where both point the same way
        for end, colour, hatch, word in sorted(both, key=lambda bar: -abs(bar[0] - base)):
            # a legend leaves out what begins with a line
            axes.barh(row, end - base, 0.62, base, color=colour, hatch=hatch, edgecolor="white", label="_" * row + word)
    low, high = axes.get_xlim()
    if low < 0.25 * high:  # so near to nothing being left that it belongs into the picture
        axes.axvline(0, color=style.INK, linewidth=1.4)
    style.mark_line(axes, base, "as assumed", shown)
    axes.xaxis.set_major_formatter(lambda money, _: shown(money))
    axes.locator_params(axis="x", nbins=4)
    figure.legend(loc="outside lower left", ncols=2)
    facts = [f"{name} {shown(low)} to {shown(high)}" for name, low, high in zip(rows, at_low, at_high, strict=True)]
    told = f"as assumed {shown(base)}; 30 % less to 30 % more: {'; '.join(facts)}"
    return finish(figure, f"{title}. {xlabel}, {told}.")


@drawn
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
    over = "share of cases that the fallback answers"
    figure, axes = _shares_canvas(3.8, title, ylabel, over)
    axes.plot([0, 1], [gain, gain - slope], color=style.BLUE, linewidth=2.4)
    axes.axhline(0, color=style.INK, linewidth=1.4)
    left = gain - slope * expected
    axes.plot(expected, left, "D", color=style.VERMILION, markersize=9, zorder=5)
    said, points = f"expected: {as_percent(expected)}", "offset points"
    axes.annotate(said, (expected, left), (10, 8), textcoords=points, weight="bold", bbox=style.BOX)
    rate = rate if rate is not None and rate <= 1 else None
    style.mark_line(axes, rate, "nothing left from", as_percent)
    never = "some is always left" if rate is None else f"nothing is left from {rate:.0%} on"
    told = f"{shown(gain)} without it, {shown(left)} at the expected {as_percent(expected)}; {never}"
    return finish(figure, f"{title}. {ylabel} against the {over}: {told}.")


def _shares_canvas(height: float, title: str, ylabel: str, xlabel: str) -> tuple[Figure, Axes]:
    """Money against a share of the cases."""
    figure = style.canvas(height)
    axes = figure.subplots()
    axes.grid(axis="y")
    axes.set_xlim(-0.04, 1.04)
    axes.margins(y=0.15)
    axes.xaxis.set_major_formatter(lambda share, _: as_percent(share))
    axes.yaxis.set_major_formatter(lambda money, _: shown(money))
    axes.set_xlabel(xlabel)
    axes.set_title(clean(ylabel), loc="left", fontsize=11, color=style.QUIET, pad=20)
    style.write_title(figure, title)
    return figure, axes
