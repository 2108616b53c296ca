"""The page of a server that asks for a token."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.async_api import Page, expect

from tests.server.processes import serving
from tests.studio.test_browser import browsing
from tests.studio.test_browser import chromium as chromium  # a fixture

TOKEN = "a-token-of-the-test"
CREATE = "mutation ($input: CreateRunInput!) { createRun(input: $input) { run { id } } }"
RECORD = "mutation ($input: RecordInput!) { record(input: $input) { repeated } }"


async def enter(page: Page, token: str) -> None:
    await page.get_by_label("This server asks for a token").fill(token)
    # Everything asks anew: the page is loaded again.
    async with page.expect_event("load"):
        await page.get_by_role("button", name="Continue").click()


async def test_the_page_asks_for_the_token_and_goes_on_with_it(
    tmp_path: Path, chromium: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRAPHQL_RUNS_TOKEN", TOKEN)
    headers = {"authorization": f"Bearer {TOKEN}"}
    async with (
        serving("--store", "sqlite:///runs.sqlite", cwd=tmp_path) as server,
        httpx.AsyncClient(headers=headers) as client,
        browsing(chromium) as page,
    ):

        async def write(query: str, **given: Any) -> None:
            answer = await client.post(server.graphql, json={"query": query, "variables": {"input": given}})
            assert "errors" not in answer.json(), answer.text

        await write(CREATE, experiment="e", name="digits", runId="r", status={"status": "RUNNING"})
        await write(RECORD, run="r", points=[{"metric": "loss", "values": [0.5]}])
        await page.goto(server.address)
        await enter(page, "wrong")
        await enter(page, TOKEN)
        await page.get_by_role("link", name="digits", exact=True).click()
        last = page.get_by_role("article", name="loss").locator("[data-points]")
        await expect(last).to_have_attribute("data-points", "1")
        # Over the socket, too.
        await write(RECORD, run="r", points=[{"metric": "loss", "values": [0.25]}])
        await expect(last).to_have_attribute("data-points", "2")
        await expect(page.get_by_label("This server asks for a token")).to_have_count(0)
