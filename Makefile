# Each target installs what it needs into .venv by itself. Needs make and Python 3.11 or later with its venv module.
PYTHON ?= python3
VENV := .venv
# Tests at a time: most of them wait for real wires, brokers and disks.
JOBS ?= 2
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check --constraint constraints.txt
CODE := agent drivers models simulators tests

.DEFAULT_GOAL := help
.PHONY: help demo test check bench torture wheel schema contract lock clean

help:
	@echo "make demo     a simulated compound from the wire to the centre (KEEP=1 stays up)"
	@echo "make test     the whole test suite"
	@echo "make check    lint, types, layers, published contract"
	@echo "make bench    the benchmark table"
	@echo "make torture  the faults of tests/system/torture, for an hour (GATEHOUSE_TORTURE_S)"
	@echo "make schema   write the published schema anew after a change of settings"
	@echo "make contract write config/contract anew after a change of messages or event kinds"
	@echo "make lock     write constraints.txt anew"

demo: $(VENV)/.simulate
	@$(BIN)/python -m simulators.clips
	@$(BIN)/gatehouse demo $(if $(KEEP),--keep)

test: $(VENV)/.dev wheel $(VENV)/js/.installed
	@$(BIN)/python -m simulators.clips
	@$(BIN)/python -m pytest -q -n $(JOBS) --dist worksteal $(ARGS)

check: $(VENV)/.dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m agent.published --check config/contract

bench: $(VENV)/.dev
	@$(BIN)/python -m simulators.clips
	@$(BIN)/python -m tests.bench $(ARGS)

torture: export GATEHOUSE_TORTURE_S ?= 3600
torture: $(VENV)/.dev
	@$(BIN)/python -m pytest -q -s tests/system/torture $(ARGS)

schema: $(VENV)/.dev
	@$(BIN)/python -m agent.settings > config/compound.schema.json

contract: $(VENV)/.dev
	@$(BIN)/python -m agent.published config/contract

lock: $(VENV)/.dev
	@$(PIP) uv
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --all-extras --no-emit-index-url \
		--no-annotate --no-header --no-emit-package gatehouse-agent pyproject.toml -o constraints.txt

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis

# A bare environment that holds nothing but the built wheel and what it asks for; tests/system/test_wheel.py runs it.
wheel: $(VENV)/bare/.installed
	@rm -rf dist && $(BIN)/python -m build --wheel --no-isolation >/dev/null
	@$(BARE) --no-deps --force-reinstall dist/*.whl

BARE := $(VENV)/bare/bin/python -m pip install -qq --disable-pip-version-check --constraint constraints.txt

$(VENV)/bare/.installed: pyproject.toml constraints.txt | $(VENV)/.dev
	@echo "Installing a bare environment for the wheel ..."
	@$(BIN)/python -m venv $(VENV)/bare
	@$(BARE) '.[simulate]'
	@touch $@

# The official AsyncAPI parser and an MQTT client, for two tests; without npm they are skipped, or fail in the strict run.
$(VENV)/js/.installed: tests/contract_js/package-lock.json | $(BIN)/python
	@mkdir -p $(VENV)/js && cp tests/contract_js/package*.json $(VENV)/js
	@if command -v npm >/dev/null; then \
		echo "Installing the AsyncAPI parser and an MQTT client into $(VENV)/js ..."; \
		npm ci --prefix $(VENV)/js --ignore-scripts --no-audit --no-fund --loglevel=error && touch $@; \
	fi

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Gatehouse needs Python 3.11 or later; name one with: make PYTHON=python3.11 ..." >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
		{ rm -rf $(VENV); echo "Python has no venv module; on Debian: apt-get install python3-venv" >&2; exit 1; }

$(VENV)/.simulate: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing Gatehouse and its simulators into $(VENV) ..."
	@$(PIP) --editable '.[simulate]'
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing Gatehouse with its development tools into $(VENV) ..."
	@$(PIP) --editable '.[dev]'
	@touch $@ $(VENV)/.simulate
