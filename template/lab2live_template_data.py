"""Whether the data can be what the answers say: one clear message, before anything is written."""

import re
from pathlib import Path

import lab2live_template_table as table
from lab2live_template_checks import nearest, refuse, typed

# What a file is that is no text, whatever its name says, by how it begins.
NO_TEXT = {
    b"PK\x03\x04": ("an Excel file, or a ZIP", "rename it to end in .xlsx, or unpack the ZIP"),
    b"PAR1": ("a Parquet file", "rename it to end in .parquet"),
}
# Words for one thing: a target of 0 and 1 has the class `yes`.
WORDS = {"true": "1", "yes": "1", "y": "1", "t": "1", "false": "0", "no": "0", "n": "0", "f": "0"}


def check(answers):
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
    for field in ("id_column", "time_column"):
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
    if Path(path).is_dir():
        return
    if not path.lower().endswith((*table.TEXT_FILES, *table.OTHER_FILES)):
        refuse(
            "data_path",
            "a file of this kind cannot be read.",
            found=path,
            expected="a name that ends in " + ", ".join((*table.TEXT_FILES, *table.OTHER_FILES)),
            fix="save it as .xlsx or CSV" if path.lower().endswith(".xls") else "export it as CSV or Parquet",
        )
    if table.is_text(path):
        check_text(answers)


def check_text(answers):
    path, target = answers["data_path"], answers["target"]
    if start(path) in NO_TEXT:
        what, fix = NO_TEXT[start(path)]
        refuse("data_path", "this is no text file.", found=f"{what}: {path}", fix=fix)
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
    if found.is_whole and not found.rows:
        refuse(
            "data_path",
            "this table has a header and no rows.",
            found=path,
            expected="a row per case",
            fix="export it again, or begin with data_source=simulate",
        )
    values = found.values(target)
    if found.is_whole and not values:
        refuse(
            "target",
            "this column is empty in every row: no outcome is known.",
            found=target,
            fix="another target, or an export with outcomes",
        )
    if answers["problem_type"] == "regression":
        check_number(target, values)
    else:
        check_classes(answers, values, found.is_whole)


def check_number(target, values):
    if values and not any(map(is_number, values)):
        refuse(
            "problem_type",
            f"regression predicts a number, and {target} holds text.",
            found=some(values),
            fix="problem_type=classification, or another target",
        )


def check_classes(answers, values, is_whole):
    positive = answers["positive_class"]
    if len(values) > table.MOST_CLASSES:
        other = (
            "problem_type=regression"
            if all(map(is_number, values))
            else "fewer classes: put together what is acted on alike"
        )
        refuse(
            "target",
            f"{answers['target']} has too many different values for a classification.",
            found=f"more than {table.MOST_CLASSES}, such as {some(values)}",
            expected=f"2 to {table.MOST_CLASSES} classes",
            fix=f"another target, or {other}",
        )
    # Of a file that was not read to its end, nobody knows what else it holds.
    if is_whole and len(values) == 1:
        refuse(
            "target",
            f"{answers['target']} has the same value in every row: there is nothing to tell apart.",
            found=some(values),
            expected=f"2 to {table.MOST_CLASSES} classes",
            fix="another target, or an export that has the other outcomes, too",
        )
    if is_whole and positive and not any(is_meant(value, positive) for value in values):
        close = nearest(positive, values)
        refuse(
            "positive_class",
            f"{answers['target']} never has this value.",
            found=positive,
            expected="one of " + ", ".join(values),
            fix=typed("positive_class", close) if close else "one of these, or leave it out: it is the rarer one then",
        )


def is_meant(value, positive):
    alike = (WORDS.get(text.strip().lower(), text) for text in (value, positive))
    return table.same(value, positive) or table.same(*alike)


def start(path):
    try:
        with open(path, "rb") as file:
            return file.read(4)
    except OSError:
        return b""


def is_number(cell):
    return table.number(cell.replace(",", ".")) is not None


def some(values):
    return ", ".join(map(ascii, values[:5]))


def check_column(field, name, header, path):
    if name and name not in header:
        close = nearest(name, header)
        others = f" and {len(header) - 40} more" if len(header) > 40 else ""
        refuse(
            field,
            f"{path} has no such column.",
            found=name,
            expected="one of " + ", ".join(header[:40]) + others,
            fix=typed(field, close) if close else f"{field}=<one of them>",
        )
