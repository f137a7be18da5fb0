# Everything is built in the release profile: what is tested is what is
# shipped, and nothing is compiled twice on a small machine.
# `make help` lists the targets.

CARGO ?= cargo
MECAPY := target/release/mecapy
FUZZ ?= --seconds 120 --seed 1
API ?= --cases 25 --seed 1

.DEFAULT_GOAL := help
.PHONY: help build demo docs test check fuzz test-all test-cgroup2 test-defences test-load bench generate tools test-servers

help: ## This list
	@grep -E '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

tools: ## Install what building and testing need and what is missing
	@scripts/install-tools

test-servers: tools ## The servers that only the tests start
	@scripts/install-test-servers

build: tools ## The program, at target/release/mecapy
	$(CARGO) build --release --package mecapy

demo: ## Install, build, start, deploy the examples, run one, serve until Ctrl-C
	@scripts/demo

docs: tools ## The documentation's site, at target/site, every link checked
	@scripts/docs

test: test-servers ## Every test, on real parts
	$(CARGO) test --release --workspace
	python3 scripts/test_runner.py
	$(CARGO) build --release --package mecapy
	scripts/test-examples $(MECAPY)
	PYTHONPATH=scripts PYTHONDONTWRITEBYTECODE=1 .tools/docs/bin/python scripts/test_docs_blocks.py
	scripts/test-docs $(MECAPY)
	scripts/test-api $(MECAPY) $(API)

check: tools ## Formatting, lints, documentation and checks of the repository
	$(CARGO) fmt --check
	rustfmt --check --edition 2024 crates/sandbox/runner/native/*.rs
	$(CARGO) clippy --release --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --release --workspace --no-deps --document-private-items
	$(CARGO) xtask check
	scripts/docs

fuzz: tools ## Random bytes for every reader, two minutes each; FUZZ="--seconds 900"
	rustfmt --check --edition 2024 fuzz/src/*.rs fuzz/targets/*.rs
	scripts/fuzz $(FUZZ)

test-all: ## Everything, the slow parts too; writes docs/test-report.md
	scripts/test-all

test-cgroup2: tools ## The sandbox on cgroup v2 alone, on a real kernel in QEMU
	@scripts/test-cgroup2

test-defences: tools ## Each defence switched off must turn a test red; writes docs/defences.md
	scripts/test-defences

test-load: build ## Hostile runs among honest ones, ten minutes; writes docs/hostile-load.md
	PYTHONPATH=benches PYTHONDONTWRITEBYTECODE=1 python3 -m mecapy_bench.hostile $(MECAPY) \
		--output docs/hostile-load.md

bench: build ## Measure on this machine and write docs/benchmarks.md
	scripts/bench $(MECAPY)

generate: ## Write the generated pages anew
	$(CARGO) xtask generate
