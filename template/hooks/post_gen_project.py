"""Brings the library as one wheel, the notebooks and the lock, all from the top of the template's repository.

The working directory is the project. Runs again on every `cruft update`, so it only writes files; a new project it also
says what to type next.
"""

import hashlib
import json
import shlex
import sys
from pathlib import Path

# Answers come as data, never spliced into code. No JSON has three quotes in a row, so it cannot end this literal.
ANSWERS = json.loads(
    r"""{{ {"root": template_root, "data_source": cookiecutter.data_source, "package": cookiecutter.package_name,
            "updating": updating(), "looked": facts(cookiecutter) is not none} | tojson }}"""
)
ROOT = Path(ANSWERS["root"])
sys.dont_write_bytecode = True  # the template's repository stays as it is
sys.path.insert(0, str(ROOT / "src"))

from lab2live import wheel  # noqa: E402


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(text)


name, content = wheel.build()
Path("vendor").mkdir(exist_ok=True)
Path("vendor", name).write_bytes(content)
version = name.split("-")[1]
write(
    Path("requirements.lock"),
    "# The template's: renewed by `make update`. Packages of your own go into requirements-own.in.\n"
    f"--find-links ./vendor\nlab2live=={version} \\\n    --hash=sha256:{hashlib.sha256(content).hexdigest()}\n"
    + (ROOT / "requirements.lock").read_text(encoding="utf-8"),
)
for notebook in sorted((ROOT / "notebooks").glob("[!.]*.ipynb")):
    text = notebook.read_text(encoding="utf-8")
    write(Path("notebooks", notebook.name), wheel.stripped(text))
    if ANSWERS["data_source"] == "demo":
        write(Path("tests/reference", notebook.name), text)

# A conditional file name leaves its folder behind when the file is not wanted.
for folder in (Path(".github/workflows"), Path(".github"), Path("ci")):
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()

if not ANSWERS["updating"]:
    if ANSWERS["data_source"] in ("file", "sql") and not ANSWERS["looked"]:
        # These are as generated: `lab2live init` fills in what depends on the table, where nobody has edited them.
        package = Path("src", ANSWERS["package"])
        files = [Path("project.yaml"), Path("tests/test_package.py"), *sorted(package.glob("*.py"))]
        hashes = {path.as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
        write(Path(".lab2live.json"), json.dumps(hashes, indent=2) + "\n")
    sys.stdout.reconfigure(errors="backslashreplace")  # a folder's name that the terminal cannot show is no error
    print(
        f"The project is ready. README.md there says the rest, also without make:\n  cd {shlex.quote(str(Path.cwd()))}"
    )
    print("  make run")
    if ANSWERS["data_source"] != "demo":
        print("  .venv/bin/lab2live charter    # which questions are still open")
