"""What the template needs beyond Jinja: the repository it lies in, and the answers checked.

cookiecutter and cruft load this extension, in whatever Python they run in: only the standard library is imported, and
lab2live where that Python has what it needs.
"""

import importlib.util
import json
import os
import re
import sys
from pathlib import Path

import lab2live_template_checks as checks
from jinja2.ext import Extension
from lab2live_template_checks import ROOT

# The columns of a project that has no data yet: what is simulated, and what is assumed that the target depends on.
GENERIC = {
    "months_known": ("{type: number, min: 0, mean: 24, missing: 0.03}", -0.6),
    "contacts": ("{type: integer, min: 0, mean: 2}", 0.5),
    "amount": ("{type: number, min: 0, mean: 50, missing: 0.02}", 0.3),
    "segment": ("{type: category, values: {A: 0.5, B: 0.3, C: 0.2}}", "{C: 0.6}"),
    "online": ("{type: boolean, mean: 0.6}", "{true: -0.4}"),
}
# A rule that fits them: the share of the positive class, or the mean of the target, up to two years and above.
GENERIC_RULES = {
    "classification": {"kind": "share", "above": 0.17, "below": 0.31, "missing": 0.25},
    "regression": {"kind": "mean", "above": 80, "below": 115, "missing": 100},
}
# What the demo's features and rule look at.
DEMO = dict.fromkeys(("age", "tickets", "late_payments", "tenure_months"), "integer")
DEMO |= {"contract": "category", "longest_wait_hours": "number", "monthly_bill": "number"}
# What else than outputs git never sees of a notebook: which Python it ran in, and what papermill and VS Code note.
NBSTRIPOUT = (
    "--keep-id --drop-tagged-cells=injected-parameters "
    "--extra-keys='metadata.language_info metadata.papermill cell.metadata.papermill cell.metadata.vscode'"
)
DEMO_CHECK = "tenure_beyond_age"


class Lab2Live(Extension):
    """Adds the globals and filters that the template uses."""

    def __init__(self, environment):
        super().__init__(environment)
        # `cruft update` renders two versions of the template in one process: each has to meet its own extension.
        for name in [name for name in sys.modules if name.startswith("lab2live_template")]:
            del sys.modules[name]
        checks.check_rooms()
        starter = library_file("eda/starter/__init__.py")
        environment.globals.update(
            template_root=ROOT.as_posix(),
            canonical=canonical,
            checked=checked,
            code_owner=code_owner,
            generic=generic,
            locked=locked,
            nbstripout_options=NBSTRIPOUT,
            facts=facts,
            reachable=reachable,
            starter=lambda name, answers: render(starter, name, answers),
            updating=updating,
        )
        environment.filters.update(
            quoted=starter.quoted,
            answer=lambda text: f" {starter.quoted(text)}" if text else "",  # follows `field:`, where nothing is one
            answered=lambda text, **answers: answered(starter, text, answers),
            source_name=source_name,
            project_slug=checks.project_slug,
            package_name=checks.package_name,
        )


def library_file(path):
    """A file of the library that needs nothing but the standard library and Jinja, of this version of the template."""
    spec = importlib.util.spec_from_file_location("lab2live_template_file", ROOT / "src/lab2live" / path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def canonical(path):
    """The text of a file at the repository's root: one source of truth for the template and for its own tests."""
    return (ROOT / path).read_text(encoding="utf-8")


def checked(answers):
    """Refuse answers that cannot work, while nothing has been written yet; freeze where a relative data_path points.

    The frozen path replaces the answer, so that a replay or `cruft update` from another folder means the same file.
    """
    if answers["data_source"] in ("file", "sql"):
        answers["data_path"] = from_here(answers["data_path"])
    # An update renders old answers again, perhaps on a machine that has no data: they were checked the first time.
    if not updating():
        checks.check_spelling(sys.argv, answers)
        checks.check(answers)
        facts(answers)
    return ""


def at_hand(answers):
    """Whether the table is a file on this machine: an address may keep a bake waiting, a database have many tables."""
    other = re.search(r"://|\$\{|\.(db|sqlite3?|duckdb|ddb)$", answers["data_path"], re.IGNORECASE)
    return answers["data_source"] == "file" and not other


def facts(answers):
    """What the library's look at the table tells, where the running Python can import it; else `init` looks."""
    if updating() or not at_hand(answers):
        return None
    sys.path.insert(0, str(ROOT / "src"))
    try:
        from lab2live.eda.starter import first_look
        from lab2live.errors import UserError
    except Exception:  # an old pandas may fail in any way while it is imported
        return None
    finally:
        sys.path.remove(str(ROOT / "src"))
    fields = ("problem_type", "target", "positive_class", "id_column", "time_column", "group_column")
    path = answers["data_path"]
    charter = {
        "project": {"name": answers["project_name"]},
        "prediction": {field: answers[field] for field in fields if answers[field]},
        "sources": [{"name": source_name(path), "uri": path, "key": answers["id_column"] or None}],
    }
    try:
        return first_look.look(json.dumps(charter), os.stat(path).st_mtime_ns)
    except UserError as error:
        field = re.search(r"(\w+)`$", error.details.get("where", ""))
        name = field[1].replace("uri", "data_path") if field else "data_path"
        told = {part: error.details[part] for part in ("found", "expected", "fix") if part in error.details}
        checks.refuse(name, error.problem, **told)


def from_here(path):
    """Make a file's path absolute against the folder where the user stands; addresses stay as they are."""
    if not path or "://" in path or "${" in path:
        return path
    return Path(os.path.abspath(os.path.expanduser(path))).as_posix()


def updating():
    """Whether `cruft update` or `cruft diff` renders a project that exists already, told by who is calling."""
    frame = sys._getframe()
    while frame:
        if frame.f_globals.get("__name__", "").startswith("cruft.") and frame.f_code.co_name in ("update", "diff"):
            return True
        frame = frame.f_back
    return False


def locked(name):
    """A package with the version that requirements.lock pins, so that hooks and environment use the same."""
    return re.search(rf"^{re.escape(name)}==[\w.]+", canonical("requirements.lock"), re.MULTILINE)[0]


def reachable(answers):
    """Whether a CI server can read the data: they are simulated, or lie behind a public address."""
    return answers["data_source"] in ("demo", "simulate") or (
        answers["data_source"] == "file" and "://" in answers["data_path"] and "${" not in answers["data_path"]
    )


def code_owner(answers):
    """The owner as CODEOWNERS takes it, an @account or an e-mail address; nothing for a name, which no server knows."""
    account = r"@[\w][\w.-]*(/[\w.-]+)?|[\w.+-]+@[\w-]+(\.[\w-]+)+"
    return answers["author"] if re.fullmatch(account, answers["author"], re.ASCII) else ""


def generic(answers):
    """The columns to simulate, without those that bear a name of the user's own."""
    fields = ("target", "id_column", "time_column", "group_column")
    taken = {answers[field].lower() for field in fields}
    return {name: described for name, described in GENERIC.items() if name not in taken}


def render(starter, name, answers):
    """A file of the user's package, as far as the answers tell; the rest comes with the look at the table."""
    types, rule, check = {}, None, None
    if answers["data_source"] == "demo":
        if (ROOT / "src/lab2live/demo" / name).is_file():
            return canonical(f"src/lab2live/demo/{name}").rstrip("\n")
        types, check = DEMO, DEMO_CHECK
    elif answers["data_source"] == "simulate":
        columns = generic(answers)
        types = {column: re.match(r"{type: (\w+)", described)[1] for column, (described, _) in columns.items()}
        if "months_known" in columns:
            rule = {"column": "months_known", "split": 24, **GENERIC_RULES[answers["problem_type"]]}
    elif found := facts(answers):
        types, rule = found.types, found.rule
    return starter.render(name, answers, answers["package_name"], types, rule, check).rstrip("\n")


def answered(starter, text, answers):
    """Put answers into the `project:` block of the demo's charter; empty ones leave what stands there."""
    for name, answer in answers.items():
        if answer:
            line = f"  {name}: {starter.quoted(answer)}"
            text = re.sub(rf"^  {name}: .*$", lambda _, line=line: line, text, count=1, flags=re.MULTILINE)
    return text


def source_name(address):
    """A short name for a source: what its file or database is called."""
    stem = re.split(r"[?#]", address)[0].rstrip("/").rsplit("/", 1)[-1].split(".")[0]
    return re.sub(r"\W+", "_", stem).strip("_").lower() or "data"
