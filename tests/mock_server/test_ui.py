"""The page at /__admin/ui, in a real browser."""

import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import mock_server
from mock_server import Options, create_app, gateway_errors, hints, resp_codes
from mock_server.effects import KINDS, TRANSPORT, VALUED, takes_when
from mock_server.serving import Server
from tests.mock_server.support import OTHER, PATH, PATIENCE, PERSON, UNHELD, Upstream

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

from playwright.sync_api import Browser, Page, expect

from tests.mock_server import chromium

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext

UI = Path(mock_server.__file__).parent / "ui"
ANSWER = "[data-testid=answer-summary]"
ROW = "[data-testid=journal-row]"
BOOKED = "[data-testid=ledger-row]"
FAULT = "[data-testid=fault]"
IDENTITY = "[data-testid=identity]"
HOSTILE = "<img src=x onerror=\"document.title='owned'\">"
# Chromium says so of each answer that is not 2xx: of those that a test asks for, not an error.
REFUSAL = "Failed to load resource"


@dataclass
class Seen:
    """What a page must not do."""

    errors: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)


# Not for the session: while it is open, no asyncio.run() works in its thread.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if chromium.path() is None:
        pytest.skip("chromium is not installed")
    expect.set_options(timeout=PATIENCE * 1000)
    with chromium.launched() as running:
        yield running


@pytest.fixture
def look(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Open the page of a mock; at the end it must have been quiet, and have kept to itself."""
    contexts: list[BrowserContext] = []
    seen = Seen()

    def opened(url: str, *, refusals: bool = False, live: bool = True, **context: Any) -> Page:
        options = {"locale": "en-GB", "viewport": {"width": 1280, "height": 900}, **context}
        contexts.append(browser.new_context(**options))
        page = contexts[-1].new_page()
        page.set_default_timeout(PATIENCE * 1000)

        def heard(text: str) -> None:
            if not (refusals and text.startswith(REFUSAL)):
                seen.errors.append(text)

        page.on("console", lambda m: heard(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: heard(str(error)))
        page.on(
            "request",
            lambda r: None if r.url.startswith(url + "/") else seen.foreign.append(r.url),
        )
        page.goto(url + chromium.PAGE)
        if live:
            expect(page.locator("body[data-connection=up]")).to_be_visible()
        return page

    yield opened
    for context in contexts:
        context.close()
    assert seen == Seen()


def text(page: Page, selector: str) -> str:
    return page.locator(selector).inner_text()


def module(page: Page, name: str) -> Any:
    """Everything that a module exports and that is data."""
    return page.evaluate(f"import('/__admin/ui/{name}')")


def test_arm_send_see_clear(look: Callable[..., Page], start: Callable[..., Upstream]) -> None:
    upstream = start(quota=10)
    page = look(upstream.url, refusals=True)
    expect(page.locator("#journal-empty")).to_contain_text(f"{upstream.url}{PATH}")
    expect(page.locator("#ledger-empty")).to_be_visible()

    page.select_option("#fault-kind", "gateway:D504TO")
    page.select_option("#fault-when", "after_charge")
    page.fill("#fault-times", "1")
    page.click("#fault-arm")
    expect(page.locator(FAULT)).to_contain_text("1 left")
    expect(page.locator("#fault-count")).to_have_text("1")

    page.select_option("#send-identity", PERSON[1])
    page.click("#send-button")
    expect(page.locator(ANSWER)).to_contain_text("504D504TO backend timed outcharged")
    expect(page.locator("#send-more")).to_contain_text("X-Ca-Error-Code")
    expect(page.locator(ROW)).to_contain_text("李**")
    expect(page.locator(ROW)).to_contain_text("gateway:D504TO")
    expect(page.locator(ROW)).to_contain_text("after the charge")
    expect(page.locator(BOOKED)).to_contain_text("lost")
    expect(page.locator("#paid")).to_have_text("1")
    expect(page.locator("#package")).to_have_text("1 / 10")
    assert page.evaluate("document.getElementById('package-bar').value") == 9

    expect(page.locator(FAULT)).to_contain_text("used up")
    page.click("[data-testid=fault-clear]")
    expect(page.locator(FAULT)).to_have_count(0)
    assert upstream.get("/faults") == {"faults": []}

    page.click("#send-button")
    expect(page.locator(ANSWER)).to_contain_text("0000 match")
    expect(page.locator("[data-testid=answer-body]")).to_contain_text('"respCode": "0000"')
    expect(page.locator(ROW)).to_have_count(2)
    expect(page.locator(ROW).first).to_contain_text("200")
    assert upstream.paid == 2


def test_calls_of_others_appear_by_themselves(
    look: Callable[..., Page], upstream: Upstream
) -> None:
    page = look(upstream.url)
    upstream.ask("ZhangSan", PERSON[1])
    upstream.send(b'{"name": "x"}', Content_Type="application/json")
    expect(page.locator(ROW)).to_have_count(2)
    expect(page.locator(ROW).last).to_contain_text("0002 name has special characters")
    expect(page.locator(f"{ROW} [data-testid=hint]").first).to_contain_text("Content-Type")
    page.select_option("#journal-filter", "hints")
    expect(page.locator(ROW)).to_have_count(1)

    page.click("[data-testid=more]")
    detail = page.locator("[data-testid=detail]")
    expect(detail).to_contain_text("APPCODE ***")
    page.select_option("#journal-filter", "all")
    upstream.ask(*PERSON)
    expect(page.locator(ROW)).to_have_count(3)
    expect(detail).to_be_visible()

    page.locator("[data-testid=more]").first.click()
    line = page.locator("[data-testid=curl]").first.inner_text()
    assert shlex.split(line.replace("\\\n", " ")) == [
        *("curl", "-i", upstream.url + PATH, "-H", "Authorization: APPCODE YOUR_APPCODE"),
        *("--data-urlencode", "name=NAME", "--data-urlencode", "idNo=ID_NUMBER"),
    ]


def test_polls_only_while_seen_and_fetches_only_changes(
    look: Callable[..., Page], upstream: Upstream
) -> None:
    page = look(upstream.url, live=False)
    page.clock.install()
    page.reload()
    expect(page.locator("body[data-connection=up]")).to_be_visible()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url.removeprefix(upstream.url)))

    def polled() -> list[str]:
        asked.clear()
        with page.expect_response("**/state"):
            page.clock.run_for(1000)
        return asked

    # What the first look found has settled after one more.
    polled()
    assert [polled()[:], polled()[:]] == [["/__admin/state"]] * 2
    upstream.ask(*PERSON)
    with page.expect_response("**/requests?limit=100"):
        polled()
    expect(page.locator(ROW)).to_have_count(1)

    page.evaluate("Object.defineProperty(document, 'hidden', { value: true, configurable: true })")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    asked.clear()
    page.clock.run_for(60_000)
    assert asked == []
    page.evaluate("Object.defineProperty(document, 'hidden', { value: false })")
    with page.expect_response("**/state"):
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


def test_both_languages(look: Callable[..., Page], upstream: Upstream) -> None:
    upstream.ask(*OTHER)
    page = look(upstream.url)
    assert page.evaluate("document.documentElement.lang") == "en"
    expect(page.locator(ROW)).to_contain_text("match")
    page.click("#language")
    assert page.evaluate("document.documentElement.lang") == "zh-CN"
    expect(page.locator(ROW)).to_contain_text("身份证信息匹配")
    expect(page.locator("#journal-title")).to_have_text("请求日志")
    expect(page.locator("[data-testid=more]")).to_have_attribute("aria-label", re.compile("详情"))
    page.reload()
    expect(page.locator("#journal-title")).to_have_text("请求日志")
    page.click("#language")
    expect(page.locator("#journal-title")).to_have_text("Journal")


def test_speaks_the_browsers_language_first(look: Callable[..., Page], upstream: Upstream) -> None:
    page = look(upstream.url, locale="zh-CN")
    expect(page.locator("h1")).to_have_text("模拟上游")
    untold = page.evaluate(
        """[...document.querySelectorAll("button, input, select, textarea, th, a, caption")]
        .filter((node) => !node.closest("[hidden]"))
        .filter((node) => !(node.labels?.length || node.ariaLabel || node.textContent.trim()))
        .map((node) => node.outerHTML)"""
    )
    assert untold == []


def focused(page: Page) -> str:
    found: str = page.evaluate("document.activeElement.id")
    return found


def tab_to(page: Page, wanted: str, most: int = 60) -> None:
    for _ in range(most):
        page.keyboard.press("Tab")
        if focused(page) == wanted:
            outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert outline == "solid", wanted
            return
    pytest.fail(f"{wanted} is out of reach of the Tab key")


def test_keyboard_only(look: Callable[..., Page], upstream: Upstream) -> None:
    page = look(upstream.url)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    tab_to(page, "send-button")
    page.keyboard.press("Enter")
    expect(page.locator(ANSWER)).to_contain_text("0000 match")
    assert focused(page) == "send-button"

    tab_to(page, "fault-kind")
    page.keyboard.type("http_500")
    tab_to(page, "fault-when")
    page.keyboard.press("ArrowDown")
    tab_to(page, "fault-times")
    page.keyboard.type("1")
    tab_to(page, "fault-arm")
    page.keyboard.press("Space")
    expect(page.locator("#fault-said")).to_contain_text("http_500")
    assert focused(page) == "fault-arm"
    (armed,) = upstream.get("/faults")["faults"]
    assert (armed["kind"], armed["when"], armed["times"]) == ("http_500", "after_charge", 1)

    for _ in range(60):
        page.keyboard.press("Shift+Tab")
        if page.evaluate("document.activeElement.dataset.testid") == "fault-clear":
            break
    page.keyboard.press("Enter")
    expect(page.locator(FAULT)).to_have_count(0)
    assert focused(page) == "faults-title"

    page.focus("#maintenance")
    page.keyboard.press("Space")
    expect(page.locator("#maintenance")).to_have_attribute("aria-checked", "true")
    tab_to(page, "reset")
    page.keyboard.press("Enter")
    assert focused(page) == "reset-yes"
    page.keyboard.press("Escape")
    expect(page.locator("#reset-dialog")).to_be_hidden()
    assert focused(page) == "reset"
    assert upstream.get("/maintenance") == {"on": True}
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    expect(page.locator("#maintenance")).to_have_attribute("aria-checked", "false")
    expect(page.locator("#paid")).to_have_text("0")


@pytest.mark.parametrize(
    ("locale", "width"), [("en-GB", 375), ("zh-CN", 375), ("en-GB", 800), ("en-GB", 1190)]
)
def test_fits_the_screen(
    look: Callable[..., Page], start: Callable[..., Upstream], locale: str, width: int
) -> None:
    upstream = start(reveal=True, quota=10)
    upstream.ask("阿" * 60, UNHELD * 3)
    upstream.arm("latency_ms", value=1, match={"id_number": "9" * 200, "name": "长" * 200})
    upstream.ask(*PERSON)
    page = look(upstream.url, locale=locale, viewport={"width": width, "height": 720})
    page.click("#send-button")
    expect(page.locator(ANSWER)).to_be_visible()
    for button in page.locator("[data-testid=more]").all():
        button.click()
    for summary in page.locator("summary").all():
        summary.click()
    assert page.evaluate("document.documentElement.scrollWidth") == width
    inside = page.evaluate(
        """[...document.querySelectorAll(".scroll, .card")]
        .filter((node) => node.scrollWidth > node.clientWidth + 1)
        .map((node) => node.outerHTML.slice(0, 90))"""
    )
    assert inside == []


def test_hostile_texts_stay_texts(
    look: Callable[..., Page], start: Callable[..., Upstream]
) -> None:
    upstream = start(reveal=True)
    upstream.send({"name": HOSTILE, "idNo": HOSTILE}, User_Agent=HOSTILE)
    upstream.send(None, method="GET", path=f"/{HOSTILE}")
    upstream.arm("unknown_code", match={"name": HOSTILE})
    page = look(upstream.url)
    expect(page.locator(ROW)).to_have_count(2)
    for button in page.locator("[data-testid=more]").all():
        button.click()
    assert text(page, f"{ROW} >> nth=1").count(HOSTILE) == 2
    expect(page.locator("[data-testid=detail]").last).to_contain_text(HOSTILE)
    expect(page.locator(FAULT)).to_contain_text(HOSTILE)
    page.fill("#send-name", HOSTILE)
    page.click("#send-button")
    expect(page.locator("[data-testid=answer-body]")).to_contain_text("<img src=x")
    expect(page).to_have_title("0 · Mock upstream")
    assert page.locator("img, script:not([src])").count() == 0

    line = page.locator("[data-testid=curl]").last.inner_text()
    assert f"name={HOSTILE}" in shlex.split(line.replace("\\\n", " "))


def test_token(look: Callable[..., Page], start_session: Callable[[Options], Upstream]) -> None:
    url = start_session(Options(admin_token="let-me-in")).url
    page = look(url, refusals=True, live=False)
    dialog = page.locator("#token-dialog")
    expect(dialog).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(page.locator("#status")).to_have_text("Locked")
    page.click("#lost-retry")
    page.keyboard.type("guess")
    page.keyboard.press("Enter")
    expect(page.locator("#token-error")).to_contain_text("does not accept")
    page.keyboard.type("let-me-in")
    page.keyboard.press("Enter")
    expect(page.locator("#status")).to_have_text("Live")
    expect(dialog).to_be_hidden()
    page.reload()
    expect(page.locator("#status")).to_have_text("Live")
    assert page.evaluate("localStorage.length") == 0


def test_connection_lost_and_back(look: Callable[..., Page]) -> None:
    with Server(create_app(Options(quota=3))) as server:
        port = int(server.url.rsplit(":", 1)[1])
        page = look(server.url, refusals=True)
        page.click("#send-button")
        expect(page.locator("#paid")).to_have_text("1")
    expect(page.locator("#status")).to_have_text("Connection lost")
    expect(page.locator("#lost")).to_contain_text("does not answer")
    expect(page.locator("#paid")).to_have_text("1")
    page.click("#fault-arm")
    expect(page.locator("#fault-form .error")).to_have_text("The mock does not answer.")
    with Server(create_app(Options(quota=3)), "127.0.0.1", port):
        expect(page.locator("#status")).to_have_text("Live")
        expect(page.locator("#lost")).to_be_hidden()
        expect(page.locator("#paid")).to_have_text("0")
        expect(page.locator(ROW)).to_have_count(0)


def test_objections_stand_beside_the_field(
    look: Callable[..., Page], start: Callable[..., Upstream]
) -> None:
    page = look(start(gateway="old").url, refusals=True)
    page.select_option("#fault-kind", "hang")
    assert page.input_value("#fault-value") == "60000"
    page.fill("#fault-value", "soon")
    page.click("#fault-arm")
    error = page.locator("#fault-form .error")
    expect(error).to_have_text("must be a whole number (0 to 3600000)")
    assert focused(page) == "fault-value"
    assert (
        page.locator("#fault-value[aria-invalid=true]").get_attribute("aria-describedby")
        == "fault-value-hint fault-value-error"
    )

    page.click("#language")
    page.click("#fault-arm")
    expect(error).to_have_text("必须是整数 (0 到 3600000)")
    page.click("#language")

    page.select_option("#fault-kind", "gateway:A400AC")
    expect(page.locator("#fault-when")).to_be_hidden()
    page.fill("#fault-value", "Nonsense")
    page.click("#fault-arm")
    page.locator("#fault-form .choice").last.click()
    page.click("#fault-arm")
    expect(page.locator(FAULT)).to_contain_text("Invalid AppCode `not exists`")
    expect(error).to_have_count(0)


def test_settings(look: Callable[..., Page], upstream: Upstream) -> None:
    page = look(upstream.url, refusals=True)
    for summary in page.locator("#settings summary").all():
        summary.click()
    page.fill("#quota-used", "3")
    page.fill("#quota-total", "4")
    page.fill("#quota-expires", "2027-05-01")
    page.click("#quota-save")
    expect(page.locator("#package-note")).to_have_text("1 left")
    assert upstream.get("/quota") == {"used": 3, "total": 4, "expires_at": "2027-05-01"}

    page.fill("#clock-today", "2027-05-01")
    page.click("#clock-save")
    expect(page.locator("#expires-note")).to_have_text("expired: B403ME")
    page.click("#clock-real")
    expect(page.locator("#today-note")).to_have_text("real, UTC+8")

    page.fill("#throttle-rate", "2")
    page.click("#throttle-save")
    expect(page.locator("#throttle-now")).to_have_text("2 a second")
    page.fill("#throttle-rate", "0")
    page.click("#throttle-save")
    expect(page.locator("#throttle-form .error")).to_contain_text("must be a whole number")

    page.fill("#appcodes-list", "one\ntwo\n")
    page.click("#appcodes-save")
    expect(page.locator("#appcodes-now")).to_have_text("2 accepted")
    page.click("#send-button")
    expect(page.locator(ANSWER)).to_contain_text("wrong AppCode")
    page.click("#appcodes-any")
    expect(page.locator("#appcodes-now")).to_have_text("any is accepted")

    page.fill("#people-name", "赵六")
    page.fill("#people-number", UNHELD)
    page.click("#people-save")
    expect(page.locator("#people-form .said")).to_have_text("Added.")
    page.click("#people-save")
    expect(page.locator("#people-form .error")).to_contain_text("Han characters")


def test_a_form_in_use_is_not_overwritten(look: Callable[..., Page], upstream: Upstream) -> None:
    page = look(upstream.url)
    page.click("#set-quota summary")
    page.fill("#quota-total", "77")
    upstream.do("/quota", {"total": 5})
    expect(page.locator("#package")).to_have_text("0 / 5")
    expect(page.locator("#quota-total")).to_have_value("77")


def test_identities(look: Callable[..., Page], upstream: Upstream) -> None:
    page = look(upstream.url, permissions=["clipboard-read", "clipboard-write"])
    every = upstream.get("/identities")
    expect(page.locator(IDENTITY)).to_have_count(len(every))
    for wanted, field_ in (("B403MQ", "answers"), (PERSON[0], "name"), (OTHER[1], "id_number")):
        page.fill("#identities-search", wanted)
        found = [i for i in every if wanted in i[field_]]
        expect(page.locator(IDENTITY)).to_have_count(len(found))
    page.click("[data-testid=identity-send]")
    expect(page.locator(f"{IDENTITY} {ANSWER}")).to_contain_text("0000 match")
    expect(page.locator("#announce")).to_contain_text("0000, match, charged")
    page.click("[data-testid=identity-curl]")
    expect(page.locator("#announce")).to_have_text("Copied.")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert shlex.split(copied.replace("\\\n", " "))[2:] == [
        *(upstream.url + PATH, "-H", "Authorization: APPCODE any"),
        *("--data-urlencode", f"name={OTHER[0]}", "--data-urlencode", f"idNo={OTHER[1]}"),
    ]
    page.fill("#count-number", OTHER[1])
    page.click("#count-button")
    expect(page.locator("#count-said")).to_have_text("Paid calls: 1")
    page.fill("#identities-search", "nobody")
    expect(page.locator("#identities-none")).to_be_visible()
    page.fill("#identities-search", "")
    page.select_option("#identities-filter", "gateway")
    expect(page.locator(IDENTITY).first).to_contain_text("A400AC")


def test_broken_and_given_up_calls(look: Callable[..., Page], upstream: Upstream) -> None:
    page = look(upstream.url, refusals=True)
    upstream.arm("reset", when="after_charge", times=1)
    page.click("#send-button")
    expect(page.locator("#send-said")).to_contain_text("the connection broke")
    assert upstream.get("/state")["requests"] == 1

    upstream.arm("hang", value=600_000)
    page.click("#send-button")
    expect(page.locator(ROW).first).to_contain_text("in progress")
    page.click("#send-stop")
    expect(page.locator("#send-said")).to_contain_text("You gave up")
    expect(page.locator(ROW).first).to_contain_text("no answer")
    upstream.disarm()

    upstream.arm("wrong_charset", times=1)
    page.click("#send-button")
    expect(page.locator("#send-said")).to_contain_text("not valid UTF-8")
    upstream.arm("oversize", value=300_000, times=1)
    page.click("#send-button")
    expect(page.locator("#send-more")).to_contain_text("of 300000 bytes")


def test_journal_is_forgotten_and_the_ledger_stays(
    look: Callable[..., Page], upstream: Upstream
) -> None:
    upstream.ask(*PERSON)
    page = look(upstream.url)
    page.click("#journal-clear")
    expect(page.locator("#journal-empty")).to_be_visible()
    expect(page.locator(BOOKED)).to_have_count(1)


def test_the_tables_are_the_mocks_own(look: Callable[..., Page], upstream: Upstream) -> None:
    page = look(upstream.url)
    tables = module(page, "tables.js")
    assert {c: row["zh"] for c, row in tables["RESP_CODES"].items()} == resp_codes.MESSAGES
    assert {c: row["status"] for c, row in tables["GATEWAY_CODES"].items()} == {
        code: error.new.status for code, error in gateway_errors.TABLE.items()
    }
    assert tuple(tables["TRANSPORT"]) == TRANSPORT
    valued = {
        kind: (row["unit"], row["low"], row["high"], row["usual"])
        for kind, row in tables["TRANSPORT"].items()
        if "unit" in row
    }
    assert valued == VALUED
    kinds = page.evaluate(
        "import('/__admin/ui/tables.js').then(({ KINDS, takesWhen }) =>"
        " Object.values(KINDS).flat().map((kind) => [kind, takesWhen(kind)]))"
    )
    assert dict(kinds) == {kind: takes_when(kind) for kind in KINDS}
    assert {c: row["en"] for c, row in tables["HINTS"].items()} == {
        hint.code: hint.advice for hint in hints.TABLE
    }


def test_every_text_is_in_both_languages_and_in_use(
    look: Callable[..., Page], upstream: Upstream
) -> None:
    texts = module(look(upstream.url), "texts.js")["TEXTS"]
    values = {key: [set(re.findall(r"\{(\w+)\}", t)) for t in pair] for key, pair in texts.items()}
    assert [key for key, (en, zh) in values.items() if en != zh] == []
    assert all(english and chinese for english, chinese in texts.values())

    sources = "".join(p.read_text("utf-8") for p in UI.iterdir() if p.suffix in (".js", ".html"))
    named = set(re.findall(r'data-t(?:-label|-placeholder)?="([^"]+)"', sources))
    named |= set(re.findall(r'[("? :]"([a-z_]+(?:\.[a-z_0-9]+)+|[a-z_]+)"[,): ]', sources))
    parts = tuple(re.findall(r"t\(`([a-z.]+)\$\{", sources))
    # `unit.${…}`, `group.${…}` and the like are put together.
    assert [k for k in texts if k not in named and not k.startswith(parts)] == []
    asked_for = set(re.findall(r'(?<![\w.])t\(\(?"([^"]+)"', sources))
    asked_for |= set(re.findall(r'data-t(?:-label|-placeholder)?="([^"]+)"', sources))
    assert asked_for - set(texts) == set()


def test_nothing_is_written_as_markup() -> None:
    for part in UI.iterdir():
        source = part.read_text("utf-8")
        writes = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|eval\("
        assert not re.search(writes, source), part.name
        assert part.suffix != ".html" or not re.search(r"\s(on\w+|style)=|https?://", source)
