"""Lists of what the asynchronous path keeps: deliveries, and submissions not verified."""

from collections.abc import Sequence

from chalice.app import Blueprint, Request

from chalicelib.domain.delivery import Delivery
from chalicelib.domain.stored_submission import StoredSubmission
from chalicelib.entrypoints import documents, schemas
from chalicelib.entrypoints.http import Call, answering, paging, query
from chalicelib.services import deliver, lookup

records = Blueprint(__name__)

_ANY = ["*/*"]


def _request() -> Request:
    return records.current_request


@records.route("/v1/deliveries", methods=["GET"], content_types=_ANY)
@answering(_request, "read")
def list_deliveries(call: Call) -> object:
    """Those made on a day, newest first."""
    wanted = query(call.request, schemas.DELIVERY_QUERY)
    outbox, everybodys = call.container.tools.outbox, "admin" in call.client.scopes

    def passes(found: Delivery) -> bool:
        own = everybodys or found.client == call.client.name
        return own and wanted["status"] in {None, found.status}

    def some(limit: int, cursor: str | None) -> tuple[Sequence[Delivery], str | None]:
        found = outbox.of_day(wanted["day"] or call.today, limit, cursor)
        return found.items, found.next_cursor

    with paging():
        items, cursor = lookup.filled(some, passes, wanted["limit"], wanted["cursor"])
    return {"items": [documents.delivery(found) for found in items], "next_cursor": cursor}


@records.route("/v1/deliveries/{delivery_id}/replay", methods=["POST"], content_types=_ANY)
@answering(_request, "admin")
def replay_delivery(call: Call, delivery_id: str) -> object:
    """The whole schedule once more."""
    found = deliver.replay(delivery_id, client=call.client, tools=call.container.tools)
    return documents.delivery(found)


@records.route("/v1/submissions", methods=["GET"], content_types=_ANY)
@answering(_request, "admin")
def list_submissions(call: Call) -> object:
    """Those of a day that were not verified, newest first."""
    wanted = query(call.request, schemas.SUBMISSION_QUERY)
    submissions = call.container.tools.submissions

    def passes(found: StoredSubmission) -> bool:
        return wanted["source"] in {None, found.source} and wanted["status"] in {
            None,
            found.status,
        }

    def some(limit: int, cursor: str | None) -> tuple[Sequence[StoredSubmission], str | None]:
        found = submissions.of_day(wanted["day"] or call.today, limit, cursor)
        return found.items, found.next_cursor

    with paging():
        items, cursor = lookup.filled(some, passes, wanted["limit"], wanted["cursor"])
    return {"items": [documents.submission(found) for found in items], "next_cursor": cursor}


@records.route("/v1/submissions/{submission_id}/replay", methods=["POST"], content_types=_ANY)
@answering(_request, "admin")
def replay_submission(call: Call, submission_id: str) -> object:
    """Map it again, as its source is configured now."""
    from chalicelib.services import hooks

    found = hooks.replay(
        submission_id,
        client=call.client,
        tools=call.container.tools,
        policy=call.container.policy,
    )
    return documents.submission(found)
