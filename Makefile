# Every target is one line of `make help`. CI calls the same names.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Processes for tests that mostly wait for their servers.
AT_ONCE ?= 2

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint fmt types imports unit contract kube faults e2e gen verify lock sim reality bench test-brokers clean

help: ## Show what can be made
	@awk -F':.*## ' '/^[a-z0-9-]+:.*## / {printf "  \033[1m%-12s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## Make .venv with every dependency at its locked version

$(STAMP): requirements.lock pyproject.toml
	@echo "==> setup: a virtual environment with the locked dependencies (under a minute)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is " + sys.version.split()[0])'
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --no-compile --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(STAMP)

demo: setup ## Play the whole story on this machine: cluster, broker, workers, faults
	@$(BIN)/headgate demo $(if $(KEEP),--keep)

test: setup lint types imports verify unit contract kube ## Prove it, fast failures first

lint: setup ## Style and formatting
	@echo "==> lint"; $(BIN)/ruff check --quiet . && $(BIN)/ruff format --quiet --check .

fmt: setup ## Format the code
	@$(BIN)/ruff check --fix --quiet . || true; $(BIN)/ruff format --quiet .

types: setup ## mypy --strict, no exemptions
	@echo "==> types"; $(BIN)/mypy operator/headgate tests bench examples

imports: setup ## Which layer may import which
	@echo "==> imports"; $(BIN)/lint-imports --no-logo

unit: setup ## Decisions: tables and laws
	@echo "==> unit tests, their coverage, then the long laws and traces (about two minutes)"; $(BIN)/pytest -q -n 2 tests/unit -m 'not unwatched' --cov --cov-report=
	@$(BIN)/coverage report --format=total | sed 's/^/coverage of all the package by unit tests alone, percent: /'
	@echo "coverage of core, branches included:"; $(BIN)/coverage report --include='operator/headgate/core/*' --skip-covered --fail-under=100 | tail -n 4
	@$(BIN)/pytest -q -n 2 tests/unit -m unwatched

contract: setup ## One suite, every broker: the fake and real NATS servers
	@echo "==> contract tests on real NATS servers (about a minute and a half)"; $(BIN)/pytest -q -n $(AT_ONCE) tests/contract

kube: setup ## The operator on a real control plane
	@echo "==> the local cluster, and the operator on a real control plane (seven to eight minutes; the first run builds it, six more)"
	@$(BIN)/python -u -c 'from headgate.local.binaries import resolve; resolve(print)'
	@$(BIN)/pytest -q -n $(AT_ONCE) --dist loadfile --no-loadscope-reorder tests/local tests/kube

faults: setup ## Harm every call of operator and mover (about six minutes; CI runs it after `make e2e`)
	@echo "==> fault tests (every call of a life goes wrong in every way: about six minutes)"; $(BIN)/pytest -q tests/faults

test-brokers: setup ## The same on real Kafka and RabbitMQ servers (needs Java 17, Maven, Debian's apt)
	@echo "==> Kafka and RabbitMQ: the first run fetches their servers (about five minutes)"
	@$(BIN)/python -u -c 'from headgate.local.brokers import obtain_every; obtain_every(print)'
	@$(BIN)/pytest -q -n $(AT_ONCE) --dist loadfile --no-loadscope-reorder tests/brokers

e2e: setup ## Numbered messages through failing workers (CI runs it after `make test`)
	@echo "==> end-to-end: 20,000 numbered messages, twice (about two minutes)"; $(BIN)/pytest -q tests/e2e

gen: setup ## Regenerate CRDs, field tables, RBAC
	@$(BIN)/python -m headgate.local.generate

verify: setup ## Fail when a generated file differs from its source
	@echo "==> verify"; $(BIN)/python -m headgate.local.generate --check

lock: ## Renew requirements.lock
	@$(BIN)/uv pip compile pyproject.toml --all-extras --group dev --generate-hashes --universal --no-header --no-emit-index-url -q -o requirements.lock --upgrade

sim: setup ## Play the standard traces in every setting, renew docs/simulation.md (CHECK=1: only compare, as CI does)
	@echo "==> sim: 13 traces, 15 settings (about three minutes)"; $(BIN)/python -m bench.simulation $(if $(CHECK),--check) $(if $(ACCEPT),--accept)

reality: setup ## Replay five traces on real workers at true speed, renew their part of docs/simulation.md
	@echo "==> reality: five traces of four minutes (about 22 minutes)"; $(BIN)/python -m bench.reality --document

bench: setup ## Measure against the floor, print the figures
	@$(BIN)/python -m bench.run

clean: ## Remove what was built here
	@rm -rf $(VENV) out .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
