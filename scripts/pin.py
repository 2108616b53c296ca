"""Pin the whole dependency tree in pyproject.toml.

uv.lock names download hosts and stays out of git, so the versions it settles on are kept in pyproject.toml instead:
`[tool.uv] constraint-dependencies` for every package of every group and extra, `build-constraint-dependencies` for what
builds our own packages. uv reads both on every `uv lock`, `uv sync` and `uv run`.

    uv run just pin                          keep the pins there are, add missing ones, drop those nothing needs
    uv run just pin --upgrade                take the newest versions that fit
    uv run just pin --upgrade-package NAME   take the newest version of NAME, keep the rest
    uv run just pin --check                  change nothing, fail if a run without options would
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
RUNTIME, BUILD = "constraint-dependencies", "build-constraint-dependencies"
Pins = tuple[str, ...]


class PinError(Exception):
    """The tree cannot be resolved, or pyproject.toml has no place for the pins."""


def normal(name: str) -> str:
    """The one spelling of a package name by which registries compare (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def name_of(requirement: str) -> str:
    """The normal name of the package that a requirement (PEP 508) is about."""
    found = re.match(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)", requirement)
    if found is None:
        raise PinError(f"not a requirement: {requirement!r}")
    return normal(found[1])


def locked_pins(lock: dict[str, Any]) -> Pins:
    """Exact requirements for all packages of a parsed uv.lock that come from a registry, sorted.

    Where the lock holds several versions of a package, each keeps the marker under which it is chosen.
    """
    pins = []
    for package in lock["package"]:
        if "registry" not in package["source"]:
            continue
        markers = package.get("resolution-markers", [])
        condition = " or ".join(f"({marker})" for marker in markers) if len(markers) > 1 else "".join(markers)
        pins.append(f"{package['name']}=={package['version']}" + (f" ; {condition}" if condition else ""))
    return tuple(sorted(pins))


def read_pins(text: str, key: str) -> Pins:
    """The pins that a pyproject.toml's text holds under a key of `[tool.uv]`."""
    return tuple(tomllib.loads(text).get("tool", {}).get("uv", {}).get(key, ()))


def write_pins(text: str, key: str, pins: Iterable[str]) -> str:
    """The text of a pyproject.toml with the list under a key of `[tool.uv]` replaced, one pin a line."""
    lines = "".join(f'    "{pin}",\n' for pin in pins)
    replaced, count = re.subn(
        rf"^{key} = \[.*?^\]$", lambda _: f"{key} = [\n{lines}]", text, flags=re.MULTILINE | re.DOTALL
    )
    if count != 1:
        raise PinError(f"pyproject.toml: [tool.uv] needs one `{key} = [` with its `]` on a line of its own")
    return replaced


def build_requirements(manifests: Iterable[str]) -> Pins:
    """What a build of the given pyproject.toml texts asks for: the backend, and dependencies of hatch's build hooks."""
    wanted: set[str] = set()
    for manifest in map(tomllib.loads, manifests):
        wanted.update(manifest["build-system"]["requires"])
        build = manifest.get("tool", {}).get("hatch", {}).get("build", {})
        for target in (build, *build.get("targets", {}).values()):
            for hook in target.get("hooks", {}).values():
                wanted.update(hook.get("dependencies", ()))
    return tuple(sorted(wanted))


def uv(*arguments: str, directory: Path, stdin: str = "") -> str:
    """Run uv in a directory and return what it printed.

    Raises:
        PinError: uv failed; the message is its own.
    """
    # `uv run` says in UV which uv it is.
    command = [os.environ.get("UV", "uv"), *arguments]
    environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    done = subprocess.run(
        command, check=False, cwd=directory, env=environment, input=stdin, text=True, capture_output=True
    )
    if done.returncode != 0:
        raise PinError(f"uv {arguments[0]} failed:\n{done.stderr.strip()}")
    return done.stdout


def manifests_of(root: Path) -> dict[Path, str]:
    """The pyproject.toml texts of a uv workspace by their path from its root, the root's own first."""
    text = (root / "pyproject.toml").read_text()
    manifests = {Path("pyproject.toml"): text}
    for pattern in tomllib.loads(text)["tool"]["uv"]["workspace"]["members"]:
        for member in sorted(root.glob(f"{pattern}/pyproject.toml")):
            manifests[member.relative_to(root)] = member.read_text()
    return manifests


def resolve(manifests: dict[Path, str], runtime: Pins, build: Pins) -> tuple[Pins, Pins]:
    """Resolve a workspace anew under the given pins, away from the tree, and return all its pins: runtime, build."""
    with tempfile.TemporaryDirectory() as folder:
        workspace = Path(folder)
        for path, text in manifests.items():
            (workspace / path).parent.mkdir(parents=True, exist_ok=True)
            (workspace / path).write_text(text)
        root = workspace / "pyproject.toml"
        text = write_pins(write_pins(manifests[Path("pyproject.toml")], RUNTIME, runtime), BUILD, build)
        root.write_text(text)
        uv("lock", "--no-progress", directory=workspace)
        locked = locked_pins(tomllib.loads((workspace / "uv.lock").read_text()))
        (workspace / "build.in").write_text("\n".join(build_requirements(manifests.values())))
        (workspace / "build.pins").write_text("\n".join(build))
        minimum = tomllib.loads(text)["project"]["requires-python"].removeprefix(">=")
        # --no-config: what builds a package need not agree with what it runs on.
        compiled = uv(
            *("pip", "compile", "build.in", "--constraint", "build.pins", "--universal", "--no-config"),
            *(
                "--python-version",
                minimum,
                "--fork-strategy",
                "fewest",
                "--no-annotate",
                "--no-header",
                "--quiet",
            ),
            directory=workspace,
        )
        return locked, tuple(sorted(line for line in compiled.splitlines() if line))


def main(arguments: list[str] | None = None) -> int:
    """Pin, or check the pins; returns the exit code."""
    parser = argparse.ArgumentParser(prog="pin", description=(__doc__ or "").splitlines()[0])
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--check", action="store_true", help="change nothing, fail if the pins are not complete"
    )
    what.add_argument("--upgrade", action="store_true", help="take the newest versions that fit")
    what.add_argument(
        "--upgrade-package", action="append", default=[], metavar="NAME", help="… of one package"
    )
    options = parser.parse_args(arguments)

    path = ROOT / "pyproject.toml"
    manifests = manifests_of(ROOT)
    text = manifests[Path("pyproject.toml")]
    present = {key: read_pins(text, key) for key in (RUNTIME, BUILD)}
    loose = {normal(name) for name in options.upgrade_package}
    kept = {
        key: () if options.upgrade else tuple(pin for pin in pins if name_of(pin) not in loose)
        for key, pins in present.items()
    }
    try:
        runtime, build = resolve(manifests, kept[RUNTIME], kept[BUILD])
        changed = False
        for key, pins in ((RUNTIME, runtime), (BUILD, build)):
            for pin in sorted({*present[key]} ^ {*pins}):
                changed = True
                print(f"{key}: {'+' if pin in pins else '-'} {pin}")
        if options.check:
            if changed:
                print(
                    "the pins in pyproject.toml are not those of the tree: run `uv run just pin`",
                    file=sys.stderr,
                )
            return int(changed)
        # Read again: the resolution took a while, and only the two lists are ours.
        path.write_text(write_pins(write_pins(path.read_text(), RUNTIME, runtime), BUILD, build))
    except PinError as error:
        print(error, file=sys.stderr)
        print("a pin may stand in the way: try --upgrade-package NAME, or --upgrade", file=sys.stderr)
        return 2
    print(f"{len(runtime)} packages and {len(build)} build packages pinned")
    return 0


if __name__ == "__main__":
    sys.exit(main())
