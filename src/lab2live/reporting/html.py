"""Pages of a run: its index.html, and notebooks as HTML without code.

They work offline, need no scripts, and stay safe when data is hostile. Three layers see to that: templates escape, one
allow-list cleans whatever notebooks put out, and a content security policy in every page forbids scripts and requests.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from markupsafe import Markup, escape

from lab2live import files
from lab2live.reporting.display import HERE, TEMPLATES, Html, banner, href
from lab2live.reporting.formatting import SYMBOLS, decision_view, duration, gate_view, status

WORST_FIRST = ("fail", "warn", "skip", "pass")
# The first of these that an output has is shown; a widget is nothing without its script.
SHOWN = ["text/html", "text/markdown", "image/png", "image/jpeg", "image/svg+xml", "text/plain"]
# What may stay of foreign HTML, beside the tags that nh3 takes for harmless.
EVERYWHERE = {"align", "aria-label", "class", "colspan", "id", "open", "role", "rowspan", "scope", "tabindex", "title"}
ATTRIBUTES = {"*": EVERYWHERE, "a": {"href"}, "img": {"src", "alt"}, "ol": {"start"}}
DROPPED_WITH_CONTENT = {
    *("script", "style", "template", "iframe", "object", "embed", "noscript"),
    *("svg", "math", "title", "textarea", "select", "xmp"),
}
PICTURE = re.compile(r"data:image/(png|jpeg|gif|webp|svg\+xml);base64,[A-Za-z0-9+/=\s]+", re.ASCII)


def export_notebook(notebook: Path, html: Path, title: str, back: str = "index.html") -> None:
    """Turn an executed (or half-executed) notebook into one self-contained page without code.

    Parameters
    ----------
    notebook
        The executed copy. It is not changed.
    html
        Where the page goes; replaced atomically.
    title
        Shown at the top of the page and in the browser's tab.
    back
        Relative link to the run's index; empty where there is none.
    """
    # Imported here: nbconvert takes a second, and only exporting needs it.
    import nbformat
    from nbconvert import HTMLExporter
    from traitlets.config import Config

    content = nbformat.read(notebook, as_version=4)
    _prepare_outputs(content.cells)
    exporter = HTMLExporter(
        template_name="basic",
        raw_template=(HERE / "notebook.html.j2").read_text(encoding="utf-8"),
        exclude_anchor_links=True,
        embed_images=True,
        config=Config(
            NbConvertBase={"display_data_priority": SHOWN},
            CoalesceStreamsPreprocessor={"enabled": True},  # a progress bar overwrote itself
            # papermill's notice of an error: our own banner says it better
            TagRemovePreprocessor={"enabled": True, "remove_cell_tags": {"papermill-error-cell-tag"}},
        ),
    )
    body, _ = exporter.from_notebook_node(content, {"metadata": {"path": str(notebook.parent)}})
    write_page(html, title, [*_how_far(content), Markup(sanitise(body))], back, notebook.name)


def write_page(path: Path, title: str, pieces: Iterable[Html | Markup | str], back: str = "", source: str = "") -> Path:
    """Write a page of pieces, one below the other.

    Parameters
    ----------
    path
        Replaced atomically.
    title
        Shown in the bar and in the browser's tab, and as heading where the pieces have none.
    pieces
        What `display` makes, or markup; text is escaped.
    back
        Relative link to the run's index; empty where there is none.
    source
        The file from which the page was made, beside it.
    """
    body = Markup("\n").join(pieces)
    return _write(path, "export.html.j2", title=title, body=body, back=back and href(back), source=source)


def write_index(run_dir: Path) -> Path:
    """Write `index.html` from the `verdict.json` of a run.

    Parameters
    ----------
    run_dir
        The folder of one run. Call this last: links to files that are not there (yet) are left out.

    Returns
    -------
    Path
        The page.
    """
    verdict = files.read_json(run_dir / "verdict.json")
    inside = {path.relative_to(run_dir).as_posix() for path in run_dir.rglob("*")}
    run, decision, gates = verdict["run"], decision_view(verdict), [gate_view(gate) for gate in verdict["gates"]]
    return _write(
        run_dir / "index.html",
        "index.html.j2",
        exists=lambda path: str(path).partition("#")[0] in inside,
        title=f"{decision.word}: {run['project']}",
        decision=decision,
        reasons=verdict["reasons"],
        run=run,
        pages={stage["stage"]: stage["html"] for stage in run["stages"]},
        groups=[(name, found) for name in WORST_FIRST if (found := [gate for gate in gates if gate.status == name])],
    )


def sanitise(html: str) -> str:
    """Reduce HTML to an allow-list: no scripts, styles, frames, event handlers, or anything that loads from elsewhere.

    nbconvert's own sanitiser works per cell and MIME type, and leaves the text of removed `<style>` and `<script>`
    standing; one pass over the finished body is simpler to reason about.
    """
    import nh3

    clean = nh3.clean(
        html,
        tags=nh3.ALLOWED_TAGS | {"section", "tfoot"},
        clean_content_tags=DROPPED_WITH_CONTENT,
        attributes=ATTRIBUTES,
        attribute_filter=_filtered,
        url_schemes={"http", "https", "mailto", "data"},
        link_rel=None,
    )
    # A picture that may not be loaded is named: its attributes are escaped, and none of them is `src`.
    return re.sub(r'<img(?: (?:alt="([^"]*)"|(?!src=)[\w-]+="[^"]*"))*>', r"[picture: \1]", clean)


def _filtered(tag: str, name: str, value: str) -> str | None:
    if name == "src":
        return value if PICTURE.fullmatch(value) else None
    if name == "href" and re.sub(r"[\x00-\x20]", "", value).lower().startswith("data:"):
        return None
    return value if name != "tabindex" or value == "0" else None


def marked(text: str) -> Markup:
    """Escape a text, and show what stands in backticks, names of fields and commands, as code."""
    return Markup(re.sub("`([^`\n]+)`", r"<code>\1</code>", str(escape(text))))


def _how_far(notebook: Any) -> Iterable[Html]:
    """A banner when the notebook was not executed to its end, else nothing."""
    code = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]
    ran = sum(cell.execution_count is not None for cell in code)
    failed = any(output.output_type == "error" for cell in code for output in cell.outputs)
    if ran < len(code):
        title = "This notebook stopped at a failing cell" if failed else "This notebook was not run to its end"
        text = f"{ran} of {len(code)} code cells ran. What is above the stop is kept, what is below was not computed."
        yield banner(title, text, "fail")


def _prepare_outputs(cells: Iterable[Any]) -> None:
    """Leave out what a page cannot show, and give pictures words."""
    heading = "this notebook"
    for cell in cells:
        if cell.cell_type == "markdown":
            heading = ([heading, *re.findall(r"^#{1,6} +(.+)$", cell.source, re.MULTILINE)])[-1]
        elif cell.cell_type == "code":
            cell.outputs = [one for one in cell.outputs if "data" not in one or _can_be_shown(one.data)]
            for output in cell.outputs:
                words = output.get("metadata", {}).get("alt") or output.get("data", {}).get("text/plain") or "<"
                output.alt = f"Picture in “{heading}”" if words.startswith("<") else words


def _can_be_shown(data: Any) -> bool:
    return any(kind in data for kind in SHOWN) and not any("jupyter.widget" in kind for kind in data)


TEMPLATES.globals.update(banner=banner, SYMBOLS=SYMBOLS)
TEMPLATES.filters.update(href=href, status=status, duration=duration, marked=marked)


def _write(path: Path, template: str, **content: Any) -> Path:
    css = Markup("\n".join((HERE / name).read_text(encoding="utf-8") for name in ("page.css", "report.css")))
    return files.write_text(path, TEMPLATES.get_template(template).render(css=css, **content))
