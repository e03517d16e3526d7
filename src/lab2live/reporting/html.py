"""Pages of a run: its index.html, and notebooks as HTML without code.

They work offline, need no scripts, and stay safe when data is hostile. Three layers see to that: templates escape, one
allow-list cleans whatever notebooks put out, and a content security policy in every page forbids scripts and requests.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup, escape

from lab2live import files
from lab2live.reporting.display import HERE, banner, href
from lab2live.reporting.formatting import SYMBOLS, duration, is_broken, measure, plain, status
from lab2live.reporting.sanitise import sanitise

ANSWERS = {
    "go": ("✔", "Go", "Every gate that must pass has passed, and nothing else raised a warning."),
    "conditional": (
        "▲",
        "Conditional",
        "Nothing forbids going on, but these points need an answer before it goes live.",
    ),
    "no-go": ("✖", "No-go", "Do not put this into production. What was learnt is kept below."),
}
GROUPS = {
    "fail": "the limit is exceeded",
    "warn": "needs attention",
    "skip": "could not be judged",
    "pass": "as required",
}
STAGE_LOOKS = {"done": "pass", "kept": "pass", "failed": "fail", "not run": "skip"}

SHOWN = ("text/html", "text/markdown", "image/png", "image/jpeg", "image/svg+xml", "text/plain")
LONGEST_TEXT = 20_000  # characters of one text output; the notebook keeps the rest


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

    content = nbformat.read(notebook, as_version=4)
    stopped = _how_far(content)
    content.cells = [cell for cell in content.cells if not _is_papermills(cell)]
    _prepare_outputs(content.cells)
    exporter = HTMLExporter(
        template_name="basic",
        raw_template=(HERE / "notebook.html.j2").read_text(encoding="utf-8"),
        exclude_input=True,
        exclude_anchor_links=True,
        embed_images=True,
    )
    body, _ = exporter.from_notebook_node(content, {"metadata": {"path": str(notebook.parent)}})
    body = sanitise(body)
    page = (
        _environment()
        .get_template("export.html.j2")
        .render(
            title=title,
            css=_css(),
            back=href(back) if back else "",
            source=notebook.name,
            stopped=stopped,
            has_heading="<h1" in body,
            body=Markup(body),
        )
    )
    _write(html, page)


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
    verdict = json.loads((run_dir / "verdict.json").read_text(encoding="utf-8"))
    run, gates = verdict["run"], verdict["gates"]
    symbol, word, sentence = ANSWERS[verdict["decision"]]
    broken = is_broken(verdict)
    if broken:
        sentence = f"Not everything was judged. Of what was, the decision would be: {word.lower()}."
        symbol, word = "✖", "Stopped by an error"
    environment = _environment(_exists_in(run_dir))
    page = environment.get_template("index.html.j2").render(
        title=f"{word}: {run['project']}",
        css=_css(),
        decision="no-go" if broken else verdict["decision"],
        answer={"symbol": symbol, "word": word, "sentence": sentence},
        reasons=verdict["reasons"],
        run=run,
        notes=list(_notes(run)),
        groups=[
            {"status": name, "says": says, "gates": found}
            for name, says in GROUPS.items()
            if (found := [gate for gate in gates if gate["status"] == name])
        ],
        stages=[
            {**stage, "look": (look := STAGE_LOOKS.get(stage["status"], "skip")), "symbol": SYMBOLS[look]}
            for stage in run["stages"]
        ],
        facts=list(_facts(run)),
    )
    return _write(run_dir / "index.html", page)


def _notes(run: Mapping[str, Any]) -> Iterable[Markup]:
    """What a reader must know before believing a number: the most serious first."""
    missing = [stage["title"] for stage in run["stages"] if stage["status"] == "not run"]
    for stage in run["stages"]:
        if stage["status"] == "failed":
            error = stage["error"] or {}
            where = f"cell {error['cell']}" if error.get("cell") is not None else "its notebook"
            text = f"{error.get('name', 'error')} in {where}: {error.get('message', '')}"
            yield _note(f"Stage {stage['title']} failed", f"{text} – everything before it is kept.", "fail")
    if missing:
        yield _note("Stopped early", f"Not run: {', '.join(missing)}. Their gates are skipped, not passed.", "warn")
    if run["demo"]:
        yield _note("Demo", "Every number on this page is about the simulated demo, not about your business.", "demo")
    if run["stand_ins"]:
        yield _note("Stand-in data", f"Not the real data: {', '.join(run['stand_ins'])}.", "demo")
    if run["smoke"]:
        yield _note("Smoke run", "Small samples and few repetitions: it shows that things work, not how well.", "warn")


def marked(text: str) -> Markup:
    """Escape a text, and show what stands in backticks, names of fields and commands, as code."""
    return Markup(re.sub("`([^`\n]+)`", r"<code>\1</code>", str(escape(text))))


def _note(title: str, text: str, kind: Any) -> Markup:
    return Markup(banner(title, text, kind).html)  # `banner` has escaped it


def _facts(run: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    yield "run", run["id"]
    yield "started", _moment(run["started"])
    if run["finished"]:
        yield "finished", _moment(run["finished"])
    if run["seconds"] is not None:
        yield "took", duration(run["seconds"])
    yield "seed", plain(run["seed"]).replace(",", "")
    yield "versions", ", ".join(f"{name} {version}" for name, version in run["versions"].items()) or plain(None)


def _moment(iso: str) -> str:
    try:
        return f"{datetime.fromisoformat(iso):%Y-%m-%d %H:%M:%S %Z}".rstrip()
    except ValueError:
        return iso


def _how_far(notebook: Any) -> Markup:
    """A banner when the notebook was not executed to its end, else nothing."""
    code = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]
    ran = sum(cell.execution_count is not None for cell in code)
    failed = any(output.output_type == "error" for cell in code for output in cell.outputs)
    if ran == len(code):
        return Markup("")
    text = f"{ran} of {len(code)} code cells ran. What is above the stop is kept, what is below was not computed."
    return _note(
        "This notebook stopped at a failing cell" if failed else "This notebook was not run to its end", text, "fail"
    )


def _is_papermills(cell: Any) -> bool:
    """Whether papermill added the cell to announce an error; our own banner says it better."""
    return "papermill-error-cell-tag" in cell.metadata.get("tags", [])


def _prepare_outputs(cells: Sequence[Any]) -> None:
    """Keep one representation per output, give pictures words, and cut what only scrolls by."""
    heading = "this notebook"
    for cell in cells:
        if cell.cell_type == "markdown":
            heading = ([heading, *re.findall(r"^#{1,6} +(.+)$", cell.source, re.MULTILINE)])[-1]
            continue
        if cell.cell_type != "code":
            continue
        for output in cell.outputs:
            if output.output_type == "stream":
                output.text = _settled(output.text)
            elif "data" in output:
                words = output.metadata.get("alt") or output.data.get("text/plain") or ""
                output.alt = words if words and not words.startswith("<") else f"Picture in “{heading}”"
                live = any(kind.startswith("application/vnd.jupyter.widget") for kind in output.data)
                best = [] if live else [kind for kind in SHOWN if kind in output.data][:1]
                output.data = {kind: output.data[kind] for kind in best}
                if best == ["text/plain"]:
                    output.data["text/plain"] = _settled(output.data["text/plain"])
        cell.outputs = [output for output in cell.outputs if output.get("data") != {} and output.get("text") != ""]
        cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]


def _settled(text: str) -> str:
    """Text as a terminal shows it in the end: progress bars overwrote themselves. Very long text is cut."""
    lines = "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))
    return lines if len(lines) <= LONGEST_TEXT else lines[:LONGEST_TEXT] + "\n… the rest is in the notebook"


def _exists_in(run_dir: Path) -> Callable[[object], bool]:
    """Whether a link of the verdict leads to something inside the run."""
    root = run_dir.resolve()

    def exists(path: object) -> bool:
        if not isinstance(path, str) or not path.partition("#")[0]:
            return False
        try:
            target = (root / path.partition("#")[0]).resolve()
            return target.is_relative_to(root) and target.exists()
        except (OSError, ValueError):
            return False

    return exists


def _environment(exists: Callable[[object], bool] = bool) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    environment.filters.update(
        href=href, measure=measure, status=status, duration=duration, exists=exists, marked=marked
    )
    environment.tests["exists"] = exists
    return environment


def _css() -> Markup:
    return Markup("\n".join((HERE / name).read_text(encoding="utf-8") for name in ("page.css", "report.css")))


def _write(path: Path, page: str) -> Path:
    # Lone surrogates may come with hostile or broken data; no encoder takes them.
    return files.write_bytes(path, page.encode("utf-8", "replace"))
