"""The page in a real browser, against a real server, while a job writes."""

import json
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from playwright.async_api import Page, async_playwright, expect

from tests.server.processes import ServerProcess, serving, start

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE = 30_000  # milliseconds; a machine that runs other tests beside is slow to draw
expect.set_options(timeout=PATIENCE)
SET_STATUS = """
mutation Set($run: ID!, $status: RunStatus!) {
  record(input: {run: $run, status: {status: $status}}) { run { status } }
}
"""


@pytest.fixture(scope="module")
def chromium() -> str:
    """The browser: without one these tests are skipped, but not where everything has to run."""
    for name in BROWSERS:
        if found := shutil.which(name):
            return found
    reason = f"none of {', '.join(BROWSERS)} is on the PATH (apt-get install chromium)"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@asynccontextmanager
async def browsing(chromium: str) -> AsyncIterator[Page]:
    """A page in which no script fails and nothing is loaded from elsewhere."""
    errors: list[str] = []
    addresses: list[str] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        page = await browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(PATIENCE)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("request", lambda request: addresses.append(request.url))
        yield page
        await browser.close()
    assert errors == []
    assert [url for url in addresses if not url.startswith(("http://127.0.0.1:", "data:", "blob:"))] == []


class Job:
    """A job that writes what jobs write: a line of JSON a step, and a log with a progress bar."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self.metrics = folder / "metrics.jsonl"
        self.log = folder / "train.log"
        self.step = 0

    def write(self) -> None:
        self.step += 1
        with self.metrics.open("a") as file:
            file.write(json.dumps({"step": self.step, "loss": 1 / self.step}) + "\n")
        with self.log.open("a") as file:
            file.write(f"\r 50%|##  |\r100%|####|\nepoch {self.step} done\n")


async def set_status(server: ServerProcess, run: str, status: str) -> None:
    async with httpx.AsyncClient() as client:
        variables = {"run": run, "status": status}
        answer = await client.post(server.graphql, json={"query": SET_STATUS, "variables": variables})
        assert answer.json()["data"]["record"]["run"]["status"] == status


async def test_a_run_moves_on_the_page_while_its_job_writes(tmp_path: Path, chromium: str) -> None:
    job = Job(tmp_path / "runs" / "digits")
    job.write()
    store = f"sqlite:///{tmp_path / 'store.sqlite'}"
    async with (
        serving(str(tmp_path / "runs"), "--store", store, cwd=tmp_path) as server,
        browsing(chromium) as page,
    ):
        await page.goto(server.address)
        link = page.get_by_role("link", name="digits", exact=True)
        run = await page.locator("tr[data-run]").get_attribute("data-run")
        assert run is not None
        await link.click()
        # Gone after a reload.
        await page.evaluate("window.sameDocument = true")

        last = page.get_by_role("article", name="loss").locator("[data-points]")
        plot = page.get_by_role("article", name="loss").get_by_role("img")
        log = page.get_by_role("log")
        await expect(last).to_have_attribute("data-points", "1")
        await expect(log).to_contain_text("epoch 1 done")
        for points in (2, 3):
            job.write()
            await expect(last).to_have_attribute("data-points", str(points))
            await expect(plot).to_have_attribute(
                "aria-label", f"Line chart of loss: 1 curves, {points} points"
            )
            await expect(log).to_contain_text(f"epoch {points} done")
        await expect(log).to_contain_text("100%|####|")
        await expect(log).not_to_contain_text("50%")

        badge = page.locator(".run-head .title .badge")
        for status in ("RUNNING", "COMPLETED"):
            await set_status(server, run, status)
            await expect(badge).to_have_attribute("data-status", status)
        assert await page.evaluate("window.sameDocument")


async def test_the_list_shows_a_new_run_and_its_status_without_a_reload(
    tmp_path: Path, chromium: str
) -> None:
    job = Job(tmp_path / "runs" / "first")
    job.write()
    store = f"sqlite:///{tmp_path / 'store.sqlite'}"
    async with (
        serving(str(tmp_path / "runs"), "--store", store, cwd=tmp_path) as server,
        browsing(chromium) as page,
    ):
        await page.goto(server.address)
        rows = page.locator("tr[data-run]")
        await expect(rows).to_have_count(1)
        await page.evaluate("window.sameDocument = true")
        Job(tmp_path / "runs" / "second").write()
        await expect(rows).to_have_count(2)

        row = rows.filter(has=page.get_by_role("link", name="second", exact=True))
        run = await row.get_attribute("data-run")
        assert run is not None
        await set_status(server, run, "FAILED")
        await expect(row.locator(".badge")).to_have_attribute("data-status", "FAILED")
        assert await page.evaluate("window.sameDocument")


async def test_the_page_goes_on_after_the_server_was_away(tmp_path: Path, chromium: str) -> None:
    job = Job(tmp_path / "runs" / "digits")
    job.write()
    arguments = (str(tmp_path / "runs"), "--store", f"sqlite:///{tmp_path / 'store.sqlite'}")
    async with browsing(chromium) as page:
        async with serving(*arguments, cwd=tmp_path) as server:
            await page.goto(server.address)
            await page.get_by_role("link", name="digits", exact=True).click()
            last = page.get_by_role("article", name="loss").locator("[data-points]")
            await expect(last).to_have_attribute("data-points", "1")
            await expect(page.get_by_role("log")).to_contain_text("epoch 1 done")
        banner = page.get_by_role("alert")
        await expect(banner).to_contain_text("does not answer")
        job.write()
        again = await start(*arguments, cwd=tmp_path, port=server.port)
        try:
            await expect(banner).to_have_count(0)
            await expect(last).to_have_attribute("data-points", "2")
            log = page.get_by_role("log")
            await expect(log).to_contain_text("epoch 2 done")
            assert (await log.inner_text()).count("epoch 1 done") == 1
        finally:
            await again.kill()


async def test_graphiql_loads_and_answers_its_first_query(tmp_path: Path, chromium: str) -> None:
    Job(tmp_path / "runs" / "digits").write()
    store = f"sqlite:///{tmp_path / 'store.sqlite'}"
    async with (
        serving(str(tmp_path / "runs"), "--store", store, cwd=tmp_path) as server,
        browsing(chromium) as page,
    ):
        await page.goto(server.address)
        await page.get_by_role("link", name="digits", exact=True).wait_for()
        await page.get_by_role("link", name="GraphiQL").click()
        await expect(page.locator(".graphiql-query-editor .view-lines")).to_contain_text("Newest")
        await page.get_by_role("button", name="Execute query").click()
        await expect(page.locator(".result-window")).to_contain_text('"digits"')
