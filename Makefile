# The only door: `make` lists what there is, and .ci/run calls the same targets.

.DEFAULT_GOAL := help
.PHONY: help demo test check fmt clippy doc tidy unit setup build lab bench soak fuzz gen down hooks

export PATH := $(PATH):$(HOME)/.cargo/bin:/usr/local/go/bin:/usr/sbin:/sbin
# CI keeps what it has compiled outside the checkout, and holds the lock file to what was committed.
ifeq ($(CI),true)
export CARGO_TARGET_DIR ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/seamark/target
CARGO := cargo --locked
else
CARGO := cargo
endif
TARGET := $(or $(CARGO_TARGET_DIR),target)
BINARIES := -p seamark-controller -p seamark-speaker -p seamark-tests \
	--bin seamark-controller --bin seamark-speaker --bin lab-pod
# What ships needs nothing of the machine's libraries. A target must be named, as the flag is for
# what is built and not for the macros that build it.
HOST = $(shell rustc -vV | sed -n 's/^host: //p')
RELEASE = RUSTFLAGS='$(RUSTFLAGS) -C target-feature=+crt-static' $(CARGO) build --release --target $(HOST)
SOAK_SEEDS ?= 50
FUZZ_SECONDS ?= 30

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 10

demo: setup ## show the main job from end to end (KEEP=1 leaves the lab up)
	@$(CARGO) build --profile lab $(BINARIES) --bin demo
	@$(TARGET)/lab/demo

test: ## set up and run everything that must pass
	@tests/tools/stages.sh setup fmt clippy doc tidy unit build lab

check: fmt clippy doc ## formatting, lints and documentation

fmt:
	@$(CARGO) fmt --all -- --check

clippy:
	@$(CARGO) clippy --workspace --all-targets --features seamark-tests/lab -- -D warnings

doc:
	@RUSTDOCFLAGS='-D warnings' $(CARGO) doc --workspace --no-deps

tidy: ## arrows, lengths, banned crates, licences, links
	@$(CARGO) test --workspace --test tidy

unit: ## all tests that need no root
	@$(CARGO) test --workspace

setup: ## Debian packages and the Kubernetes programs of the lab, each once
	@tests/tools/setup.sh

build: ## the binaries that the lab runs
	@$(CARGO) build --profile lab $(BINARIES)

lab: setup build ## scenarios in network namespaces (needs root; SCENARIO=words picks some)
	@SEAMARK_BIN_DIR=$(abspath $(TARGET)/lab) \
		$(CARGO) test --workspace --features seamark-tests/lab --test lab

bench: setup ## figures of a release build, also in target/bench.json (BENCH=words picks some)
	@$(RELEASE) $(BINARIES) --bin bench -p seamark-ipam --example alloc_ns \
		-p seamark-bgp --example wire_per_s -p seamark-plan --example plan_10k_ms
	@$(TARGET)/$(HOST)/release/bench

soak: ## the scenarios with random moments, with many seeds (SOAK_SEEDS)
	@$(MAKE) --no-print-directory lab SEEDS=$(SOAK_SEEDS) SCENARIO='$(or $(SCENARIO),random)'

fuzz: ## every fuzz target for FUZZ_SECONDS (FUZZ=words picks some)
	@tools=$$(tests/tools/setup.sh fuzz) && export PATH="$$tools:$$PATH" && \
	for target in $$(cargo +nightly fuzz list --fuzz-dir tests/fuzz | grep -e '$(FUZZ)'); do \
		cargo +nightly fuzz run --fuzz-dir tests/fuzz $$target -- -max_total_time=$(FUZZ_SECONDS) || exit 1; done

gen: ## write the generated files anew
	@$(CARGO) run -p seamark-crds --bin crdgen -- crds/manifests

down: ## end labs that were kept up, and what killed runs left
	@$(CARGO) run --quiet -p seamark-tests --bin lab-down

hooks: ## link the git hooks
	@ln -sf "$$(realpath .ci/hooks/pre-commit)" "$$(realpath .ci/hooks/pre-push)" "$$(git rev-parse --git-path hooks)/"
