# What a newcomer types. Every target first installs what it needs, and finds it there the second time.

PYTHON ?= python3
EXTRAS ?= dev
EVENTS ?= 50000
TESTS ?=
JOBS ?= 3
CHAOS_ROUNDS ?= 10

BIN := .venv/bin
INSTALLED := .venv/.installed.$(EXTRAS)

.DEFAULT_GOAL := help
.PHONY: help install demo test chaos bench peers check lock clean

help: ## This list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

install: $(INSTALLED) ## .venv with the project in it, edits take effect at once (EXTRAS=dev,cuda for a GPU)
	@:

$(INSTALLED): pyproject.toml constraints.txt
	@PYTHON='$(PYTHON)' bash scripts/make-venv.sh .venv
	@echo 'installing interest-stream[$(EXTRAS)]; this takes a minute or two the first time'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[$(EXTRAS)]'
	@touch '$@'

demo: $(INSTALLED) ## A simulated shop, a broker and a worker in one process (EVENTS=50000)
	@$(BIN)/interest-stream demo --events $(EVENTS)

test: $(INSTALLED) ## Every test, the fast ones first, against a real Kafka (TESTS='tests/unit -k window' for some, JOBS=3 at once)
	@$(BIN)/python -m pytest --numprocesses $(JOBS) --dist loadgroup $(TESTS)

chaos: $(INSTALLED) ## The chaos tests in their long form (CHAOS_ROUNDS=10)
	@CHAOS_ROUNDS=$(CHAOS_ROUNDS) $(BIN)/python -m pytest tests/chaos

bench: $(INSTALLED) ## Every figure of docs/performance.md that ten minutes give, a JSON line each, and its pictures
	@$(MAKE) --no-print-directory peers || echo 'without peers their figures will be missing' >&2
	@$(BIN)/python -m tests.benchmark.bench --docs docs

peers: .peers/learning/.installed .peers/recommenders/.installed .peers/quixstreams/.installed ## What the figures are compared with, in environments of their own
	@:

.peers/%/.installed: tests/benchmark/peers/%.txt
	@PYTHON='$(PYTHON)' bash scripts/make-venv.sh .peers/$*
	@echo 'installing the $* peers; torch takes some minutes' >&2
	@.peers/$*/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	@touch '$@'

check: $(INSTALLED) ## Formatting, lint rules, types
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy

lock: ## Write constraints.txt anew: the newest versions that pyproject.toml allows
	@PYTHON='$(PYTHON)' bash scripts/lock.sh constraints.txt

clean: ## Remove what make and the tests made, downloaded jars included
	@rm -rf .venv .peers .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist *.egg-info
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
