"""Makes the pictures of the page in docs/images: `python -m tests.mock_server.ui_screenshots`."""

from datetime import date
from pathlib import Path
from typing import Any

import requests
from playwright.sync_api import Browser, Page

from mock_server import Options, create_app
from mock_server.serving import Server
from tests.mock_server import chromium
from tests.mock_server.support import OTHER, PERSON, SAMPLE, Upstream

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "images"
MORE = "[data-testid=more]"


def main() -> None:
    """Make them all."""
    FOLDER.mkdir(exist_ok=True)
    options = Options(quota=20, expires_at=date(2027, 5, 1), clock=date(2026, 11, 23))
    with (
        chromium.launched() as browser,
        Server(create_app(options)) as server,
        Upstream(server.url) as upstream,
    ):
        _live_a_little(upstream)
        _shoot(browser, server.url, "mock-ui-en", "en-GB", 1280, 1040)
        _shoot(browser, server.url, "mock-ui-zh", "zh-CN", 1280, 1040, color_scheme="dark")
        phone = {"device_scale_factor": 1.5, "has_touch": True}
        _shoot(browser, server.url, "mock-ui-phone", "zh-CN", 375, 812, **phone)


def _live_a_little(upstream: Upstream) -> None:
    """Have something to show: a match, a mismatch, mistakes, faults."""
    upstream.ask("张三", SAMPLE)
    upstream.ask("赵六", OTHER[1])
    upstream.ask("买买提·吐尔逊", "650102185707120819")
    upstream.send({"id": PERSON[1], "name": PERSON[0]})
    upstream.ask("网关零五", "310101185101050110")
    upstream.arm("latency_ms", value=800, when="after_charge", match={"nth_call": 30})
    upstream.arm("reset", when="after_charge", times=1)
    try:
        upstream.ask(*PERSON)
    except requests.ConnectionError:
        upstream.ask(*PERSON)
    upstream.arm("gateway:D504TO", when="after_charge", probability=0.1, seed=7)


def _shoot(
    browser: Browser, url: str, name: str, locale: str, width: int, height: int, **more: Any
) -> None:
    context = browser.new_context(
        locale=locale,
        timezone_id="Asia/Shanghai",
        viewport={"width": width, "height": height},
        reduced_motion="reduce",
        **more,
    )
    page = context.new_page()
    page.goto(url + chromium.PAGE)
    page.wait_for_selector(MORE)
    _send(page)
    page.mouse.move(0, 0)
    page.screenshot(path=FOLDER / f"{name}.png")
    context.close()


def _send(page: Page) -> None:
    page.click("#send-button")
    page.wait_for_selector("[data-testid=answer-summary]")
    page.evaluate("document.activeElement.blur()")
    # A phone is too small for more than one part: the journal, then.
    narrow = page.evaluate("innerWidth < 600")
    page.evaluate(
        "document.getElementById('journal').scrollIntoView()" if narrow else "scrollTo(0, 0)"
    )


if __name__ == "__main__":
    main()
