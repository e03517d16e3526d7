"""Whether the questions are spelt right and the names can be used: one clear message, before anything is written."""

import difflib
import itertools
import keyword
import re
import shlex
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("src/lab2live", "notebooks", "requirements.in", "requirements.lock")
# Options of cookiecutter whose value is the next word.
TAKES_A_VALUE = (
    "-c",
    "--checkout",
    "--directory",
    "-o",
    "--output-dir",
    "--config-file",
    "--debug-file",
    "--replay-file",
)
ONE_LINE = ("project_name", "author", "organisation")
# What the demo asks, which cannot be answered otherwise.
DEMO = {"problem_type": "classification", "target": "churned", "positive_class": "yes", "id_column": "customer_id"}
DEMO |= {"time_column": "", "group_column": ""}

# Folders of the project and files beside its tests: a package of that name would be imported instead, or they of it.
OWN_NAMES = ["lab2live", "tests", "test", "notebooks", "src", "data", "docs", "runs", "conftest", "setup"]
# What dependencies are imported as, where that is not what they are called in requirements.lock.
IMPORT_NAMES = """
    PIL adbc_driver_duckdb argon2 attr bs4 dateutil git google graphql ibis ipykernel_launcher jupyter markdown_it
    mpl_toolkits mypyc opentelemetry pandas_profiling pip pkg_resources public py pylab pythonjsonlogger pywt rpds
    ruamel sklearn slugify tlz websocket xdist yaml zmq
""".lower().split()


def check_spelling(words, answers):
    """Refuse a `key=value` of the command line that answers no question: cookiecutter itself would not say a word."""
    if not re.search(r"cookiecutter(\.exe|[/\\]__main__\.py)?$", words[0]):
        return
    asked = [name for name in answers if not name.startswith("_")]
    for before, word in itertools.pairwise(words):
        key, equals, value = word.partition("=")
        if equals and re.fullmatch(r"\w+", key) and before not in TAKES_A_VALUE and key not in answers:
            close = difflib.get_close_matches(key.lower(), asked, n=1)
            refuse(
                key,
                "this answers no question.",
                found=word,
                expected=", ".join(asked),
                fix=typed(close[0], value) if close else "leave it out",
            )


def check_rooms():
    """The template is one folder of a repository, and needs the others."""
    missing = [room for room in ROOMS if not (ROOT / room).exists()]
    if missing:
        refuse(
            "template",
            "the template is incomplete.",
            found=f"no {missing[0]} in {ROOT}",
            expected="the whole repository, of which template/ is one folder",
            fix="give cookiecutter the repository (or its zip), not a copy of the folder template/ alone",
        )


def check(answers):
    """Stop the generation at the first answer that cannot work."""
    for field in ONE_LINE:
        if not answers[field].isprintable():
            refuse(field, "this has to be one line.", found=ascii(answers[field]), fix="leave out line breaks and tabs")
    slug, package = answers["project_slug"], answers["package_name"]
    if not is_slug(slug):
        refuse(
            "project_slug",
            "this cannot be the name of a folder.",
            found=ascii(slug),
            expected="up to 64 letters, digits, - _ or ., beginning and ending with a letter or digit, no path",
            fix="project_slug=my-project, and say where with --output-dir",
        )
    if not is_package_name(package):
        refuse(
            "package_name",
            "this cannot be the name of a Python package.",
            found=ascii(package),
            expected="up to 64 letters, digits and _, beginning with a letter, and no word of the language",
            fix=typed("package_name", package_name(package)),
        )
    if package.lower() in taken():
        refuse(
            "package_name",
            "Python, a dependency or the project itself already has a module of this name; one would hide the other.",
            found=package,
            expected="a name that nothing else is imported by",
            fix=typed("package_name", f"{package}_project"),
        )
    check_data(answers)


def check_data(answers):
    """Whether the answers about the data fit together; what is in a table is not looked at here."""
    source, path, target = answers["data_source"], answers["data_path"], answers["target"]
    if source in ("demo", "simulate") and path:
        refuse(
            "data_source",
            f"data_path is given, but data_source={source} would not read it.",
            found=f"data_source={source}, data_path={path}",
            fix="data_source=file for a file or URL, data_source=sql for a database; or leave data_path empty",
        )
    if source == "demo":
        for field, expected in DEMO.items():
            if answers[field] != expected:
                refuse(
                    field,
                    "the demo comes with its own question; other answers are for other data.",
                    found=answers[field],
                    expected=expected or "nothing",
                    fix=f"leave {field} out, or give your own data: data_source=file data_path=...",
                )
        return
    if not target:
        refuse("target", "which column is to be predicted?", found="nothing", fix="target=<the name of a column>")
    for field in ("id_column", "time_column", "group_column"):
        if answers[field] == target:
            refuse(
                field,
                "this is the column that is to be predicted; it cannot be anything else.",
                found=target,
                expected="another column than target, or nothing",
                fix=f"leave {field} out, or correct one of the two",
            )
    if source == "simulate":
        return
    if not path:
        example = "table.csv" if source == "file" else "postgresql://user:${DB_PASSWORD}@host/database"
        refuse(
            "data_path",
            f"data_source={source} needs to know where the data are.",
            found="nothing",
            expected="a file or URL" if source == "file" else "the address of a database",
            fix=typed("data_path", example),
        )
    secret = re.match(r"[^/]*://[^/@]*:([^/@]+)@", path)
    if secret and not re.fullmatch(r"\$\{\w+\}", secret[1]):
        refuse(
            "data_path",
            "there is a password in the address, and the answers are written to files.",
            found=path.replace(secret[1], "***"),
            expected="the name of an environment variable in its place",
            fix=typed("data_path", path.replace(secret[1], "${DB_PASSWORD}")),
        )
    if source == "file" and "://" not in path and "${" not in path and not Path(path).exists():
        refuse(
            "data_path",
            "there is no such file.",
            found=path,
            expected="a file that exists, or a URL; a relative path counts from where you stand",
            fix="correct the path, or begin with data_source=demo or data_source=simulate",
        )


def project_slug(slug):
    """The default answer: a folder's name made from the project's."""
    return slug if is_slug(slug) else f"{slug or 'my'}-project"


def is_slug(slug):
    """Whether a folder can have this name on every system."""
    return bool(re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,62}[A-Za-z0-9])?", slug)) and not is_reserved(slug)


def is_reserved(name):
    """Whether Windows keeps this name for a device: no file or folder can have it there."""
    return re.fullmatch(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", name.lower()) is not None


def package_name(text):
    """The nearest name that a Python package can have: the default answer, and the fix for a wrong one."""
    name = re.sub(r"\W+", "_", text, flags=re.ASCII).strip("_").lower()[:50] or "project"
    name = name if name[0].isalpha() else f"project_{name}"
    return name if is_package_name(name) and name not in taken() else f"{name}_project"


def is_package_name(name):
    plain = re.fullmatch(r"[A-Za-z]\w{0,63}", name, re.ASCII) is not None
    return plain and not keyword.iskeyword(name) and not is_reserved(name)


def taken():
    """Names that are imported already: by Python, by the dependencies, by the project."""
    standard = {name.lower() for name in sys.stdlib_module_names}
    return {*standard, *OWN_NAMES, *IMPORT_NAMES, *distributions()}


def distributions():
    """The names of everything that gets installed, written as a module would be."""
    found = {"lab2live"}
    if (ROOT / "requirements.lock").is_file():
        text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
        names = re.findall(r"^[A-Za-z0-9][\w.-]*", text, re.MULTILINE)
        found.update(re.sub(r"[-_.]+", "_", name).lower() for name in names)
    return found


def typed(field, answer):
    """An answer as it is typed on the command line."""
    return f"{field}={shlex.quote(answer)}"


def refuse(field, problem, *, found="", expected="", fix=""):
    """Say what is wrong and stop. A hook could do it only after a folder was made, and under a traceback."""
    details = {"found": found, "expected": expected, "fix": fix}
    lines = [f"  {name + ':':<10}{text}" for name, text in details.items() if text]
    # Terminals that cannot show a character still have to show the message.
    encoding = getattr(sys.stderr, "encoding", None) or "utf-8"
    message = "\n".join([f"\n{field}: {problem}", *lines]).encode(encoding, "backslashreplace").decode(encoding)
    sys.exit(message)
