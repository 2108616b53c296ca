"""The build hook: builds when a source changed, costs nothing when none did, and says what went wrong."""

import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

import hatch_build

ROOT = Path(__file__).parents[2]


def checkout(folder: Path) -> Path:
    """A copy of the files that the page is built from."""
    shutil.copytree(
        ROOT / "studio", folder / "studio", ignore=shutil.ignore_patterns("node_modules", "types")
    )
    shutil.copy(ROOT / "hatch_build.py", folder)
    return folder


@pytest.fixture
def node_calls(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Has node do nothing but what the hook waits for, and tells how it was called."""
    calls: list[list[str]] = []

    def run_node(root: Path, arguments: list[str]) -> str:
        calls.append(arguments)
        if "ci" in arguments:
            (root / "studio" / "node_modules").mkdir(exist_ok=True)
        else:
            made = Path(arguments[arguments.index("--outDir") + 1])
            made.mkdir()
            (made / "index.html").write_text(f"build {len(calls)}")
        return ""

    monkeypatch.setattr(hatch_build, "run_node", run_node)
    return calls


def test_builds_once_for_the_same_sources(tmp_path: Path, node_calls: list[list[str]]) -> None:
    root = checkout(tmp_path)
    assert hatch_build.build(root)
    assert len(node_calls) == 2
    assert not hatch_build.build(root)
    assert len(node_calls) == 2


@pytest.mark.parametrize("name", ["studio/src/app.tsx", "studio/index.html", "hatch_build.py"])
def test_builds_again_after_an_edit(name: str, tmp_path: Path, node_calls: list[list[str]]) -> None:
    root = checkout(tmp_path)
    hatch_build.build(root)
    with (root / name).open("a") as file:
        file.write("\n")
    assert hatch_build.build(root)
    static = root / "graphql_runs" / "studio" / "static"
    assert (static / "index.html").read_text() == f"build {len(node_calls)}"
    assert [path.name for path in static.parent.iterdir() if path.name.startswith(".static-")] == []


def test_builds_again_after_a_file_is_added_or_renamed(tmp_path: Path, node_calls: list[list[str]]) -> None:
    root = checkout(tmp_path)
    hatch_build.build(root)
    (root / "studio" / "src" / "added.ts").touch()
    assert hatch_build.build(root)
    (root / "studio" / "src" / "added.ts").rename(root / "studio" / "src" / "renamed.ts")
    assert hatch_build.build(root)
    assert [call for call in node_calls if "ci" in call] == node_calls[:1]


def test_installs_again_when_the_lock_file_changed(tmp_path: Path, node_calls: list[list[str]]) -> None:
    root = checkout(tmp_path)
    hatch_build.install(root)
    hatch_build.install(root)
    assert len(node_calls) == 1
    with (root / "studio" / "package-lock.json").open("a") as file:
        file.write("\n")
    hatch_build.install(root)
    assert len(node_calls) == 2


def test_a_development_install_serves_a_build_but_not_the_other_way(
    tmp_path: Path, node_calls: list[list[str]]
) -> None:
    root = checkout(tmp_path)
    hatch_build.install(root)
    hatch_build.install(root, development=True)
    hatch_build.install(root)
    assert ["--omit=dev" in call for call in node_calls] == [True, False]


def test_a_failing_tool_is_quoted(tmp_path: Path) -> None:
    (tmp_path / "studio").mkdir()
    script = "console.error('no such module: left-pad'); process.exit(3)"
    with pytest.raises(hatch_build.StudioError, match=r"(?s)exit code 3:.*no such module: left-pad"):
        hatch_build.run_node(tmp_path, ["--eval", script])


def test_a_failed_build_leaves_the_old_page(tmp_path: Path, node_calls: list[list[str]]) -> None:
    root = checkout(tmp_path)
    hatch_build.build(root)
    static = root / "graphql_runs" / "studio" / "static"
    before = (static / "index.html").read_text()
    (root / "studio" / "src" / "app.tsx").write_text("import './nowhere'")

    def fail(root: Path, arguments: list[str]) -> str:
        raise hatch_build.StudioError("vite failed")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hatch_build, "run_node", fail)
        with pytest.raises(hatch_build.StudioError):
            hatch_build.build(root)
    assert (static / "index.html").read_text() == before
    assert hatch_build.build(root)


def test_the_lock_file_pins_exact_versions_and_names_no_download_host() -> None:
    lock = (ROOT / "studio" / "package-lock.json").read_text()
    assert '"resolved"' not in lock
    assert '"integrity"' in lock
    package = (ROOT / "studio" / "package.json").read_text()
    assert '"^' not in package
    assert '"~' not in package


def test_an_sdist_has_the_sources_and_its_wheel_has_the_page(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "--directory", str(tmp_path)]
    subprocess.run([*build, "--target", "sdist"], cwd=ROOT, check=True, capture_output=True)
    (archive,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(archive) as tar:
        tar.extractall(tmp_path, filter="data")
    source = tmp_path / archive.name.removesuffix(".tar.gz")
    assert (source / "studio" / "src" / "main.tsx").is_file()
    assert (source / "studio" / "package-lock.json").is_file()
    assert not (source / "studio" / "node_modules").exists()
    assert not (source / "graphql_runs" / "studio" / "static").exists()

    subprocess.run([*build, "--target", "wheel"], cwd=source, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    page = "graphql_runs/studio/static/"
    assert {f"{page}index.html", f"{page}graphiql.html"} <= set(names)
    assert any(name.startswith(f"{page}assets/index-") for name in names)
