# The two commands of the README: `make demo` and `make test`. Both set up all they need.
SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

# Most tests wait, for servers and for hosts: more of them at a time than there are cores. Those with
# a virtual clock never wait, so they go beside the others, on what those leave of the processors.
UNIT_WORKERS ?= 5
SIM_WORKERS ?= 2
LAB_WORKERS ?= 4

# Tests start the command some hundred times; it is compiled once, whatever the environment says.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: demo demo-lab test check unit sim lab alone bench bench-short docs clean

# Two services of this machine; without root.
demo: $(STAMP)
	$(BIN)/python -m demo

# Three systemd hosts behind HAProxy.
demo-lab: $(STAMP)
	$(BIN)/python -m tests.lab setup
	$(BIN)/python -m demo.lab

test:
	$(MAKE) -j 2 check packages
	./scripts/beside "$(MAKE) sim" "$(MAKE) unit lab alone bench-short"

# Formatting, types, and the import directions of the design.
check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

unit: $(STAMP) packages
	$(BIN)/pytest -n $(UNIT_WORKERS) --dist loadgroup -m "not lab and not alone and not sim" tests

sim: $(STAMP)
	$(BIN)/pytest -n $(SIM_WORKERS) -m sim tests/simulation

# Real systemd hosts: needs root and systemd-nspawn; says why when it cannot. Every worker has a
# lab of its own, and may be slower for its neighbours.
lab: $(STAMP) packages
	$(BIN)/pytest -n $(LAB_WORKERS) --dist loadgroup --timeout 300 -m "lab and not alone" tests

# What measures time: one after the other, with nothing beside them but random rollouts, which get
# only what is left (see scripts/beside).
alone: $(STAMP) packages
	$(BIN)/pytest --timeout 300 -m alone $$(grep -rl --include='test_*.py' 'mark\.alone' tests)

bench: $(STAMP)
	$(BIN)/python -m bench

bench-short: $(STAMP)
	$(BIN)/python -m bench --short

docs: $(STAMP)
	$(BIN)/python -m docs.generate

.PHONY: packages
packages:
	./scripts/packages

$(STAMP): requirements/dev.lock pyproject.toml
	./scripts/venv $(PYTHON) $(VENV)
	$(BIN)/pip install -q -r requirements/dev.lock
	$(BIN)/pip install -q --no-deps --no-build-isolation -e .
	touch $(STAMP)

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
