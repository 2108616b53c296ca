"""What is committed is source: small, made by hand, and true on every machine."""

import re
from pathlib import Path

import pytest

from tests.repo.tree import ROOT, files, text_of

LIMIT = 450
# Put together from parts, so that this file does not hold what it looks for.
MACHINE_PATH = re.compile(
    r"(?<![\w.\-/])/(?:"
    + "|".join(["wo" + "rk", "ro" + "ot", "fa" + "rm", r"home/\w+", r"Users/\w+"])
    + r")/"
    r"|\b[A-Z]:\\" + r"Users\\"
)
REGISTRY = re.compile(
    "|".join(
        name.replace("_", r"\.")
        for name in [
            "py" + "pi_org",
            "python" + "hosted_org",
            "npm" + "js_(?:org|com)",
            "yarn" + "pkg_com",
            "crates" + "_io",
            "maven" + "_org",
            "golang" + "_org",
            "deb" + "ian_org",
        ]
    )
)
BUILT = re.compile(
    r"(^|/)(node_modules|dist|build|__pycache__|static)/|\.(min\.js|map|whl|pyc|tsbuildinfo)$|^uv\.lock$"
)


def lines_with(pattern: re.Pattern[str]) -> list[str]:
    """The places, as `path:line`, where the text of a file of the repository has a match."""
    return [
        f"{path}:{number}: {line.strip()[:120]}"
        for path in files()
        for number, line in enumerate((text_of(path) or "").splitlines(), 1)
        if pattern.search(line)
    ]


def test_no_file_names_a_path_of_one_machine() -> None:
    assert lines_with(MACHINE_PATH) == []


def test_no_file_names_a_registry_host() -> None:
    assert lines_with(REGISTRY) == []


@pytest.mark.parametrize(
    ("pattern", "line"),
    [
        (MACHINE_PATH, "see /ro" + "ot/.cache/uv"),
        (MACHINE_PATH, '"/ho' + 'me/somebody/runs"'),
        (REGISTRY, "https://registry.npm" + "js.org/react"),
        (REGISTRY, "https://files.python" + "hosted.org/packages"),
    ],
)
def test_what_must_not_stand_is_found(pattern: re.Pattern[str], line: str) -> None:
    assert pattern.search(line)


@pytest.mark.parametrize(
    "line", ["tree/root/child", "https://host/work/", "outputs/home/x/", "the work/root tables"]
)
def test_what_only_looks_like_a_machine_path_may_stand(line: str) -> None:
    assert not MACHINE_PATH.search(line)


def test_source_files_are_short_enough_to_read() -> None:
    source = [path for path in files() if path.suffix in {".py", ".ts", ".tsx"}]
    assert source
    lengths = {str(path): len((ROOT / path).read_text().splitlines()) for path in source}
    assert {path: length for path, length in lengths.items() if length > LIMIT} == {}


def test_nothing_built_is_committed() -> None:
    assert [str(path) for path in files() if BUILT.search(path.as_posix())] == []


def test_no_code_is_minified() -> None:
    code = [path for path in files() if path.suffix in {".js", ".mjs", ".cjs", ".css", ".html"}]
    assert [
        str(path) for path in code if any(len(line) > 2000 for line in (text_of(path) or "").splitlines())
    ] == []


def test_every_distribution_carries_the_licence() -> None:
    licence = (ROOT / "LICENSE").read_text()
    assert "Apache License" in licence
    folders = [path.parent for path in files() if path.name == "pyproject.toml"]
    assert [str(folder) for folder in folders if (ROOT / folder / "LICENSE").read_text() != licence] == []


def test_shell_scripts_run_and_stop_at_errors() -> None:
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & 0o111 == 0o111
    assert script.read_text().startswith("#!/usr/bin/env bash\n")
    assert "\nset -euo pipefail\n" in script.read_text()


def test_decisions_have_one_form() -> None:
    folder = Path("docs/decisions")
    notes = [path for path in files() if path.parent == folder]
    assert notes
    assert [path.name for path in notes if not re.fullmatch(r"\d{4}-[a-z0-9-]+\.md", path.name)] == []
    numbers = [path.name[:4] for path in notes]
    assert len(numbers) == len(set(numbers))
    headings = {path: re.findall(r"^## (.+)$", (ROOT / path).read_text(), re.MULTILINE) for path in notes}
    assert {
        str(path): found for path, found in headings.items() if found != ["Context", "Choice", "Consequences"]
    } == {}
