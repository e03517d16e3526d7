"""Pages to be read and printed: one file each, in the look of every page of a run, with no scripts and no requests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup

HERE = Path(__file__).parents[2]
LOOKS = ("reporting/page.css", "reporting/report.css", "handoff/people/paper.css")


def printed(template: str, **content: Any) -> str:
    """Fill a template; whatever comes from data is escaped.

    Parameters
    ----------
    template
        Relative to the package.
    **content
        What it names.
    """
    environment = Environment(
        loader=FileSystemLoader([HERE, HERE / "reporting"]),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    css = Markup("\n".join((HERE / name).read_text(encoding="utf-8") for name in LOOKS))
    return environment.get_template(template).render(css=css, **content)
