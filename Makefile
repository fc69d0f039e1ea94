# make demo | make test: each does its own set-up first. ARGS goes to the command: make demo ARGS=--yes
SHELL := /bin/sh
PYTHON ?=
ARGS ?=

bin := .venv/bin
# SANDBOX=modal-double runs the demo's sandboxes by Modal's real client on a double of Modal on this machine; other
# providers are chosen by PAWL_SANDBOX.
SANDBOX ?=
served := $(if $(filter modal-double,$(SANDBOX)),$(bin)/python -m tests.fakes.modal --)
# A file at a time in each process, in the order that tests/conftest.py gives. Four suit two processors: tests wait a lot.
side_by_side := -n 4 --dist loadfile --no-loadscope-reorder
# Hundreds of processes load the same modules: they are compiled once, even where the environment says otherwise.
unexport PYTHONDONTWRITEBYTECODE
# The tests and the demo fetch packages with the uv that setup installed.
export UV := $(CURDIR)/.tools/uv/bin/uv
export UV_SYSTEM_CERTS ?= 1

.PHONY: setup browser demo demo-triage test test-fast check conformance bench bench-sandbox bench-ingress lock clean

setup: ## Python environment, Temporal server, sandbox tools
	@PYTHON=$(PYTHON) infra/setup.sh

demo: setup ## A ticket becomes a pull request, in the terminal and in the Temporal UI; no key needed
	@$(served) $(bin)/python starter.py demo $(ARGS)

demo-triage: setup ## A week of nights that find, show, ticket and stay silent, in about a minute; no key needed
	@$(served) $(bin)/python starter.py demo --triage $(ARGS)

test: browser check ## Every check and every test; the kill tests last and alone, since they need the machine
	@$(bin)/python -m pytest $(side_by_side) -m "not crash" $(ARGS)
	@$(bin)/python -m pytest -m crash $(ARGS)

browser: setup ## Chromium, for the test of the Temporal UI
	@PYTHON=$(PYTHON) infra/setup.sh tests

test-fast: setup ## What needs no server, no sandbox and no kills
	@$(bin)/python -m pytest -q -n 2 -m "not server and not sandbox and not crash" $(ARGS)

check: setup ## Lint, format, types, who may import whom
	@$(bin)/ruff check .
	@$(bin)/ruff format --check .
	@$(bin)/basedpyright
	@$(bin)/lint-imports

conformance: setup ## Ask every sandbox provider everything, and write the answers to docs/operate; with ARGS, to build
	@mkdir -p build
	@$(bin)/python -m pytest -q $(side_by_side) tests/ports/sandbox --conformance build/conformance.json $(ARGS)
	@$(bin)/python -m tests.ports.sandbox.table build/conformance.json build/conformance.json.ordinary \
		> build/sandbox-conformance.md
	@$(if $(strip $(ARGS)),\
		echo "Not all was asked (ARGS): the table is in build/sandbox-conformance.md; the page stays as it is.",\
		mv build/sandbox-conformance.md docs/operate/sandbox-conformance.md)

bench: setup ## Throughput, CPU, bytes, memory and recovery time, as a table and as JSON
	@$(bin)/python -m bench $(ARGS)

bench-sandbox: setup ## What sandboxes cost: commands, starts, the way out, many at once
	@$(bin)/python -m bench.sandboxes $(ARGS)

bench-ingress: setup ## Signed webhooks by the second, with Temporal behind and without it for a while
	@$(bin)/python -m bench.ingress $(ARGS)

lock: setup ## Resolve again what pyproject.toml allows
	@$(UV) pip compile --quiet --generate-hashes --no-emit-index-url --universal --python-version 3.11 \
		--group dev pyproject.toml --output-file requirements.lock $(ARGS)

clean: ## Remove what setup and the tools made in this folder; tickets and records in ~/.pawl stay
	rm -rf .venv .tools build dist .pytest_cache .ruff_cache .import_linter_cache .hypothesis *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
