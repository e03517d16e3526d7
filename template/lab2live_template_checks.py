"""Whether the answers can become a project: one clear message, before anything is written."""

import difflib
import itertools
import keyword
import re
import sys
from pathlib import Path

import lab2live_template_table as table

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("src/lab2live", "notebooks", "requirements.in", "requirements.lock", "environment.yml")
# Options of cookiecutter whose value is the next word.
TAKES_A_VALUE = [
    "-c",
    "--checkout",
    "--directory",
    "-o",
    "--output-dir",
    "--config-file",
    "--debug-file",
    "--replay-file",
]
ONE_LINE = ("project_name", "author", "organisation")

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
        key, equals, _ = word.partition("=")
        if equals and re.fullmatch(r"\w+", key) and before not in TAKES_A_VALUE and key not in answers:
            close = difflib.get_close_matches(key, asked, n=1)
            refuse(
                key,
                "this answers no question.",
                found=word,
                expected=", ".join(asked),
                fix=f"{close[0]}=..." if close else "leave it out",
            )


def check(answers):
    """Stop the generation at the first answer that cannot work."""
    for room in ROOMS:
        if not (ROOT / room).exists():
            refuse(
                "template",
                "the template is incomplete.",
                found=f"no {room} in {ROOT}",
                expected="the whole repository, of which template/ is one folder",
                fix="give cookiecutter the repository (or its zip), not a copy of the folder template/ alone",
            )
    for field in ONE_LINE:
        if not answers[field].isprintable():
            refuse(field, "this has to be one line.", found=ascii(answers[field]), fix="leave out line breaks and tabs")
    check_names(answers["project_slug"], answers["package_name"])
    check_data(answers)


def check_names(slug, package):
    if not is_slug(slug):
        refuse(
            "project_slug",
            "this cannot be the name of a folder and of a Python distribution.",
            found=ascii(slug),
            expected="up to 64 letters, digits, - _ or ., beginning and ending with a letter or digit, no path",
            fix="project_slug=my-project, and say where with --output-dir",
        )
    if import_name(slug) in distributions():
        refuse(
            "project_slug",
            "a package that the project needs has this name, and installing the project would replace it.",
            found=slug,
            fix=f"project_slug={slug}-project",
        )
    if not is_package_name(package):
        refuse(
            "package_name",
            "this cannot be the name of a Python package.",
            found=ascii(package),
            expected="up to 64 letters, digits and _, beginning with a letter, and no word of the language",
            fix=f"package_name={package_name(package)}",
        )
    if package.lower() in taken():
        refuse(
            "package_name",
            "Python, a dependency or the project itself already has a module of this name; one would hide the other.",
            found=package,
            expected="a name that nothing else is imported by",
            fix=f"package_name={package}_project",
        )


def check_data(answers):
    source, path, target = answers["data_source"], answers["data_path"], answers["target"]
    if source in ("demo", "simulate") and path:
        refuse(
            "data_source",
            f"data_path is given, but data_source={source} would not read it.",
            found=f"data_source={source}, data_path={path}",
            fix="data_source=file for a file or URL, data_source=sql for a database; or leave data_path empty",
        )
    if source == "demo":
        demo = {"problem_type": "classification", "target": "churned", "positive_class": "yes"}
        for field, expected in {**demo, "id_column": "customer_id", "time_column": ""}.items():
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
        refuse(
            "target",
            "it has to be known which column is to be predicted.",
            found="nothing",
            expected="the name of a column",
            fix="target=<column>",
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
            fix=f"data_path={example}",
        )
    secret = re.match(r"[^/]*://[^/@]*:([^/@]+)@", path)
    if secret and not re.fullmatch(r"\$\{\w+\}", secret[1]):
        refuse(
            "data_path",
            "there is a password in the address, and the answers are written to files.",
            found=path.replace(secret[1], "***"),
            expected="the name of an environment variable in its place",
            fix="data_path='" + path.replace(secret[1], "${DB_PASSWORD}") + "'",
        )
    if source == "file" and "://" not in path and "${" not in path:
        check_file(answers)


def check_file(answers):
    path = answers["data_path"]
    if not Path(path).exists():
        refuse(
            "data_path",
            "there is no such file.",
            found=path,
            expected="a file that exists, or a URL; a relative path counts from where you stand",
            fix="correct the path, or begin with data_source=demo or data_source=simulate",
        )
    if not table.is_text(path):
        return
    found = table.read(path)
    if found is None:
        refuse(
            "data_path",
            "this file cannot be read as a table.",
            found=path,
            expected="text with one header line, separated by comma, semicolon, tab or |",
            fix="export it again as CSV, or give a Parquet or Excel file",
        )
    for field in ("target", "id_column", "time_column"):
        check_column(field, answers[field], found.header, path)
    cells = [cell for cell in found.column(answers["target"]) if cell is not None]
    texts = [cell for cell in cells if table.number(cell.replace(",", ".")) is None]
    if answers["problem_type"] == "regression" and cells and len(texts) == len(cells):
        refuse(
            "problem_type",
            f"regression predicts a number, and {answers['target']} holds text.",
            found=", ".join(map(ascii, list(dict.fromkeys(texts))[:5])),
            fix="problem_type=classification, or another target",
        )


def check_column(field, name, header, path):
    if name and name not in header:
        close = difflib.get_close_matches(name.lower(), [column.lower() for column in header], n=1, cutoff=0.5)
        nearest = [column for column in header if column.lower() in close]
        others = f" and {len(header) - 40} more" if len(header) > 40 else ""
        refuse(
            field,
            f"{path} has no such column.",
            found=name,
            expected="one of " + ", ".join(header[:40]) + others,
            fix=f"{field}={nearest[0] if nearest else '<one of them>'}",
        )


def project_slug(slug):
    """The default answer: a folder's name made from the project's, kept off names that cannot be used."""
    usable = is_slug(slug) and import_name(slug) not in distributions()
    return slug if usable else f"{slug or 'my'}-project"


def is_slug(slug):
    """Whether a folder on every system, and a Python distribution, can have this name."""
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
    for file in (ROOT / "requirements.in", ROOT / "requirements.lock"):
        if file.is_file():
            text = file.read_text(encoding="utf-8")
            found.update(import_name(name) for name in re.findall(r"^[A-Za-z0-9][\w.-]*", text, re.MULTILINE))
    return found


def import_name(name):
    return re.sub(r"[-_.]+", "_", name).lower()


def refuse(field, problem, *, found, expected="", fix):
    """Say what is wrong and stop. A hook could do it only after a folder was made, and under a traceback."""
    details = {"found": found, "expected": expected, "fix": fix}
    lines = [f"  {name + ':':<10}{text}" for name, text in details.items() if text]
    # Terminals that cannot show a character still have to show the message.
    encoding = getattr(sys.stderr, "encoding", None) or "utf-8"
    message = "\n".join([f"\n{field}: {problem}", *lines]).encode(encoding, "backslashreplace").decode(encoding)
    sys.exit(message)
