# What is done often, in one word each: `just` lists them. https://just.systems, or `pip install rust-just`.

python := ".venv/bin/python"

[private]
default:
    @just --list --unsorted

# Make the environment, with everything that checks and tests need.
setup:
    python3 -m venv .venv
    .venv/bin/pip install -q -e '.[dev]'

# Run the tests that need no processes of their own: the inner loop.
quick *ARGS:
    {{python}} -m pytest -q -m 'not slow' -n auto {{ARGS}}

# Run all tests.
test *ARGS:
    {{python}} -m pytest -q -n auto {{ARGS}}

# Run the linters, the types and the layers.
check:
    .venv/bin/ruff check .
    .venv/bin/ruff format --check .
    .venv/bin/mypy
    .venv/bin/lint-imports
    .venv/bin/deptry .

# Write anew what is generated: the table of hot options, help, man pages, completions.
made:
    for made in fast_path docs completions; do {{python}} -m lollmsbot_keys.cli.$made; done

# Measure, beside a yardstick in the same run: startup, decision, state_update, contention, throughput, costs, quotation.
bench NAME:
    cd benchmarks && ../.venv/bin/python {{NAME}}.py

# Build the documentation into build/site, without the network.
docs:
    .venv/bin/zensical build --strict

# Check the workflows of .github/.
workflows:
    .venv/bin/zizmor --offline .github
    .venv/bin/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml

# Do all that has to be green, in new environments.
ci:
    .ci/run
