# `make` explains itself. Without make (Windows): the same steps as plain commands are in README.md.

PYTHON ?= python3
BIN := .venv/bin
LOCKED := --require-hashes -r requirements.lock -r requirements-dev.lock
# A no-go (exit code 2) is a result of the journey, not an error of make.
NO_GO_IS_A_RESULT := || [ $$? -eq 2 ]
# Where `make demo` puts its project; empty means a new temporary folder.
OUT ?=

# ydata-profiling calls home without a timeout unless told not to.
export YDATA_PROFILING_NO_ANALYTICS = 1
# Kernels of the environment win over those registered for the user.
export JUPYTER_PREFER_ENV_PATH = 1

COMPILE := $(BIN)/uv pip compile --universal --generate-hashes --python-version 3.11 $(if $(UPGRADE),--upgrade) --quiet \
  --custom-compile-command "make lock"

.DEFAULT_GOAL := help
.PHONY: help env demo test test-slow lab record docs lock clean

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

env: .venv/installed  ## create or update .venv from the two locks (PYTHON=python3.12 chooses the Python)

# Scripts carry the folder they were installed in: an environment that was moved is made anew.
ifneq ($(shell cat .venv/installed 2>/dev/null),$(CURDIR))
.PHONY: .venv/installed
endif

.venv/installed: requirements.lock requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null || { \
	  echo "$(PYTHON) is no Python 3.11, 3.12 or 3.13. Name one that is: make env PYTHON=python3.12, or install one:"; \
	  echo "    Debian, Ubuntu   sudo apt install python3 python3-venv"; \
	  echo "    Fedora           sudo dnf install python3.13"; \
	  echo "    macOS            brew install python@3.13"; exit 1; }
	@[ "$$(cat $@ 2>/dev/null)" = "$(CURDIR)" ] || $(PYTHON) -m venv --clear .venv
	@uv=$$(command -v uv) || { uv=$(BIN)/uv; awk '/^uv==/ {on=1} on {print; if (!/\\$$/) exit}' requirements.lock \
	  > .venv/uv.txt && $(BIN)/python -m pip install -q --require-hashes --no-deps -r .venv/uv.txt; }; \
	$$uv pip install -q --python $(BIN)/python --compile-bytecode $(LOCKED) || { \
	  echo "uv could not (see above); pip is tried, which takes minutes and knows mirrors of its own settings."; \
	  $(BIN)/python -m pip install -q --no-deps $(LOCKED); }
	@$(BIN)/python -m pip install -q --no-deps --no-build-isolation --editable .
	@echo "$(CURDIR)" > $@

demo: env  ## generate the demo project, run its four notebooks, show the verdict (OUT=folder keeps it there)
	@out="$(OUT)"; [ -n "$$out" ] || out=$$(mktemp -d "$${TMPDIR:-/tmp}/lab2live-XXXXXX"); \
	project="$$out/telecom-churn"; \
	if [ -d "$$project" ]; then echo "Using the project that is already there: $$project"; \
	else $(BIN)/python -m cookiecutter --no-input --default-config --output-dir "$$out" . project_slug=telecom-churn \
	  >/dev/null || exit 1; fi; \
	$(BIN)/python -m lab2live run --project "$$project" $(NO_GO_IS_A_RESULT)

test: env  ## style, types, layers, tests, notebooks against their stored outputs: 12 minutes on two cores
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not slow"
	$(BIN)/python -m pytest --nbval-lax --nbval-current-env --nbval-cell-timeout 120 notebooks

test-slow: env  ## what takes longer: executed CI jobs, whole journeys, the documentation's commands, JupyterLab, fuzzing (CI runs it, too)
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m slow

lab: env  ## open JupyterLab on the notebooks, reachable from this machine only
	$(BIN)/python -m jupyterlab --ip=127.0.0.1 --ServerApp.root_dir=. --LabApp.default_url=/lab/tree/notebooks \
	  $(if $(filter 0,$(shell id -u)),--allow-root)

record: env  ## run the notebooks and store their outputs as the new reference (then look at the diff)
	$(BIN)/lab2live record

docs: env  ## renew what the reference pages take from the code
	$(BIN)/python docs/reference.py

lock: env  ## renew the two locks after a change of requirements.in or requirements-dev.in (UPGRADE=1: newest versions)
	$(COMPILE) -o requirements.lock requirements.in
	$(COMPILE) -c requirements.lock -o requirements-dev.lock requirements-dev.in

clean:  ## remove runs, caches and build leftovers (not .venv)
	rm -rf runs build dist src/*.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find src tests notebooks template \( -name __pycache__ -o -name .ipynb_checkpoints \) -prune -exec rm -rf {} +
