"""The tables of docs/scale.md are those that the code would write."""

import asyncio

from benchmarks.sizes import PAGE, measured, page, tables


def test_the_page_of_sizes_is_up_to_date() -> None:
    present = PAGE.read_text()
    written = page(present, tables(*asyncio.run(measured())))
    # SQLite's pages depend on the library's version; everything else is the same everywhere.
    assert [line for line in written.splitlines() if not line.startswith("SQLite:")] == [
        line for line in present.splitlines() if not line.startswith("SQLite:")
    ]
