set shell := ["bash", "-euo", "pipefail", "-c"]

# list the recipes
default:
    @just --list --unsorted

# every verdict at quick size; arguments go to `kverdict check`
check *ARGS:
    cargo run --release --quiet -- check {{ARGS}}

# every test
test:
    cargo test --workspace

# formatting and lints
lint:
    cargo fmt --all --check && cargo clippy --workspace --all-targets -- -D warnings

# the ports under loom: what was observed, executions, times; arguments are mechanisms or scenarios
loom *ARGS:
    cargo run --release --quiet --package kverdict-harnesses --bin loom -- {{ARGS}}

# the same without preemption bounds and with more threads (two minutes)
loom-deep *ARGS:
    cargo run --release --quiet --package kverdict-harnesses --bin loom -- --deep {{ARGS}}

# the ports on real threads for a bounded time
stress SECONDS="20":
    cargo run --release --quiet --package kverdict-harnesses --bin stress -- --seconds {{SECONDS}}

# walk through a state space in the browser
explore TARGET:
    cargo run --release --quiet -- explore {{TARGET}}

# the main job with its report in target/reports; arguments go to `kverdict report`
report *ARGS:
    rm -f target/results.json; cargo run --release --quiet -- check --results target/results.json || test -s target/results.json; cargo run --release --quiet -- report target/results.json {{ARGS}}

# states per second and memory per state, beside Stateright and SPIN (minutes)
bench:
    cargo bench --package kverdict-checker

# everything that must hold before a merge
ci:
    .ci/run
