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

# the ports under loom: executions, times, and with --outcomes what was observed; arguments are mechanisms or scenarios
loom *ARGS:
    cargo run --release --quiet --package kverdict-harnesses --bin loom -- {{ARGS}}

# the same without preemption bounds and with more threads (ten seconds)
loom-deep *ARGS:
    cargo run --release --quiet --package kverdict-harnesses --bin loom -- --deep {{ARGS}}

# herd7 and the kernel's memory model, fetched into target/herd7 from the machine's Debian archive (20 MB)
herd7:
    ./harnesses/litmus/fetch-herd7

# the ports on real threads for twenty seconds, or --seconds N
stress *ARGS:
    cargo run --release --quiet --package kverdict-harnesses --bin stress -- {{ARGS}}

# the Kani proofs, judged; NOT RUN where Kani is not installed
prove *ARGS:
    cargo run --release --quiet -- prove {{ARGS}}

# walk through the state spaces in the browser
explore *ARGS:
    cargo run --release --quiet -- explore {{ARGS}}

# the main job with its report in target/reports; arguments go to `kverdict report`
report *ARGS:
    rm -f target/results.json target/proofs.json; cargo run --release --quiet -- check --results target/results.json || test -s target/results.json; cargo run --release --quiet -- prove --results target/proofs.json >target/proofs.txt || test -s target/proofs.json; cargo run --release --quiet -- report target/results.json target/proofs.json {{ARGS}}

# states per second and memory per state, beside Stateright and SPIN (minutes)
bench *ARGS:
    cargo bench --package kverdict-benches {{ARGS}}

# everything that must hold before a merge
ci:
    .ci/run
