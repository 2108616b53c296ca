"""Takes the README's pictures of the page from a server that runs, best a demo in the middle of its training.

    uv run graphql-runs demo &
    uv run python scripts/screenshots.py [ADDRESS]

Writes docs/images/studio-runs.png (the runs of a workspace) and docs/images/studio-run.png (the newest sweep, or the
newest run if there is no sweep). Needs Chromium on the PATH.
"""

import shutil
import sys
from pathlib import Path

import httpx
from playwright.sync_api import Page, sync_playwright

IMAGES = Path(__file__).parent.parent / "docs" / "images"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run"]
NEWEST = """
{
  runs(filter: {parent: {exists: false}}, orderBy: [{by: {field: CREATED_AT}, direction: DESC}], first: 100) {
    nodes { id workspace { name } children(first: 50) { nodes { status mainLog { id } } } }
  }
}
"""


def main(address: str = "http://127.0.0.1:8765") -> None:
    """Take the pictures.

    Raises:
        SystemExit: the server has no run to show, or there is no browser.
    """
    answer = httpx.post(f"{address}/graphql", json={"query": NEWEST}).raise_for_status().json()
    runs = answer["data"]["runs"]["nodes"]
    if not runs:
        raise SystemExit(f"{address} has no runs to take a picture of")
    shown = next((run for run in runs if run["children"]["nodes"]), runs[0])
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        raise SystemExit(f"none of {', '.join(BROWSERS)} is on the PATH")
    IMAGES.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser, args=ARGUMENTS)
        page = chromium.new_page(viewport={"width": 1360, "height": 860}, color_scheme="light")
        page.goto(f"{address}/workspaces/{shown['workspace']['name']}")
        page.wait_for_selector("tr[data-run]")
        # Paths of the machine are nobody's business.
        page.add_style_tag(content="section[aria-label=Sources] { display: none }")
        take(page, "studio-runs.png")
        page.goto(f"{address}/runs/{shown['id']}")
        page.wait_for_selector(".u-over")
        page.wait_for_selector(".log .line")
        # The log of a trial at work says more than the one of the sweep.
        trials = [
            trial for trial in shown["children"]["nodes"] if trial["status"] == "RUNNING" and trial["mainLog"]
        ]
        if trials:
            page.select_option(".dock select", trials[0]["mainLog"]["id"])
        take(page, "studio-run.png")
        chromium.close()


def take(page: Page, name: str) -> None:
    """Write what the page shows once its live data has come in."""
    page.wait_for_timeout(2000)
    page.screenshot(path=IMAGES / name)
    print(f"wrote {IMAGES / name}")


if __name__ == "__main__":
    main(*sys.argv[1:2])
