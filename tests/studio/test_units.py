"""The checks of studio itself, run by the Node.js of the environment.

`studio/tests` has the unit tests, and with them the check of every operation against schema.graphql.
"""

from pathlib import Path

import hatch_build

ROOT = Path(__file__).parents[2]


def test_every_file_and_every_result_of_an_operation_has_the_type_it_claims(studio: Path) -> None:
    hatch_build.run_node(ROOT, ["node_modules/gql.tada/bin/cli.js", "generate-output"])
    hatch_build.run_node(ROOT, ["node_modules/typescript/bin/tsc", "--project", "tsconfig.json"])


def test_every_file_is_formatted(studio: Path) -> None:
    hatch_build.run_node(ROOT, ["node_modules/prettier/bin/prettier.cjs", "--check", "**/*.{ts,tsx}"])


def test_units_and_operations(studio: Path) -> None:
    printed = hatch_build.run_node(ROOT, ["node_modules/vitest/vitest.mjs", "run"])
    for file in (studio / "tests").glob("*.test.ts"):
        assert file.name in printed
