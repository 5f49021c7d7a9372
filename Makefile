# Set-up, build and tests. `make run` and `make test` are all that a fresh clone needs; libtorch is fetched once.

# Left in a shell for another project, they would link another libtorch than the one that `make libtorch` has checked.
unexport LIBTORCH_USE_PYTORCH LIBTORCH_INCLUDE LIBTORCH_LIB LIBTORCH_STATIC

.PHONY: run test soak libtorch install bench lint tools advisories

# Trains the embedded example; options by ARGS, as in `make run ARGS="--steps 100"`.
run: libtorch
	cargo run --release -- run $(ARGS)

test: libtorch
	cargo test --workspace

# Into .libtorch/, or nothing at all where LIBTORCH is set.
libtorch:
	@.cargo/libtorch.sh

# The installed binary finds libtorch where it was built, so it runs in any folder as long as that stays.
install: libtorch
	cargo install --locked --path . --root "$${PREFIX:-$${CARGO_HOME:-$$HOME/.cargo}}"

bench: libtorch
	cargo bench --workspace

lint: libtorch
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	@cargo deny --version >/dev/null 2>&1 || { echo "cargo deny is not installed: 'make tools' does that" >&2; exit 1; }
	cargo deny --config .config/deny.toml check bans licenses sources

# What lint needs beside Rust; some minutes the first time.
tools:
	@cargo deny --version >/dev/null 2>&1 || cargo install --locked --debug cargo-deny --version 0.20.2

# Known faults of the crates, from the advisory database, which is fetched from the network.
advisories:
	cargo deny --config .config/deny.toml check advisories

# What tests/hostile does in some rounds, for MINUTES each, all at once: kills, damage, full disks, wild scripts and values.
MINUTES ?= 10
soak: libtorch
	SANDBOX_SOAK=$(MINUTES) cargo test --test hostile -- --nocapture --test-threads 32
