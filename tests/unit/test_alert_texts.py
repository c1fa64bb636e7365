"""What receivers read: complete, short, in either language, and shown in the docs as it is.

``python -m tests.unit.test_alert_texts`` prints the docs' texts.
"""

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from chalicelib.domain import alert_texts
from chalicelib.domain.alert_settings import Language, RobotKind, read_alerts
from chalicelib.domain.alerts import Alert, Kind, Number, Thresholds
from chalicelib.entrypoints import openapi
from tests.alert_examples import NOON, example

DOCS = Path(__file__).parents[2] / "docs"
PAGES = {Language.EN: "alerts.md", Language.ZH: "alerts.zh-CN.md"}
CHINESE = re.compile(r"[\u4e00-\u9fff]")


def all_of_them() -> Iterator[Alert]:
    for kind in Kind:
        yield example(kind)
        yield replace(example(kind), ended_at=NOON + timedelta(minutes=25))


LARGEST: dict[str, Number] = {
    "left": 10**9,
    "total": 10**9,
    "yuan": "99999999.99",
    "owner": "o" * 32,
    "reason": "r" * 40,
    "queue": "q" * 80,
    "package": "p" * 40,
    "rejected": 10**6,
    "refused": 10**6,
}


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("alert", [*all_of_them()], ids=lambda one: f"{one.kind}-{one.active}")
class TestEveryText:
    def test_it_says_what_happened_what_it_means_and_what_to_do(
        self, alert: Alert, language: Language
    ) -> None:
        title, *lines = alert_texts.message(alert, language, "prod").text.split("\n")
        late = not alert.active and not alert.end_is_news
        assert title.startswith("[eryaosu prod] ")
        assert len(lines) == 4 + late
        assert all(line.strip() for line in lines)
        assert not re.search(r"[{}]|  |None", "\n".join([title, *lines]))
        assert all(bool(CHINESE.search(one)) == (language is Language.ZH) for one in lines)

    def test_it_fits_into_the_smallest_message(self, alert: Alert, language: Language) -> None:
        most = {n: LARGEST.get(n, v) for n, v in alert.numbers.items()}
        said = alert_texts.message(replace(alert, numbers=most), language, "s" * 20)
        assert len(said.text.encode()) <= 2048

    def test_a_subject_is_what_sns_takes(self, alert: Alert, language: Language) -> None:
        subject = alert_texts.message(alert, language, "s" * 20).subject
        assert subject.isascii()
        assert subject.isprintable()
        assert 1 <= len(subject) <= 100

    def test_its_numbers_are_in_it(self, alert: Alert, language: Language) -> None:
        if alert.end_is_news:
            return
        text = alert_texts.message(alert, language, "prod").text
        words = {"period", "at", "limit"}
        for name in alert.numbers.keys() - words:
            assert str(alert.numbers[name]) in text, name


def test_times_are_those_of_the_owners_clock() -> None:
    text = alert_texts.message(example(Kind.QUOTA_EXHAUSTED), Language.ZH, "prod").text
    assert "2026-11-24 12:00 起" in text
    assert text.endswith("时间：2026-11-24 12:00（北京时间）")


def test_the_end_of_maintenance_says_when_it_was() -> None:
    ended = replace(example(Kind.MAINTENANCE), ended_at=NOON + timedelta(minutes=25))
    text = alert_texts.message(ended, Language.EN, "prod").text
    assert "It had begun at 2026-11-24 12:00." in text
    assert text.endswith("Time: 2026-11-24 12:25 (UTC+8)")


def test_what_is_told_late_says_so() -> None:
    ended = replace(example(Kind.DEAD_LETTERS), ended_at=NOON)
    assert alert_texts.message(ended, Language.EN, "prod").text.endswith("It has ended by now.")
    assert alert_texts.message(ended, Language.ZH, "prod").text.endswith("现在已经结束。")


def test_a_cap_on_all_names_nobody() -> None:
    everybodys = replace(
        example(Kind.CAP_REACHED),
        numbers={**example(Kind.CAP_REACHED).numbers, "owner": "*", "period": "month"},
    )
    assert "All callers together made 500" in alert_texts.message(everybodys, Language.EN, "p").text
    assert "全部调用方合计在" in alert_texts.message(everybodys, Language.ZH, "p").text


def shown(language: Language) -> str:
    """Every text, as the docs show it."""
    over = replace(example(Kind.MAINTENANCE), ended_at=NOON + timedelta(minutes=25))
    messages = [alert_texts.message(one, language, "prod") for one in (*map(example, Kind), over)]
    messages.append(alert_texts.trial_message(language, "prod", NOON))
    return "\n\n".join(f"```text\n{one.text}\n```" for one in messages)


@pytest.mark.parametrize("language", Language)
def test_the_docs_show_every_text_as_it_really_looks(language: Language) -> None:
    page = (DOCS / PAGES[language]).read_text("utf-8")
    (between,) = re.findall(r"<!-- texts -->\n(.*?)\n<!-- /texts -->", page, re.DOTALL)
    assert between == shown(language)


@pytest.mark.parametrize("language", Language)
class TestTheDocs:
    def page(self, language: Language) -> str:
        return (DOCS / PAGES[language]).read_text("utf-8")

    def test_they_say_when_each_begins(self, language: Language) -> None:
        rows = [line for line in self.page(language).splitlines() if line.startswith("| `")]
        named = [name for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[1])]
        assert named == list(Kind)

    def test_they_name_the_settings_and_what_they_are_without_one(self, language: Language) -> None:
        text, thresholds = self.page(language), Thresholds()
        for name, default in (
            ("ALERT_LOW_BALANCE_PERCENT", thresholds.low_balance_percent[0]),
            ("ALERT_EXPIRY_DAYS", thresholds.expiry_days[0]),
            ("ALERT_SOURCE_FAILURES", thresholds.source_failures),
        ):
            (row,) = (line for line in text.splitlines() if f"`{name}`" in line)
            assert str(default) in row

    def test_what_stands_in_the_secret_is_read(self, language: Language) -> None:
        (block,) = re.findall(r"<!-- secret -->\n```json\n(.*?)```", self.page(language), re.DOTALL)
        section = json.loads(f"{{{block}}}".replace("…", "x"))["alerts"]
        found = read_alerts(section)
        assert found.language is language
        assert [robot.kind for robot in found.robots] == list(RobotKind)

    def test_the_answers_are_shown_as_they_are(self, language: Language) -> None:
        blocks = re.findall(r"```json\n(\{.*?)```", self.page(language), re.DOTALL)
        tried, active = map(json.loads, blocks)
        examples = openapi.document()["components"]["examples"]
        assert tried["receivers"][0].keys() == keys(examples["alert_test"]["value"]["receivers"])
        assert active["items"][0].keys() == keys(examples["alerts"]["value"]["items"])


def keys(items: list[dict[str, object]]) -> object:
    return items[0].keys()


if __name__ == "__main__":
    sys.stdout.write(shown(Language(sys.argv[1])) + "\n")
