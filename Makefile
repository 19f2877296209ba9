# The workshop: every target does all of its own set-up, in .venv and nowhere else.
#
#   make demo      see sockproxy at work (SERVE=1 leaves it running)
#   make test      all tests; ARGS='-k bind' picks some
#   make lint      ruff and mypy
#   make docs      write policies/README.md and the JSON Schemas beside it anew from the tables in the code
#   make fuzz      look for inputs that break TARGET (canonical body judging policy edge), for SECONDS (60)
#   make mutants   break each check in turn, and see which break no test notices; ARGS='--sample 500' tries some
#   make bench     speed and size beside the bare engine's
#   make engines   start the two disposable Docker Engines that the engine tests use (root on Debian)
#   make clean     remove what was made here; the engines' roots stay (tests/engine/stop-engine --remove SUITE)

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SUITES := bookworm forky

.DEFAULT_GOAL := help
.PHONY: help demo test lint format docs fuzz mutants bench engines stop-engines clean

help:
	@sed -n '/^#   make/s/^#   //p' Makefile

demo: $(VENV)/.installed
	@$(BIN)/sockproxy demo $(if $(filter-out 0,$(SERVE)),--serve)

# Without SOCKPROXY_TEST_ENGINES the engine tests are skipped, and pytest's last lines say so.
test: $(VENV)/.installed-dev
	@$(BIN)/python -m pytest $(ARGS)

lint: $(VENV)/.installed-dev
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy

format: $(VENV)/.installed-dev
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

docs: $(VENV)/.installed
	@$(BIN)/python -m sockproxy.cli.reference > .make-docs && mv .make-docs policies/README.md
	@$(BIN)/python -m sockproxy schema > .make-docs && mv .make-docs policies/schema.json
	@$(BIN)/python -m sockproxy schema --tests > .make-docs && mv .make-docs policies/tests-schema.json

fuzz: $(VENV)/.installed-fuzz
	@$(BIN)/python -m tests.fuzz $(TARGET) --seconds $(or $(SECONDS),60) $(ARGS)

mutants: $(VENV)/.installed-mutation
	@$(BIN)/python -m tests.mutants $(ARGS)

bench: $(VENV)/.installed
	@$(BIN)/python -m benchmarks $(ARGS)

engines:
	@sockets=; for suite in $(SUITES); do \
		socket=$$(tests/engine/start-engine $$suite) || exit; \
		sockets=$${sockets:+$$sockets,}$$socket; \
	done; \
	echo "export SOCKPROXY_TEST_ENGINES=$$sockets"

stop-engines:
	@for suite in $(SUITES); do tests/engine/stop-engine $$suite; done

clean:
	rm -rf $(VENV) .make .mutants dist build .coverage htmlcov .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The virtual environment. Two stamps, so that the demo does not wait for the tests' tools.
$(BIN)/python:
	@command -v $(PYTHON) >/dev/null || { echo "make: no $(PYTHON) here: install Python 3.11 or newer, or name one: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "make: $$($(PYTHON) --version) is too old: sockproxy needs Python 3.11 or newer; name one: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "make: $(PYTHON) cannot make virtual environments: on Debian, apt-get install python3-venv" >&2; exit 1; }
	@echo "make: setting up $(VENV)" >&2
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml | $(BIN)/python
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml | $(BIN)/python
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@ $(VENV)/.installed

$(VENV)/.installed-fuzz: pyproject.toml | $(BIN)/python
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev,fuzz]'
	@touch $@ $(VENV)/.installed-dev $(VENV)/.installed

$(VENV)/.installed-mutation: pyproject.toml | $(BIN)/python
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev,mutation]'
	@touch $@ $(VENV)/.installed-dev $(VENV)/.installed
