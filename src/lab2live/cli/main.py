"""`lab2live ...`: thin commands over the rooms. Exit codes: 0 go or conditional, 1 error, 2 no-go."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from lab2live.charter import loading as charters
from lab2live.charter import review
from lab2live.charter.gates import STAGES
from lab2live.charter.schema import PUBLIC_SCHEME, Charter
from lab2live.charter.yaml import read_yaml, write_yaml
from lab2live.errors import UserError
from lab2live.pipeline import decision
from lab2live.reporting.formatting import SYMBOLS, gate_view

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
# What typer makes of Ctrl-C.
INTERRUPTED = 130
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
    found = charters.find(project)
    if columns:
        return print_columns(found)
    if found.simulate.faults or found.stand_ins:
        from lab2live.synthesis import plan

        plan.check(found)
    console.print(f"[bold]{escape(found.project.name)}[/]  {escape(found.project.description)}")
    console.print(f"The charter is valid: {escape(str(found.file))}\n")
    open_ones = review.unanswered(found)
    table = Table(title=f"Open questions ({len(open_ones)})", title_justify="left", expand=False)
    for column in ("id", "question", "answer it in"):
        table.add_column(column, overflow="fold")
    for question in open_ones:
        table.add_row(question.requirement, escape(question.text), escape(question.field))
    console.print(table if open_ones else "Every question of the charter is answered.")
    for number, text in enumerate(review.payoffs(found)):
        console.print(("" if number else "\n[bold]Payoffs[/], to be confirmed\n") + f"  {escape(text)}")
    console.print("\n[bold]Feasibility[/]")
    for line in review.feasibility(found):
        console.print(f"  {SYMBOLS[line.status]} {escape(line.text)}", style=STYLES[line.status])
    console.print("\n[bold]Priority[/]")
    for text in review.priority(found):
        console.print(f"  {escape(text)}")
    lessons = review.lessons(found)
    if lessons:
        console.print("\n[bold]Lessons of other projects[/]")
        for text in lessons:
            console.print(f"  - {escape(text)}")


def print_columns(found: Charter) -> None:
    """Print what the data say about the columns of the sources, as YAML; exit code 1 if a source cannot be read."""
    from lab2live.data.sources import schema_inference, tables

    readings = tables.read_all(found)
    described = {"sources": schema_inference.describe(found, readings)}
    typer.echo(write_yaml(described, leaves_in_line=True))
    unread = [reading for reading in readings if reading.table is None]
    for reading in unread:
        errors.print(f"Not described: {escape(reading.source.name)}, {escape(reading.problem)}", style="yellow")
    if unread:
        raise typer.Exit(1)


@app.command()
def run(
    project: ProjectOption = None,
    stage: Annotated[
        str | None, typer.Option(help="Execute this stage alone: eda, poc, explainability or handoff.")
    ] = None,
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
    if stage is not None and stage not in STAGES:
        raise UserError("There is no such stage.", where="--stage", found=stage, expected=", ".join(STAGES))
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
    if (folder / "artefacts" / "bundle").is_dir():
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
    from lab2live.pipeline import store
    from lab2live.reporting import markdown as summary

    folder = run or store.newest_in(charters.find(project).folder)
    if folder is None:
        raise UserError("There is no run yet.", fix="start one: lab2live run")
    content = decision.read(folder)
    if markdown:
        typer.echo(summary.markdown(content), nl=False)
    else:
        show(content)
    raise typer.Exit(decision.exit_code(content))


@app.command(name="sign-off")
def sign_off(
    run: Annotated[Path | None, typer.Argument(help="A run's folder; the newest by default.", metavar="[RUN]")] = None,
    project: ProjectOption = None,
) -> None:
    """Check that what is signed is still what lies in a run; exit code 1 names what has changed."""
    from lab2live.handoff.people import sign_off as signing
    from lab2live.pipeline import store
    from lab2live.pipeline.store import followed

    folder = followed(run) if run else store.newest_in(charters.find(project).folder)
    if folder is None:
        raise UserError("There is no run yet.", fix="start one: lab2live run")
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
        table = Table(title="Public data: lab2live simulate public://NAME OUT", title_justify="left")
        for column in ("name", "domain", "one row is", "predict", "rows", "network"):
            table.add_column(column, overflow="fold", no_wrap=column == "name")
        for known in sorted(public.TABLES, key=lambda known: known.domain):
            need = "no" if known.offline else "yes"
            table.add_row(known.name, known.domain, known.what, known.target, f"{known.rows:,}", need)
        console.print(table)
        return
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
    bundle: Annotated[
        Path, typer.Argument(help="A bundle: its folder, bundle.zip, or a run's folder.", metavar="BUNDLE")
    ],
    source: Annotated[Path, typer.Argument(help="CSV or Parquet.", metavar="INPUT")],
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
    bundle: Annotated[
        Path, typer.Argument(help="A bundle: its folder, bundle.zip, or a run's folder.", metavar="BUNDLE")
    ],
    target: Annotated[Path, typer.Argument(help="A new or empty folder.", metavar="OUT")],
) -> None:
    """Write a bundle as a model that MLflow can load and serve."""
    from lab2live.handoff.deploying import mlflow_model

    mlflow_model.write(_bundle(bundle, None), target)
    console.print(f"Written: {escape(str(target))}")
    console.print(f"Serve it:  mlflow models serve -m {escape(shlex.quote(str(target)))} --env-manager local")


def _bundle(folder: Path | None, project: str | None) -> Path:
    """Find a bundle: the folder itself, the one file it may come in, that of a run, or that of the newest run."""
    if folder is not None:
        from lab2live.pipeline.store import followed

        folder = followed(folder)
        if not folder.exists():
            raise UserError(
                "There is no such bundle.",
                where=folder,
                found="nothing",
                expected="the folder of a bundle or of a run, or bundle.zip",
                fix="check the path; `lab2live run` makes one",
            )
        inside = folder / "artefacts" / "bundle"
        return _unpacked(folder) if folder.is_file() else inside if inside.is_dir() else folder
    from lab2live.pipeline import store

    run = store.newest_in(charters.find(project).folder)
    if run is None:
        raise UserError("There is no run yet, and so no bundle.", fix="start one: lab2live run")
    inside = run / "artefacts" / "bundle"
    if not inside.is_dir():
        raise UserError(
            "The newest run has no bundle.",
            where=run,
            expected=inside,
            fix="let it come to its last stage: lab2live run --keep-going",
        )
    return inside


def _unpacked(file: Path) -> Path:
    """Unpack a bundle for as long as this process runs; a reload reads the folder, not the file."""
    import atexit
    import shutil
    import tempfile

    from lab2live.handoff.deploying import archive

    folder = Path(tempfile.mkdtemp(prefix="lab2live-bundle-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return archive.unpack(file, folder)


def _started(address: str) -> None:
    console.print(f"Open this page:  {escape(address)}")
    console.print("Stop it with Ctrl-C.")


def show(content: Mapping[str, Any]) -> None:
    """Print a verdict: the gates, then what broke, then the decision with its reasons."""
    table = Table(title="Gates (* must pass)", title_justify="left")
    for column, justify in (
        ("", "left"),
        ("gate", "left"),
        ("req.", "left"),
        ("measured", "right"),
        ("what was found", "left"),
    ):
        table.add_column(column, justify=justify, overflow="fold")  # type: ignore[arg-type]
    for gate in map(gate_view, content["gates"]):
        name = f"{gate.id}{'*' if gate.must_pass else ''}"
        found = (gate.requirement, gate.measured, escape(gate.message))
        table.add_row(f"{gate.symbol} {gate.status}", name, *found, style=STYLES[gate.status])
    console.print(table)
    for record in content["run"]["stages"]:
        error = record["error"]
        if error:
            where = "" if error["cell"] is None else f" in cell {error['cell']} ({error['cell_id']})"
            console.print(f"\n[bold red]{record['title']} broke[/]{escape(where)}: {escape(error['name'])}")
            console.print(escape(error["message"]), style="red")
            console.print("Everything computed before is kept; mend it and run again to continue.")
    so_far = " so far, as an error stopped the run" if decision.is_broken(content) else ""
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

    with Progress(TextColumn("portfolio"), BarColumn(30), TimeElapsedColumn(), console=errors) as bar:
        task = bar.add_task("portfolio", total=None)
        content = running.run(projects, out, lambda done, total: bar.update(task, completed=done, total=total))
    table = Table(title="Projects, the first in rank on top", title_justify="left")
    columns = ("project", "verdict", "stage", "left after all costs (90 %)", "chance of a gain", "priority")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in content["overview"]:
        table.add_row(*(escape(row[column] or "–") for column in columns))
    console.print(table)
    for text in content["sentences"]:
        console.print(escape(text))
    console.print(f"\nOpen this page:  {escape(str(out / running.PAGE))}")


@app.command()
def monitor(
    bundle: Annotated[
        Path, typer.Argument(help="A bundle: its folder, bundle.zip, or a run's folder.", metavar="BUNDLE")
    ],
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
    with Progress(TextColumn("monitor"), BarColumn(30), TimeElapsedColumn(), console=errors) as bar:
        task = bar.add_task("monitor", total=None)
        content = running.run(
            _bundle(bundle, None),
            batch,
            out,
            metrics,
            home,
            lambda done, total: bar.update(task, completed=done, total=total),
        )
    table = Table(title="Alerts", title_justify="left")
    for column in ("", "alert", "what was found"):
        table.add_column(column, overflow="fold", no_wrap=not column)
    for alert in content["alerts"]:
        status = {"ok": "pass", "ticket": "warn", "page": "fail", "skip": "skip"}[alert["status"]]
        words = (f"{SYMBOLS[status]} {alert['status']}", alert["id"], escape(alert["message"]))
        table.add_row(*words, style=STYLES[status])
    console.print(table)
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
        if result == INTERRUPTED:
            raise KeyboardInterrupt
        return result if isinstance(result, int) else 0
    except UserError as error:
        errors.print(f"[bold red]Error:[/] {escape(str(error))}")
    except USAGE_ERROR as error:
        error.show()
    except (typer.Abort, KeyboardInterrupt):
        errors.print("Stopped. What was finished is kept; run again to continue.")
    return 1
