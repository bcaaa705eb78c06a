# What a person or CI starts. `make help` lists it.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help up test lint bench chaos nightly audit

CACHE := $(if $(XDG_CACHE_HOME),$(XDG_CACHE_HOME),$(HOME)/.cache)/vedette
export PATH := $(CACHE)/bin:$(PATH)

# Arguments for the program that a target starts, as `make up ARGS='--elasticsearch http://127.0.0.1:9200'`.
ARGS ?=
# How many cases the rule engine is held against its oracle in, and for how many seconds each fuzz target runs.
CASES ?= 1000000
SECONDS_EACH ?= 600
# How many rounds of chaos, and the seed of the first one.
ROUNDS ?= 5
SEED ?=

help: ## What can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

up: ## Build and start everything in one process on sample data, and leave it running (ARGS=…)
	@scripts/up.sh $(ARGS)

test: ## Run every test, unit to end-to-end, on the real components
	@scripts/test.sh $(ARGS)

lint: ## Formatting, clippy, licences and sources of dependencies, the rules of this repository
	@scripts/lint.sh

bench: ## Run the benchmarks; each prints a ratio (ARGS=…; PEERS=1 builds other rule engines beside ours)
	@scripts/bench.sh $(ARGS)

chaos: ## Kill services and the broker under load, ROUNDS=n times from SEED=s on
	@scripts/tools.sh toolchain nats nextest es9 opensearch alertmanager
	@cargo build --locked --workspace --bins --tests
	@VEDETTE_CHAOS_ROUNDS=$(ROUNDS) VEDETTE_CHAOS_SEED=$(SEED) \
		cargo nextest run --profile chaos --locked --workspace -E 'package(vedette-e2e) & binary(it) & test(/^chaos/)' --no-capture $(ARGS)

nightly: ## Hold the rule engine against its oracle in CASES=n cases, and fuzz it for SECONDS_EACH=s a target
	@CASES=$(CASES) SECONDS_EACH=$(SECONDS_EACH) scripts/nightly.sh

audit: ## Hold the dependencies against the published advisories (needs the internet)
	@scripts/tools.sh deny
	@cargo deny check advisories
