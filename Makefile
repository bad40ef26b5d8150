# The only door: `make` lists what there is, and .ci/run calls the same targets.

.DEFAULT_GOAL := help
.PHONY: help demo test check fmt clippy doc tidy unit setup build before chart lab bench image release soak fuzz gen down hooks

export PATH := $(PATH):$(HOME)/.cargo/bin:/usr/local/go/bin:/usr/sbin:/sbin
# CI keeps what it has compiled outside the checkout, and holds the lock file to what was committed.
ifeq ($(CI),true)
export CARGO_TARGET_DIR ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/seamark/target
CARGO := cargo --locked
ifneq ($(shell tests/tools/claim.sh '$(CARGO_TARGET_DIR)' && echo ok),ok)
$(error what is compiled in $(CARGO_TARGET_DIR) may be of another checkout; see tests/tools/claim.sh)
endif
else
CARGO := cargo
endif
TARGET := $(abspath $(or $(CARGO_TARGET_DIR),target))
BINARIES := -p seamark-controller -p seamark-speaker -p seamark-tests \
	--bin seamark-controller --bin seamark-speaker --bin lab-pod
# What ships needs nothing of the machine's libraries and says nothing of the machine that built it.
# The checkout's own path is not among the flags: cargo names its files from the top of the workspace,
# and another path would mean compiling everything again.
# A target must be named, as the flags are for what is built and not for the macros that build it.
HOST = $(shell rustc -vV | sed -n 's/^host: //p')
# PROFILE=lab builds faster and runs slower.
PROFILE ?= release
STATIC = RUSTFLAGS='$(RUSTFLAGS) -C target-feature=+crt-static \
	--remap-path-prefix=$(or $(CARGO_HOME),$(HOME)/.cargo)=cargo' \
	$(CARGO) build --profile $(PROFILE) --target $(HOST)
PROGRAMS = $(TARGET)/$(HOST)/$(PROFILE)
HELM = $(shell tests/tools/setup.sh where | tail -n 1)/helm
SOAK_SEEDS ?= 50
FUZZ_SECONDS ?= 30

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 10

demo: setup ## show the main job from end to end (CHART=1 by the chart, KEEP=1 leaves the lab up)
	@$(STATIC) $(BINARIES) --bin demo
	@$(PROGRAMS)/demo

test: ## set up and run everything that must pass
	@tests/tools/stages.sh setup fmt clippy doc tidy unit build before chart lab

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

build: ## the binaries that ship, and that the lab runs
	@$(STATIC) $(BINARIES)
	@$(CARGO) build -p seamark-speaker

chart: setup ## the chart without a cluster: renders, schemas, refusals, rights
	@$(CARGO) test --workspace --features seamark-tests/lab --test chart

before: ## the version before this one, which has to get along with it
	@tests/tools/before.sh

lab: setup build before ## scenarios in network namespaces (needs root; SCENARIO=words picks some)
	@SEAMARK_BIN_DIR=$(PROGRAMS) SEAMARK_DYNAMIC_DIR=$(TARGET)/debug \
		$(CARGO) test --workspace --features seamark-tests/lab --test lab

bench: setup ## figures of a release build, also in target/bench.json (BENCH=words picks some)
	@$(STATIC) $(BINARIES) --bin bench -p seamark-ipam --example alloc_ns \
		-p seamark-bgp --example wire_per_s -p seamark-plan --example plan_10k_ms
	@$(PROGRAMS)/bench

image: ## images of both programs as OCI archives, with their bills of materials, in target/images
	@$(STATIC) -p seamark-controller -p seamark-speaker --bin seamark-controller --bin seamark-speaker
	@$(CARGO) run --quiet -p seamark-release -- image --binaries $(PROGRAMS) --out target/images --target $(HOST)

release: setup ## all that is published of VERSION=x.y.z, in target/release-x.y.z
	@test -n "$(VERSION)" || { echo 'name the version: make release VERSION=x.y.z' >&2; exit 2; }
	@$(STATIC) -p seamark-controller -p seamark-speaker --bin seamark-controller --bin seamark-speaker
	@$(CARGO) run --quiet -p seamark-release -- all --version $(VERSION) --binaries $(PROGRAMS) \
		--out target/release-$(VERSION) --target $(HOST) --helm $(HELM)

soak: ## the scenarios with random moments, with many seeds (SOAK_SEEDS)
	@$(MAKE) --no-print-directory lab SEEDS=$(SOAK_SEEDS) SCENARIO='$(or $(SCENARIO),random)'

fuzz: ## every fuzz target for FUZZ_SECONDS (FUZZ=words picks some)
	@tools=$$(tests/tools/setup.sh fuzz) && export PATH="$$tools:$$PATH" && \
	for target in $$(cargo +nightly fuzz list --fuzz-dir tests/fuzz | grep -e '$(FUZZ)'); do \
		mkdir -p target/corpus/$$target && \
		cargo +nightly fuzz run --fuzz-dir tests/fuzz $$target target/corpus/$$target tests/fuzz/corpus/$$target \
			-- -max_total_time=$(FUZZ_SECONDS) || exit 1; done

gen: ## write the generated files anew
	@$(CARGO) run -p seamark-crds --bin crdgen -- crds/manifests
	@$(CARGO) run -p seamark-release -- gen

down: ## end labs that were kept up, and what killed runs left
	@$(CARGO) run --quiet -p seamark-tests --bin lab-down

hooks: ## link the git hooks
	@ln -sf "$$(realpath .ci/hooks/pre-commit)" "$$(realpath .ci/hooks/pre-push)" "$$(git rev-parse --git-path hooks)/"
