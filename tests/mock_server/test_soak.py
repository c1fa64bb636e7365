from itertools import cycle, islice
from urllib.parse import urlencode

from mock_server import Options, create_app
from tests.mock_server.support import APPCODE, FORM, OTHER, PATH, PERSON, UNHELD

CALLS = 5_000
KEPT = 100
# One of each in turn: found, another name, nobody, a bad number, no AppCode.
MIX = [
    (PERSON, "0000"),
    ((OTHER[0], PERSON[1]), "0008"),
    (("李四", UNHELD), "0007"),
    ((PERSON[0], "123"), "0004"),
    (PERSON, ""),
]


def test_a_long_run_keeps_a_bounded_journal_and_exact_counts() -> None:
    client = create_app(Options(journal_length=KEPT)).test_client()

    for (name, number), code in islice(cycle(MIX), CALLS):
        client.post(
            PATH,
            data=urlencode({"idNo": number, "name": name}),
            content_type=FORM,
            headers={"Authorization": f"APPCODE {APPCODE}"} if code else {},
        )

    kept = client.get("/__admin/requests").get_json()["requests"]
    assert [entry["answer"]["resp_code"] for entry in kept] == [code for _, code in MIX] * (
        KEPT // len(MIX)
    )
    state = client.get("/__admin/state").get_json()
    assert (state["requests"], state["paid_calls"]) == (CALLS, CALLS * 3 // len(MIX))
