# Tasks of this repository; run them as `uv run just NAME`, which puts the tools of the environment on the path.

set shell := ["bash", "-euo", "pipefail", "-c"]

# What there is to run.
default:
    @just --list

# Everything that needs no test run: format, lint, types, rooms, generated files, docs, pins.
check: format-check lint types rooms generated schema-changes docs studio-types pin-check

# Format all Python and mend what the linter can.
format:
    ruff check --fix --exit-zero --quiet
    ruff format

# The whole test suite; arguments go to pytest, e.g. `just test tests/store -n 0`.
test *arguments:
    pytest {{ arguments }}

# Ten minutes of random operations against a server; `--seconds 60 --seed 7` for others.
fuzz *arguments:
    python -m tests.server.fuzzing {{ arguments }}

# The benchmarks, as a table with the goal beside each number.
bench *arguments:
    python -m benchmarks {{ arguments }}

# Write schema.graphql from the code.
schema:
    python scripts/generate.py schema

# Write the table of settings in docs/settings.md from the code.
settings:
    python scripts/generate.py settings

# Pin the whole dependency tree in pyproject.toml; see scripts/pin.py for the options.
pin *arguments:
    python scripts/pin.py {{ arguments }}

# What does the schema take away from clients since the last release? Fails unless CHANGELOG.md says so.
schema-changes *revision:
    python scripts/changes.py {{ revision }}

# Is everything formatted?
format-check:
    ruff format --check

# The linter.
lint:
    ruff check

# mypy --strict; the plugin packages by the name they are installed under.
types:
    mypy
    mypy --package graphql_runs_text --package graphql_runs_tabular --package graphql_runs_azureml --package graphql_runs_tensorboard --package graphql_runs_wandb --package graphql_runs_mlflow --package graphql_runs_slurm

# The studio's types, with its own compiler.
studio-types:
    pytest tests/studio/test_units.py -n 0 --quiet -k type

# Do the imports keep to the rooms table?
rooms:
    lint-imports --no-logo

# Are the committed generated files as the code would write them?
generated:
    python scripts/generate.py schema settings --check

# Do the docs say what the code does, and is the tree tidy?
docs:
    pytest tests/docs tests/repo -n 0 --quiet

# Are all pins there, and do they agree with a fresh resolution?
pin-check:
    python scripts/pin.py --check
