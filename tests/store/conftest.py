import pytest

# The suite lives in modules that are not collected by their names; their assertions should explain themselves too.
pytest.register_assert_rewrite(
    "tests.store.suite",
    "tests.store.samples",
    "tests.store.reference",
    "tests.store.searching",
    "tests.store.meanings",
)
