"""Copies the canonical rooms, which exist once at the top of the template's repository, into the new project.

The working directory is the project. Runs again on every `cruft update`, so it only writes files; a new project it also
says what to type next.
"""

import json
import runpy
import shlex
import shutil
import sys
from pathlib import Path

# Answers come as data, never spliced into code. No JSON has three quotes in a row, so it cannot end this literal.
ANSWERS = json.loads(
    r"""{{ {"root": template_root, "data_source": cookiecutter.data_source, "updating": updating()} | tojson }}"""
)
ROOT = Path(ANSWERS["root"])
stripped = runpy.run_path(str(ROOT / "src/lab2live/pipeline/stripping.py"))["stripped"]
NOT_COPIED = shutil.ignore_patterns("__pycache__", "*.pyc", "*.egg-info", ".*")


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(text)


shutil.copytree(ROOT / "src/lab2live", "src/lab2live", ignore=NOT_COPIED, dirs_exist_ok=True)
for name in ("requirements.in", "requirements.lock", "environment.yml"):
    shutil.copyfile(ROOT / name, name)
for notebook in sorted((ROOT / "notebooks").glob("[!.]*.ipynb")):
    text = notebook.read_text(encoding="utf-8")
    write(Path("notebooks", notebook.name), stripped(text))
    if ANSWERS["data_source"] == "demo":
        write(Path("tests/reference", notebook.name), text)

# A conditional file name leaves its folder behind when the file is not wanted.
for folder in (Path(".github/workflows"), Path(".github"), Path("ci")):
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()

if not ANSWERS["updating"]:
    sys.stdout.reconfigure(errors="backslashreplace")  # a folder's name that the terminal cannot show is no error
    print(
        f"The project is ready. README.md there says the rest, also without make:\n  cd {shlex.quote(str(Path.cwd()))}"
    )
    print("  make run")
    if ANSWERS["data_source"] != "demo":
        print("  .venv/bin/lab2live charter    # which questions are still open")
