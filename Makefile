# Lakewright: `make help` lists what there is.
SHELL := /bin/bash
export CARGO_TARGET_DIR ?= $(CURDIR)/target
VENV := $(CURDIR)/.venv

.PHONY: help setup demo test test-rust test-python lint bench bench-stream bench-lineage soak-catalog soak-crash

help: ## This list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  \1\t/' | expand -t 16

setup: ## Install what building and testing need (mold, strace, a Python environment)
	@tests/tools/setup.sh python

demo: ## One node reads a stand-in of Partner Central, follows its changes, and a mart moves (first build: about 15 minutes; then 2 minutes)
	@tests/tools/setup.sh demo
	@echo "demo: building lakewright (the first time this takes about 15 minutes on 2 cores)"
	@cargo build -p lakewright-node --bin lakewright
	@tests/tools/demo.sh $(DEMO_ARGS)

test: ## Every test: units and properties, the crash sample, real clients (warm build: about 15 minutes)
	@tests/tools/setup.sh python
	@$(MAKE) --no-print-directory test-rust test-python

test-rust: ## Units, properties, tidy, crash sample
	@echo "test: building (cold: about 15 minutes on 2 cores)"
	@time cargo test --workspace --no-run
	@cargo build -p lakewright-node --bin lakewright
	@time cargo test --workspace

test-python: ## Real clients against a real node: ADBC, pyarrow, grpcurl
	@tests/tools/setup.sh python
	@cargo build -p lakewright-node --bin lakewright
	@time $(VENV)/bin/python -m pytest -q tests/python

lint: ## Formatting and clippy, warnings are errors (cold: about 8 minutes)
	@tests/tools/setup.sh
	@cargo fmt --all --check
	@time cargo clippy --workspace --all-targets -- -D warnings

bench: ## Ingestion against DuckDB on the same work, release build; BENCH_ARGS="throughput" for that alone (first time: about 40 minutes)
	@tests/tools/setup.sh python
	@cargo build --release -p lakewright-node --bin lakewright
	@$(VENV)/bin/python tests/bench/bench.py $(BENCH_ARGS)

bench-stream: ## Small commits every 2 s for half an hour: files per partition and query times stay level (STREAM_ARGS="--minutes 6 --every 0.5" for less)
	@tests/tools/setup.sh python
	@cargo build --release -p lakewright-node --bin lakewright
	@$(VENV)/bin/python tests/bench/stream.py $(STREAM_ARGS)

bench-lineage: ## Lineage walks among 1,000,000 edges, and `explain cell` of 1,000,000 rows (about 30 minutes; LINEAGE_ARGS="--edges 10000" for less)
	@tests/tools/setup.sh python
	@cargo build --release -p lakewright-node --bin lakewright
	@$(VENV)/bin/python tests/bench/lineage.py $(LINEAGE_ARGS)
	@$(VENV)/bin/python tests/bench/bench.py explain

soak-catalog: ## An hour of SIGKILLs against catalog commits (SOAK_SECONDS sets another time)
	@tests/tools/setup.sh python
	@cargo build -p lakewright-node --bin lakewright
	@$(VENV)/bin/python tests/tools/soak_catalog.py --seconds $${SOAK_SECONDS:-3600}

soak-crash: ## Over 60 kills over 100,000 records, compared with an oracle (about 5 minutes)
	@tests/tools/setup.sh python
	@cargo build -p lakewright-node --bin lakewright
	@LAKEWRIGHT_CRASH_RECORDS=100000 LAKEWRIGHT_CRASH_KILLS=80 $(VENV)/bin/python -m pytest -q -s tests/python/crash_test.py
