"""A hundred dots: a count of 100 as a picture that needs no colour to be understood."""

from __future__ import annotations

from markupsafe import Markup

from lab2live.handoff.people.counting import Count

# Dots a line, and the width of a dot with the room around it, in the picture's own unit.
LINE, STEP = 20, 10


def dots(count: Count) -> Markup:
    """Draw a count: filled dots for what speaks for the model, rings for the rest; nothing where there is no case.

    Returns
    -------
    Markup
        An inline SVG with the same in words. Its classes take their colours from the page.
    """
    if not count.cases:
        return Markup("")
    drawn, filled = [], 100 - count.per_hundred if count.against else count.per_hundred
    for number in range(100):
        kind = "hit" if number < filled else "rest"
        x, y = STEP * (number % LINE) + STEP // 2, STEP * (number // LINE) + STEP // 2
        drawn.append(
            Markup('<circle class="{}" cx="{}" cy="{}" r="{}"/>').format(kind, x, y, 4 if kind == "hit" else 3)
        )
    size = Markup('viewBox="0 0 {} {}"').format(LINE * STEP, 100 // LINE * STEP)
    words = f"{filled} of 100 dots are filled, they speak for the model. {count.sentence}"
    return Markup('<svg class="dots" {} role="img" aria-label="{}">{}</svg>').format(
        size, words, Markup("").join(drawn)
    )
