"""`lab2live ...`: thin commands over the rooms. Exit codes: 0 go or conditional, 1 error, 2 no-go."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from lab2live.charter import loading as charters
from lab2live.charter import review
from lab2live.charter.schema import PUBLIC_SCHEME, Charter
from lab2live.charter.yaml import read_yaml, write_yaml
from lab2live.errors import UserError
from lab2live.pipeline import decision
from lab2live.reporting.formatting import SYMBOLS, gate_view, is_broken, short

app = typer.Typer(
    help="Carry a machine-learning project from the lab to live.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
console = Console(highlight=False, soft_wrap=True)
errors = Console(stderr=True, highlight=False, soft_wrap=True)

# What typer raises for a command line it does not understand: it brings a click of its own and publishes only an heir.
USAGE_ERROR: Any = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException")
LOOPBACK = "127.0.0.1"
STYLES = {"pass": "green", "warn": "yellow", "fail": "bold red", "skip": "dim"}
LOOKS = {"go": "bold green", "conditional": "bold yellow", "no-go": "bold red"}

ProjectOption = Annotated[
    str | None, typer.Option("--project", help="The project's folder, or `demo`.", metavar="DIR", show_default=False)
]


@app.command()
def charter(
    columns: Annotated[
        bool, typer.Option("--columns", help="Print what the columns of the sources are, to paste into project.yaml.")
    ] = False,
    project: ProjectOption = None,
) -> None:
    """Should you start? Open questions, feasibility, priority, and lessons of other projects."""
    from lab2live.poc import feasibility

    found = charters.find(project)
    if columns:
        return print_columns(found)
    if found.simulate.faults or found.stand_ins:
        from lab2live.synthesis import plan

        plan.check(found)
    console.print(f"[bold]{escape(found.project.name)}[/]  {escape(found.project.description)}")
    console.print(f"The charter is valid: {escape(str(found.file))}\n")
    asked = [(question.requirement, question.text, question.field) for question in review.unanswered(found)]
    if asked:
        print_table(f"Open questions ({len(asked)})", ("id", "question", "answer it in"), asked)
    else:
        console.print("Every question of the charter is answered.")
    for number, text in enumerate(review.payoffs(found)):
        console.print(("" if number else "\n[bold]Payoffs[/], to be confirmed\n") + f"  {escape(text)}")
    console.print("\n[bold]Feasibility[/]")
    for line in review.feasibility(found):
        console.print(f"  {SYMBOLS[line.status]} {escape(line.text)}", style=STYLES[line.status])
    steps, sentence = feasibility.priority(found, feasibility.lines(found, None), None)
    console.print("\n[bold]Priority[/]")
    for step in steps.to_dict("records"):
        console.print("  " + escape(", ".join(f"{name} {short(cell)}" for name, cell in step.items())))
    console.print(f"  {escape(sentence)}")
    if lessons := review.lessons(found):
        console.print("\n[bold]Lessons of other projects[/]")
        for text in lessons:
            console.print(f"  - {escape(text)}")


def print_columns(found: Charter) -> None:
    """Print what the data say about the columns of the sources, as YAML; exit code 1 if a source cannot be read."""
    from lab2live.data.sources import schema_inference, tables

    readings = tables.read_all(found)
    typer.echo(write_yaml({"sources": schema_inference.describe(found, readings)}, leaves_in_line=True))
    unread = [reading for reading in readings if reading.table is None]
    for reading in unread:
        errors.print(f"Not described: {escape(reading.source.name)}, {escape(reading.problem)}", style="yellow")
    if unread:
        raise typer.Exit(1)


@app.command()
def init(project: ProjectOption = None) -> None:
    """Look at the table once, and fill in what depends on its columns, where nobody has edited it."""
    from lab2live.eda.starter import first_look

    written = first_look.fill(charters.find(project).folder)
    console.print(f"Filled in: {escape(', '.join(written))}" if written else "There is nothing to fill in.")


@app.command()
def run(
    project: ProjectOption = None,
    stage: Annotated[str | None, typer.Option(help="One stage alone: eda, poc, ..., or a notebook of yours.")] = None,
    smoke: Annotated[bool, typer.Option("--smoke", help="Small samples and few repetitions, for CI.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Execute also what is up to date.")] = False,
    keep_going: Annotated[bool, typer.Option("--keep-going", help="Do not stop at a failed must-pass gate.")] = False,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="A notebook's parameter.", metavar="STAGE.PARAM=VALUE")
    ] = None,
    run_dir: Annotated[
        Path | None, typer.Option(help="The run's own folder.", metavar="DIR", show_default=False)
    ] = None,
) -> None:
    """Execute the journey, or one stage of it, and print the verdict."""
    from lab2live.cli.progress import ConsoleProgress
    from lab2live.pipeline import runner

    found = charters.find(project)
    if not Path.cwd().resolve().is_relative_to(found.folder):
        console.print(f"Project: {escape(found.project.name)}, in {escape(str(found.folder))}")
    with ConsoleProgress(errors) as progress:
        folder = runner.run(
            found,
            only=stage,
            run_dir=run_dir,
            smoke=smoke,
            force=force,
            keep_going=keep_going,
            overrides=parse_settings(settings or []),
            progress=progress,
        )
    content = decision.read(folder)
    show(content)
    console.print(f"\nOpen this page:  {escape(str(folder / 'index.html'))}")
    if _has_come_to_its_bundle(content):
        console.print(f"Ask the model:   {escape(typed())} ask {escape(shlex.quote(str(folder)))}")
    raise typer.Exit(decision.exit_code(content))


def typed() -> str:
    """Say how this command was called, so that what is proposed can be typed in the same way."""
    called = Path(sys.argv[0])
    if called.stem != "lab2live":
        return "python -m lab2live"
    if shutil.which("lab2live") == str(called.absolute()):
        return "lab2live"
    inside = called.is_absolute() and called.is_relative_to(Path.cwd())
    return shlex.quote(str(called.relative_to(Path.cwd()) if inside else called))


@app.command(name="verdict")
def show_verdict(
    run: Annotated[Path | None, typer.Argument(help="A run's folder; the newest by default.", metavar="[RUN]")] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="As Markdown, for the summary of a CI job.")] = False,
    project: ProjectOption = None,
) -> None:
    """Print the gates and the decision of a run."""
    from lab2live.reporting import markdown as summary

    content = decision.read(_run(run, project))
    if markdown:
        typer.echo(summary.markdown(content), nl=False)
    else:
        show(content)
    raise typer.Exit(decision.exit_code(content))


@app.command()
def compare(
    runs: Annotated[
        list[Path], typer.Argument(help="Folders of runs: the others are held against the first.", metavar="RUN...")
    ],
    out: Annotated[Path, typer.Option(help="The page.", metavar="FILE", dir_okay=False)] = Path("compare.html"),
) -> None:
    """Put runs side by side: what changed in data, code, parameters and versions, and what came of it."""
    from lab2live.portfolio import compare as comparing
    from lab2live.reporting import display, html

    if len(runs) < 2:
        raise UserError("It takes two runs to compare.", found=", ".join(map(str, runs)), fix="name another one")
    tables = comparing.compare(comparing.read(runs))
    for title, rows in tables.items():
        if rows:
            print_table(title, list(rows[0]), [list(row.values()) for row in rows])
        else:
            console.print(f"{title}: nothing")
    pieces = [display.style(), *(display.table(rows, caption=title) for title, rows in tables.items())]
    console.print(f"Open this page:  {escape(str(html.write_page(out, 'Runs side by side', pieces)))}")


@app.command(name="sign-off")
def sign_off(
    run: Annotated[Path | None, typer.Argument(help="A run's folder; the newest by default.", metavar="[RUN]")] = None,
    project: ProjectOption = None,
) -> None:
    """Check that what is signed is still what lies in a run; exit code 1 names what has changed."""
    from lab2live.handoff.people import sign_off as signing

    folder = _run(run, project)
    console.print(escape(signing.check(folder)))
    console.print(f"Print and sign it:  {escape(str(folder / signing.PAGE))}")


@app.command()
def record(project: ProjectOption = None) -> None:
    """Renew the stored reference outputs that nbval compares."""
    from lab2live.cli.progress import ConsoleProgress
    from lab2live.pipeline import snapshots

    with ConsoleProgress(errors) as progress:
        for path in snapshots.record(charters.find(project), progress):
            console.print(f"recorded {escape(str(path))}")
    console.print("Look at what is new or different before you commit it: git status, git diff")


@app.command()
def simulate(
    spec: Annotated[
        str | None, typer.Argument(help="A project.yaml or its folder, or public://NAME.", metavar="SPEC")
    ] = None,
    out: Annotated[Path | None, typer.Argument(help="A new or empty folder.", metavar="OUT")] = None,
    rows: Annotated[int | None, typer.Option(min=1, help="Rows of the base source.", show_default=False)] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Of every draw; 0 if not said.", show_default=False)] = None,
    sample: Annotated[
        Path | None, typer.Option(help="A folder with some real rows per source, to learn from.", metavar="DIR")
    ] = None,
    catalogue: Annotated[bool, typer.Option("--list", help="List the public data there are, by domain.")] = False,
) -> None:
    """Write stand-in data: simulated from a charter, learnt from a sample, or public."""
    from lab2live.synthesis import public
    from lab2live.synthesis import simulate as simulating

    if catalogue:
        columns = ("name", "domain", "one row is", "predict", "rows", "network")
        known = sorted(public.TABLES, key=lambda each: each.domain)
        rows_of = [(a.name, a.domain, a.what, a.target, f"{a.rows:,}", "no" if a.offline else "yes") for a in known]
        return print_table("Public data: lab2live simulate public://NAME OUT", columns, rows_of)
    if spec is None or out is None:
        raise UserError("It has to be said what to simulate, and where to.", fix="lab2live simulate SPEC OUT")

    def say(text: str) -> None:
        console.print(escape(text))

    if spec.startswith(PUBLIC_SCHEME):
        simulating.write_public(spec, out, say)
    else:
        simulating.write(Path(spec), out, rows, seed, sample, say)


BundleArgument = Annotated[
    Path | None,
    typer.Argument(
        help="A bundle: its folder, bundle.zip, or a run's folder; the newest run by default.", metavar="[BUNDLE]"
    ),
]
ThisBundle = Annotated[
    Path, typer.Argument(help="A bundle: its folder, bundle.zip, or a run's folder.", metavar="BUNDLE")
]
PortOption = Annotated[int, typer.Option(min=0, max=65535, help="0 takes any free one.")]


@app.command()
def ask(bundle: BundleArgument = None, port: PortOption = 0, project: ProjectOption = None) -> None:
    """Open the page on which people ask the model: what it says, why, how sure, and what would flip it."""
    from lab2live.serving import listening

    listening.serve(_bundle(bundle, project), LOOPBACK, port, _started, whole=True)


@app.command()
def serve(
    bundle: BundleArgument = None,
    port: PortOption = 8000,
    host: Annotated[str, typer.Option(help="Where to listen; only this machine by default.")] = LOOPBACK,
    state: Annotated[
        Path | None,
        typer.Option(help="Where cases are kept that a person has to decide.", metavar="DIR", show_default=False),
    ] = None,
    rate: Annotated[
        float | None, typer.Option(min=0.1, help="Requests per second that one address may send.", show_default=False)
    ] = None,
    drill: Annotated[
        bool, typer.Option("--drill", help="Let POST /drill make the model fail or hang; never for real cases.")
    ] = False,
    project: ProjectOption = None,
) -> None:
    """Serve a bundle: the pages for people, and its answers for programs. LAB2LIVE_API_KEY sets a key."""
    from lab2live.serving import listening

    listening.serve(_bundle(bundle, project), host, port, _started, state=state, rate=rate, logged=True, drilled=drill)


@app.command()
def score(
    bundle: ThisBundle,
    source: Annotated[str, typer.Argument(help="A file, folder, URL or database.", metavar="INPUT")],
    target: Annotated[Path, typer.Argument(help="CSV or Parquet.", metavar="OUTPUT")],
) -> None:
    """Answer about every case of a file; given again after a stop, it goes on where it was."""
    from lab2live.handoff import batch

    bar = Progress(TextColumn("{task.completed:,} cases"), TimeElapsedColumn(), console=errors)
    task = bar.add_task("score", total=None)
    with ExitStack() as shown:

        def told(rows: int) -> None:
            if not bar.live.is_started:  # with the first cases: an error before them stands alone
                shown.enter_context(bar)
            bar.update(task, completed=rows)

        done = batch.score(_bundle(bundle, None), source, target, told)
    if done.kept:
        console.print(f"{done.kept} pieces of an earlier run were kept.")
    console.print(escape(done.sentence))
    console.print(f"Written: {escape(str(target))}")


@app.command()
def mlflow(
    bundle: ThisBundle,
    target: Annotated[Path, typer.Argument(help="A new or empty folder.", metavar="OUT")],
) -> None:
    """Write a bundle as a model that MLflow can load and serve."""
    from lab2live.handoff.deploying import mlflow_model

    mlflow_model.write(_bundle(bundle, None), target)
    console.print(f"Written: {escape(str(target))}")
    console.print(f"Serve it:  mlflow models serve -m {escape(shlex.quote(str(target)))} --env-manager local")


def _run(folder: Path | None, project: str | None) -> Path:
    """Find a run: the folder that is named, which may be `runs/latest`, or the newest run of the project."""
    from lab2live.pipeline import store

    found = store.followed(folder) if folder else store.newest_in(charters.find(project).folder)
    if found is None:
        raise UserError("There is no run yet.", fix="start one: lab2live run")
    return found


def _bundle(folder: Path | None, project: str | None) -> Path:
    """Find a bundle: the folder itself, the one file it may come in, that of a run, or that of the newest run."""
    found = _run(folder, project)
    if not found.exists():
        expected, fix = "the folder of a bundle or of a run, or bundle.zip", "check the path; `lab2live run` makes one"
        raise UserError("There is no such bundle.", where=found, expected=expected, fix=fix)
    inside = found / "artefacts" / "bundle"
    if folder is None and not inside.is_dir():
        fix = "let it come to its last stage: lab2live run --keep-going"
        raise UserError("The newest run has no bundle.", where=found, expected=inside, fix=fix)
    if (found / decision.FILE).is_file() and inside.is_dir() and not _has_come_to_its_bundle(decision.read(found)):
        problem = "The bundle in this run holds an earlier model: the run has not come to its handoff since."
        raise UserError(problem, where=inside, fix="let it come to its last stage: lab2live run")
    return _unpacked(found) if found.is_file() else inside if inside.is_dir() else found


def _has_come_to_its_bundle(content: Mapping[str, Any]) -> bool:
    return any(each["stage"] == "handoff" and each["status"] in ("done", "kept") for each in content["run"]["stages"])


def _unpacked(file: Path) -> Path:
    """Unpack a bundle for as long as this process runs; a reload reads the folder, not the file."""
    import atexit
    import tempfile

    from lab2live.handoff.deploying import archive

    folder = Path(tempfile.mkdtemp(prefix="lab2live-bundle-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return archive.unpack(file, folder)


def _started(address: str) -> None:
    console.print(f"Open this page:  {escape(address)}")
    console.print("Stop it with Ctrl-C.")


def print_table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[str]], styles: Sequence[str] | None = None
) -> None:
    """Print a table whose cells come from data: nothing in them is markup."""
    table = Table(title=escape(title), title_justify="left")
    for number, column in enumerate(columns):
        table.add_column(escape(column), overflow="fold", no_wrap=number == 0)
    for number, row in enumerate(rows):
        table.add_row(*map(escape, row), style=styles[number] if styles else None)
    console.print(table)


@contextmanager
def notebook_bar(name: str) -> Iterator[Callable[[int, int], None]]:
    """Show how far a notebook beside the journey has come."""
    with Progress(TextColumn(name), BarColumn(30), TimeElapsedColumn(), console=errors) as bar:
        task = bar.add_task(name, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def show(content: Mapping[str, Any]) -> None:
    """Print a verdict: the gates, then what broke, then the decision with its reasons."""
    views = [gate_view(gate) for gate in content["gates"]]
    rows = [(f"{a.symbol} {a.status}", a.id + "*" * a.must_pass, a.requirement, a.measured, a.message) for a in views]
    columns = ("", "gate", "req.", "measured", "what was found")
    print_table("Gates (* must pass)", columns, rows, [STYLES[view.status] for view in views])
    for record in content["run"]["stages"]:
        if error := record["error"]:
            where = "" if error["cell"] is None else f" in cell {error['cell']} ({error['cell_id']})"
            console.print(f"\n[bold red]{record['title']} broke[/]{escape(where)}: {escape(error['name'])}")
            console.print(escape(error["message"]), style="red")
            console.print("Everything computed before is kept; mend it and run again to continue.")
    so_far = " so far, as an error stopped the run" if is_broken(content) else ""
    console.print(f"\nDecision{so_far}: [{LOOKS[content['decision']]}]{content['decision'].upper()}[/]")
    for reason in content["reasons"]:
        console.print(f"  - {escape(reason)}")


def parse_settings(settings: list[str]) -> dict[str, dict[str, Any]]:
    """Read `stage.param=value`; the value is YAML, so that 5, 0.1, true and null are what they look like."""
    found: dict[str, dict[str, Any]] = {}
    for text in settings:
        name, equals, value = text.partition("=")
        stage, dot, parameter = name.strip().partition(".")
        if not (equals and dot and parameter):
            raise UserError("A setting cannot be read.", where="--set", found=text, expected="stage.param=value")
        try:
            found.setdefault(stage, {})[parameter] = read_yaml(value)
        except UserError:
            found.setdefault(stage, {})[parameter] = value
    return found


@app.command()
def portfolio(
    projects: Annotated[list[Path], typer.Argument(help="Folders of projects, or of single runs.", metavar="DIR...")],
    out: Annotated[Path, typer.Option(help="Where the page and portfolio.json go.", metavar="DIR")] = Path("portfolio"),
) -> None:
    """Put projects side by side: where each stands, what they may bring together, what the stopped ones teach."""
    from lab2live.portfolio import running

    with notebook_bar("portfolio") as on_cell:
        content = running.run(projects, out, on_cell)
    columns = ("project", "verdict", "stage", "left after all costs (90 %)", "chance of a gain", "priority")
    rows = [[row[column] or "–" for column in columns] for row in content["overview"]]
    print_table("Projects, the first in rank on top", columns, rows)
    for text in content["sentences"]:
        console.print(escape(text))
    console.print(f"\nOpen this page:  {escape(str(out / running.PAGE))}")


@app.command()
def monitor(
    bundle: ThisBundle,
    batch: Annotated[Path, typer.Argument(help="CSV or Parquet with new cases.", metavar="BATCH")],
    out: Annotated[Path, typer.Option(help="Where the page and monitoring.json go.", metavar="DIR")] = Path(
        "monitoring"
    ),
    metrics: Annotated[
        str | None,
        typer.Option(help="What /metrics of a service gave, or its address here.", metavar="FILE_OR_URL"),
    ] = None,
    project: ProjectOption = None,
) -> None:
    """Hold new cases against what the model was tested on; exit code 2 when somebody has to look now."""
    from lab2live.monitoring import running

    home = None if project is None else charters.find(project).folder
    with notebook_bar("monitor") as on_cell:
        content = running.run(_bundle(bundle, None), batch, out, metrics, home, on_cell)
    statuses = [{"ok": "pass", "ticket": "warn", "page": "fail"}.get(a["status"], "skip") for a in content["alerts"]]
    rows = [
        (f"{SYMBOLS[status]} {alert['status']}", alert["id"], alert["message"])
        for status, alert in zip(statuses, content["alerts"], strict=True)
    ]
    print_table("Alerts", ("", "alert", "what was found"), rows, [STYLES[status] for status in statuses])
    console.print(escape(content["advice"]["text"]))
    console.print(f"\nOpen this page:  {escape(str(out / running.PAGE))}")
    raise typer.Exit(2 if content["status"] == "page" else 0)


def main() -> int:
    """Run the command line and give its exit code; a message for people instead of a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a Windows console may not know every character
    try:
        result = typer.main.get_command(app).main(prog_name="lab2live", standalone_mode=False)
        if result == 130:  # what typer makes of Ctrl-C
            raise KeyboardInterrupt
        return result if isinstance(result, int) else 0
    except UserError as error:
        errors.print(f"[bold red]Error:[/] {escape(str(error))}")
    except USAGE_ERROR as error:
        error.show()
    except (typer.Abort, KeyboardInterrupt):
        errors.print("Stopped. What was finished is kept; run again to continue.")
    return 1
