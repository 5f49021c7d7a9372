# Set-up, build and tests. `make run` and `make test` are all that a fresh clone needs; libtorch is fetched once.

.PHONY: run test libtorch install bench lint

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
	@if cargo deny --version >/dev/null 2>&1; then \
		cargo deny check --config .config/deny.toml; \
	else \
		echo "cargo deny is skipped: it is not installed (cargo install cargo-deny)"; \
	fi
