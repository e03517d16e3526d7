"""What the template needs beyond Jinja: the repository it lies in, the answers checked, the user's table looked at.

cookiecutter and cruft load this extension, in whatever Python they run in: only the standard library is imported.
"""

import json
import os
import re
import sys
import unicodedata
from pathlib import Path

import lab2live_template_checks as checks
import lab2live_template_data as data
import lab2live_template_table as table
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
# What stands in the table of the generated tests: made up, as files with a user's own values are not for sharing.
MADE_UP = {
    "number": ("1.0", "20.0"),
    "integer": ("1", "20"),
    "boolean": ("True", "False"),
    "date": ('"2026-01-31"', '"2026-07-01"'),
}
MADE_UP_TEXT = ('"a"', '"b"')
# A rule that fits them: the share of the positive class, or the mean of the target, up to two years and above.
GENERIC_RULES = {
    "classification": {"kind": "share", "above": 0.17, "below": 0.31, "missing": 0.25},
    "regression": {"kind": "mean", "above": 80, "below": 115, "missing": 100},
}


class Lab2Live(Extension):
    """Adds the globals and filters that the template uses."""

    def __init__(self, environment):
        super().__init__(environment)
        environment.globals.update(
            template_root=ROOT.as_posix(),
            canonical=canonical,
            checked=checked,
            code_owner=code_owner,
            columns=columns,
            described=described,
            example=example,
            generic=generic,
            locked=locked,
            not_inputs=not_inputs,
            reachable=reachable,
            rule=rule,
            updating=updating,
        )
        environment.filters.update(
            quoted=quoted,
            answer=lambda text: f" {quoted(text)}" if text else "",  # what follows `field:`, where nothing is an answer
            answered=answered,
            python=python,
            python_tuple=python_tuple,
            source_name=source_name,
            project_slug=checks.project_slug,
            package_name=checks.package_name,
        )
        # `cruft update` renders two versions of the template in one process: each has to meet its own extension.
        for name in [name for name in sys.modules if name.startswith("lab2live_template")]:
            del sys.modules[name]


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
        data.check(answers)
    return ""


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


def described(answers):
    """What the charter says about every column of the user's own table: name -> a YAML mapping; {} when unknown."""
    found = table.read(answers["data_path"]) if answers["data_source"] == "file" else None
    if not found or not 1 < len(found.inputs(besides=[])) <= 60:
        return {}
    told = {name: found.kind(name) for name in found.inputs(besides=[])}
    lines = {name: f"{{type: {kind}}}" if kind else "{}" for name, kind in told.items()}
    if answers["target"] in lines and answers["problem_type"] == "regression":
        lines[answers["target"]] = "{type: number}"
    elif answers["target"] in lines:
        # only here are values written down: names of classes are no data about anybody
        classes = ", ".join(map(quoted, table.classes(found.column(answers["target"]))))
        lines[answers["target"]] = f"{{type: category, values: [{classes}]}}" if classes else "{type: category}"
    return lines


def columns(answers):
    """The names of the input columns, or nothing when they cannot be known, or are too many to be listed in code."""
    if answers["data_source"] == "simulate":
        return list(generic(answers))
    found = table.read(answers["data_path"]) if answers["data_source"] == "file" else None
    inputs = found.inputs(besides=not_inputs(answers)) if found else []
    return inputs if len(inputs) <= 40 else []


def example(answers):
    """The lines of a small table with every input column, for the tests of features and rules."""
    found = table.read(answers["data_path"]) if answers["data_source"] == "file" else None
    split = rule(answers)
    cells = {name: MADE_UP.get(found.kind(name), MADE_UP_TEXT) for name in columns(answers) if found}
    for name, (described, _) in generic(answers).items() if answers["data_source"] == "simulate" else ():
        cells[name] = MADE_UP.get(re.match(r"{type: (\w+)", described)[1], MADE_UP_TEXT)
    if split:
        cells[split["column"]] = (split["split"] - 1, split["split"] + 1)
    return [entry(name, values) for name, values in (cells or {"a column": (1, 2), "another": MADE_UP_TEXT}).items()]


def entry(name, values):
    """A column of that table, laid out as `ruff format` would."""
    cells = [*map(str, values), "None"]
    line = f"        {python(name)}: [{', '.join(cells)}],"
    if sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in line) <= 120:
        return line
    return "\n".join([f"        {python(name)}: [", *(f"            {cell}," for cell in cells), "        ],"])


def generic(answers):
    """The columns to simulate, without those that bear a name of the user's own."""
    taken = {name.lower() for name in not_inputs(answers)}
    return {name: described for name, described in GENERIC.items() if name not in taken}


def rule(answers):
    """A first business rule picked from the user's own table, or None when there is nothing to pick it from."""
    if answers["data_source"] == "simulate" and "months_known" in generic(answers):
        return {"column": "months_known", "split": 24, **GENERIC_RULES[answers["problem_type"]]}
    found = table.read(answers["data_path"]) if answers["data_source"] == "file" else None
    if not found or answers["target"] not in found.header:
        return None
    return table.pick_rule(
        found, answers["problem_type"], answers["target"], answers["positive_class"], not_inputs(answers)
    )


def not_inputs(answers):
    return [answers[name] for name in ("target", "id_column", "time_column") if answers[name]]


def answered(text, **answers):
    """Put answers into the `project:` block of the demo's charter; empty ones leave what stands there."""
    for name, answer in answers.items():
        if answer:
            line = f"  {name}: {quoted(answer)}"
            text = re.sub(rf"^  {name}: .*$", lambda _, line=line: line, text, count=1, flags=re.MULTILINE)
    return text


def quoted(text):
    """A string literal that means the same in YAML, TOML and JSON, whatever the text holds."""
    literal = json.dumps(text, ensure_ascii=False)
    return re.sub("[\x7f-\xa0\u2028\u2029\ufeff\ufffe\uffff]", lambda found: f"\\u{ord(found[0]):04x}", literal)


def python(text):
    """A Python string literal, with the quotes that `ruff format` would choose."""
    quote = "'" if text.count('"') > text.count("'") else '"'
    letters = [repr(letter)[1:-1] if letter not in "'\"" else letter for letter in text]
    return quote + "".join("\\" + letter if letter == quote else letter for letter in letters) + quote


def python_tuple(texts):
    """A Python tuple, laid out as `ruff format` would."""
    if len(texts) == 1:
        return f"({python(texts[0])},)"
    return "\n".join(["(", *(f"    {python(text)}," for text in texts), ")"])


def source_name(address):
    """A short name for a source: what its file or database is called."""
    stem = re.split(r"[?#]", address)[0].rstrip("/").rsplit("/", 1)[-1].split(".")[0]
    return re.sub(r"\W+", "_", stem).strip("_").lower() or "data"
