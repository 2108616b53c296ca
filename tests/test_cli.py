from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from graphql_runs.cli import app

runner = CliRunner()


def test_help_names_every_command() -> None:
    shown = runner.invoke(app, ["--help"])
    assert shown.exit_code == 0
    for command in ("serve", "demo", "import", "schema", "plugins"):
        assert command in shown.output


def test_the_schema_that_is_printed_is_the_committed_one() -> None:
    assert runner.invoke(app, ["schema"]).output == Path("schema.graphql").read_text()


def test_the_plugins_of_this_repository_are_listed() -> None:
    shown = runner.invoke(app, ["plugins"])
    assert shown.exit_code == 0
    for plugin in ("azureml", "tabular", "text"):
        assert plugin in shown.output


def test_what_does_not_exist_and_where_one_may_not_listen_is_said(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path / 'runs.sqlite'}"
    for arguments, words in (
        (["serve", str(tmp_path / "missing")], "does not exist"),
        (["serve", "--host", "0.0.0.0", "--store", store], "not loopback"),
        (["serve", "--store", "mysql://x", "--port", "0"], "is not understood"),
        (["serve", "--port", "99999"], "setting port"),
    ):
        shown = runner.invoke(app, arguments)
        assert shown.exit_code == 1
        assert words in shown.output
