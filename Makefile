# Everything a newcomer needs starts here. Each target makes its own environment in .venv first.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help install demo test check lint types contracts tidy unit processes chaos seeds swarm soak bench lock locale clean

help:            ## what there is
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 14

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Maillon needs Python 3.11 or newer: make PYTHON=python3.12 ..."; exit 1; }
	@test -d $(VENV) || $(PYTHON) -m venv $(VENV)
	@echo "Installing the locked dependencies into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

install: $(STAMP) ## maillon itself, in .venv/bin

demo: $(STAMP)   ## six organisations, six processes, two disks lost, every byte back
	@$(BIN)/python -m node.demo $(if $(FILES),--files "$(FILES)")

test: check unit seeds processes  ## all that must hold, in under 15 minutes

check: lint types contracts tidy  ## style, types, floors and sizes

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)
	$(BIN)/mypy

contracts: $(STAMP)
	$(BIN)/lint-imports

tidy: $(STAMP)
	$(BIN)/pytest tests/tools

unit: $(STAMP)
	$(BIN)/pytest --numprocesses auto tests/protocol tests/node tests/sim -m "not chaos"

processes: $(STAMP)
	$(BIN)/pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder tests/processes -m "not chaos"

# Laws of the node of which `make test` tries half as many examples.
DEAR := tests/node/store/test_kept_epochs.py tests/node/vault/test_journal_lives.py

chaos: $(STAMP)  ## real processes killed at every step of what a gateway does, larger explorations, new examples for the laws
	$(BIN)/pytest tests/protocol tests/sim tests/processes -m chaos
	$(BIN)/pytest --numprocesses auto tests/protocol $(DEAR) -m "not chaos" --hypothesis-profile new

seeds: $(STAMP)  ## five hundred small scenarios in the simulated world, on every core
	$(BIN)/maillon sim swarm --short --seed 1 --runs 500

swarm: $(STAMP)  ## random scenarios in the simulated world, on every core, for FOR=10m
	$(BIN)/maillon sim swarm --for $(or $(FOR),10m)

soak: $(STAMP)   ## 64 S3 clients for MINUTES=10, while every minute a node is killed and started again
	$(BIN)/python -m tests.soak --minutes $(or $(MINUTES),10)

bench: $(STAMP)  ## the speed tables of docs/performance.md: objects, and S3
	$(BIN)/python -m tests.bench && $(BIN)/python -m tests.bench.s3

lock: $(STAMP)   ## choose the newest versions again
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --extra dev --output-file requirements.lock pyproject.toml

locale: $(STAMP) ## gather the program's messages for the translators, and compile
	$(BIN)/python -m tests.tools.catalogue

clean:           ## remove what make made
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis build dist *.egg-info
