"""A real browser, and made-up runs to look at with it."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from lab2live.reporting import display, plots
from lab2live.reporting import html as page

# Every one of these would set window.hacked, load something, or break out of its element if it were not defused.
HOSTILE = (
    "<script>window.hacked=1</script>",
    "<img src=x onerror='window.hacked=1'>",
    '"><svg onload=window.hacked=1>',
    "javascript:window.hacked=1",
    "</style></title></textarea><script>window.hacked=1</script>",
    "<iframe src='http://hacked.invalid/'></iframe>",
    "{{ 7*7 }} ${window.hacked=1} ‮evil",
)


@dataclass
class Visit:
    """An open page and what went wrong while it was opened."""

    page: Any
    console: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


@pytest.fixture
def visit(chromium: Any) -> Iterator[Any]:
    """Opens a file at a width, in a colour scheme, and records console messages and requests to anything but files."""
    contexts = []

    def open_page(path: Path, width: int = 1600, scheme: str = "light") -> Visit:
        context = chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        contexts.append(context)
        seen = Visit(context.new_page())
        seen.page.on("console", lambda message: seen.console.append(message.text))
        seen.page.on("pageerror", lambda error: seen.console.append(str(error)))
        seen.page.on("request", lambda request: seen.requests.append(request.url))
        seen.page.goto(path.as_uri(), wait_until="load")
        return seen

    yield open_page
    for context in contexts:
        context.close()


def gate(status: str, requirement: str, question: str, message: str, **more: Any) -> dict[str, Any]:
    fields = {"id": f"eda.{requirement}", "stage": "eda", "must_pass": False, "value": None, "threshold": None}
    fields |= {"status": status, "requirement": requirement, "question": question, "message": message}
    return fields | more


GATES = {
    "pass": gate("pass", "L4a", "Are the critical attributes filled in?", "At most 0.2 % are missing, in tariff.",
                 must_pass=True, value=0.002, threshold=0.01),
    "more": gate("pass", "P1", "Does the model beat the constant and today's business rule?",
                 "The linear model scores 0.784, the rule 0.612.", must_pass=True, value=0.999, threshold=0.975),
    "warn": gate("warn", "L4d", "Do the keys of the silos find each other?",
                 "3.1 % of the rows of support belong to no customer in crm.", value=0.031, threshold=0.01),
    "fail": gate("fail", "P1", "Is the score reached that the business needs?",
                 "ROC AUC 0.712 on the test part; the charter asks for 0.750.", must_pass=True, value=-0.038,
                 threshold=0.0),
    "skip": gate("skip", "B2", "Is it clear how the investment returns, and how that is measured?",
                 "The charter leaves business.return_on_investment open."),
}  # fmt: skip
TITLES = {"eda": "Data", "poc": "Proof of concept", "explainability": "Explanations", "handoff": "Handoff"}


def stages(run: Path, stop_at: str = "") -> list[dict[str, Any]]:
    """The stages of a run, up to the one that failed, with their files."""
    found, stopped = [], False
    for number, (name, title) in enumerate(TITLES.items(), start=1):
        stage: dict[str, Any] = {"stage": name, "title": title, "status": "done", "seconds": 4.2 * number**2}
        stage |= {"notebook": f"0{number}_{name}.ipynb", "html": f"0{number}_{name}.html", "error": None}
        stage |= {"figures": [], "artefacts": []}
        if stopped:
            stage |= {"status": "not run", "seconds": None, "notebook": None, "html": None}
        elif name == stop_at:
            error = {
                "cell": 7,
                "cell_id": f"{name}-07",
                "name": "ValueError",
                "message": "could not convert 'n/a' to float",
            }
            stage |= {"status": "failed", "error": {**error, "source": "ladder = compare(frame)\nladder"}}
            stopped = True
        else:
            stage["figures"] = figures(run, name)
        if name == "eda":
            profile = run / "artefacts" / "profile report.html"
            profile.write_text("<!DOCTYPE html><title>profile</title>", encoding="utf-8")
            stage["artefacts"] = [{"path": "artefacts/profile report.html", "title": "Profile report"}]
        if stage["notebook"]:
            nbformat.write(notebook(broken=name == stop_at), run / stage["notebook"])
            page.export_notebook(run / stage["notebook"], run / stage["html"], title)
        found.append(stage)
    return found


def figures(run: Path, name: str) -> list[dict[str, str]]:
    """The pictures of a stage, drawn with our own charts."""
    drawn = {
        "eda": {
            "missing": plots.bars(
                ["tariff", "monthly_charge", "contract"], [0.23, 0.051, 0.002], "Tariff is missing for a quarter",
                "share of rows", limit=0.1, limit_label="fails above", percent=True
            ),
            "orphans": plots.bars(["support", "billing"], [310, 12], "310 tickets belong to nobody", "rows"),
        },
        "poc": {
            "ladder": plots.intervals(
                ["constant", "business rule", "linear", "boosting"], [0.5, 0.612, 0.784, 0.781],
                [0.49, 0.58, 0.76, 0.757], [0.51, 0.644, 0.808, 0.805], "Linear is enough", "ROC AUC, 5 folds",
                chosen="linear", reference=0.83, reference_label="Bayes limit"
            )
        },
        "explainability": {
            "reasons": plots.contributions(
                ["contract = monthly", "tickets_90d = 4", "tenure = 31"], [0.9, 0.45, -0.3], -1.2, -0.1,
                "A monthly contract raises the risk most", "log-odds of churn"
            )
        },
    }  # fmt: skip
    found = []
    for key, figure in drawn.get(name, {}).items():
        path = run / "artefacts" / "figures" / f"{name}-{key}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(plots.png(figure))
        found.append({"path": path.relative_to(run).as_posix(), "title": key.title(), "alt": plots.alt(figure)})
    return found


def notebook(broken: bool = False, hostile: bool = False) -> Any:
    """An executed copy as papermill leaves it."""
    rows = [{"source": "crm", "rows": 20190, "missing": 0.0123}, {"source": "billing", "rows": 40380, "missing": None}]
    picture = plots.show(plots.bars(["a", "b"], [3, 4], "Two bars", "rows"))
    bundle, metadata = picture._repr_mimebundle_()
    pieces = [
        display.style(), display.banner("Demo", "These numbers are about the simulated demo.", "demo"),
        display.table(rows, "Rows per source"), display.gate(GATES["warn"]), display.gates(GATES.values()),
        display.say("Every row of billing finds its customer."),
    ]  # fmt: skip
    if hostile:
        frame = [{text: text for text in HOSTILE}]
        pieces += [display.table(frame, HOSTILE[0]), *(display.banner(text, text) for text in HOSTILE)]
        pieces += [display.gate({**GATES["fail"], "message": text, "question": text}) for text in HOSTILE]
    cells = [
        new_markdown_cell("# Data\n\nAnswers **L4a**, L4d. Reads `project.yaml`, costs $5 or $6."),
        new_code_cell("seed: int = 0", execution_count=1, metadata={"tags": ["parameters"]}),
        new_markdown_cell("## What is there?\n\n| column | meaning |\n|---|---|\n| `id` | the customer |"),
    ]
    for count, piece in enumerate(pieces, start=2):
        output = new_output("display_data", {"text/html": piece.html, "text/plain": piece.text})
        cells.append(new_code_cell("evidence()", execution_count=count, outputs=[output]))
    noise = [
        new_output("stream", name="stderr", text="FutureWarning: noise"),
        new_output("stream", name="stdout", text="10 %\r50 %\r100 % read\n"),
        new_output("display_data", {"application/vnd.jupyter.widget-view+json": {}, "text/plain": "HBox()"}),
    ]
    cells.append(new_code_cell("read()", execution_count=20, outputs=noise))
    cells.append(
        new_code_cell("show()", execution_count=21, outputs=[new_output("display_data", bundle, metadata=metadata)])
    )
    cells.append(
        new_code_cell("wide", execution_count=22, outputs=[new_output("execute_result", {"text/html": wide()})])
    )
    if hostile:
        for text in HOSTILE:
            drawing = f"<svg xmlns='http://www.w3.org/2000/svg'>{text}</svg>"
            outputs = [
                new_output("display_data", {"text/html": text}),
                new_output("display_data", {"text/markdown": text}),
                new_output("display_data", {"application/javascript": "window.hacked=1"}),
                new_output("display_data", {"image/svg+xml": drawing}),
                new_output("display_data", {"image/png": f'"{text}'}, metadata={"alt": text}),
                new_output("stream", name="stdout", text=text),
                new_output("error", ename=text, evalue=text, traceback=[text]),
            ]
            cells += [new_markdown_cell(f"{text}\n\n[click]({text}) ![{text}](http://hacked.invalid/x.png)"),
                      new_code_cell(text, execution_count=30, outputs=outputs)]  # fmt: skip
        cells.append(new_markdown_cell("<a href='java\tscript:window.hacked=1'>x</a><a href='data:text/html,x'>y</a>"))
        cells.append(
            new_markdown_cell("<form action='http://hacked.invalid'><button>b</button></form><base href='//x.y'>")
        )
    if broken:
        error = new_output("error", ename="ValueError", evalue="could not convert 'n/a' to float",
                           traceback=["\x1b[31mValueError\x1b[39m: could not convert 'n/a' to float"])  # fmt: skip
        cells.append(new_markdown_cell("papermill's notice", metadata={"tags": ["papermill-error-cell-tag"]}))
        cells.append(new_code_cell("ladder", execution_count=40, outputs=[error]))
        cells += [new_markdown_cell("## Never reached"), new_code_cell("later()")]
    return new_notebook(cells=cells)


def wide() -> str:
    """A table of pandas, far wider than a phone."""
    import pandas as pd

    return str(pd.DataFrame({f"a long column name {i}": [i, i + 1] for i in range(30)})._repr_html_())


RUNS: dict[str, dict[str, Any]] = {
    "go": {"gates": ["pass", "more"], "reasons": ["Every gate that matters has passed."]},
    "conditional": {
        "gates": ["pass", "warn", "skip", "more"],
        "reasons": ["Do the keys of the silos find each other? 3.1 % of the rows of support belong to no customer."],
        "demo": True,
        "smoke": True,
        "stand_ins": ["billing"],
    },
    "no-go": {
        "gates": list(GATES),
        "reasons": ["Is the score reached that the business needs? ROC AUC 0.712, not 0.750."],
    },
    "broken": {"gates": ["pass", "skip"], "reasons": ["The stage did not finish."], "stop_at": "poc"},
}


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of a made-up run by its kind, written when first asked for. Tests that change one copy it."""

    @functools.cache
    def folder(kind: str) -> Path:
        return make_run(tmp_path_factory.mktemp("runs") / f"runs of {kind} & co", kind, **RUNS[kind])

    return folder


def make_run(
    folder: Path, kind: str, gates: Sequence[str], reasons: Sequence[str], stop_at: str = "", **run: Any
) -> Path:
    """Write a run folder with its pages."""
    (folder / "artefacts").mkdir(parents=True)
    facts: dict[str, Any] = {"id": "20261123-160410", "project": "Churn at Telco", "seed": 0, "seconds": 126.3}
    facts |= {"question": "Which customers should the retention team call this month?", "smoke": False}
    facts |= {"started": "2026-11-23T16:04:10+00:00", "finished": "2026-11-23T16:06:16+00:00", "demo": False}
    facts |= {"stand_ins": [], "versions": {"python": "3.11.2", "scikit-learn": "1.9.1"}}
    facts |= {"stages": stages(folder, stop_at)}
    decision = "no-go" if kind == "broken" else kind
    verdict = {"decision": decision, "reasons": reasons, "gates": [GATES[g] for g in gates], "run": facts | run}
    (folder / "verdict.json").write_text(json.dumps(verdict), encoding="utf-8")
    page.write_index(folder)
    return folder
