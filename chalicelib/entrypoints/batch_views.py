"""The views of ``batches``."""

from http import HTTPStatus

from chalice.app import Response

from chalicelib.domain.batch import Batch, BatchStatus, FileLayout
from chalicelib.entrypoints import batch_documents, batch_schemas
from chalicelib.entrypoints.http import (
    Call,
    as_json,
    idempotency_key,
    json_body,
    paging,
    query,
)
from chalicelib.services import batch_results, batches, packages
from chalicelib.services.batches import BatchRequest


def create(call: Call) -> Response:
    """201 with a new batch, 200 with the one that the key led to before."""
    key = idempotency_key(call.request)
    body = json_body(call.request, batch_schemas.BATCH_REQUEST, limit=batch_schemas.MAX_BODY)
    layout = FileLayout(
        **{name: body.pop(name) for name in ("format", "columns", "sheet", "encoding")}
    )
    made = batches.create(
        BatchRequest(layout, idempotency_key=key, **body),
        client=call.client,
        tools=call.container.tools,
        batching=call.container.batching(),
    )
    status = HTTPStatus.CREATED if made.new else HTTPStatus.OK
    return as_json(_document(call, made.batch), status)


def listing(call: Call) -> object:
    """Those of a day, newest first."""
    wanted = query(call.request, batch_schemas.BATCH_LIST_QUERY)
    with paging():
        page = batches.listing(
            wanted["day"] or call.today,
            limit=wanted["limit"],
            cursor=wanted["cursor"],
            client=call.client,
            batching=call.container.batching(),
        )
    return {
        "items": [batch_documents.batch(found) for found in page.items],
        "next_cursor": page.next_cursor,
    }


def get(call: Call, batch_id: str) -> object:
    """One batch."""
    return _document(call, _found(call, batch_id))


def pause(call: Call, batch_id: str) -> object:
    """The batch, paused."""
    container = call.container
    found = batches.pause(
        batch_id, client=call.client, tools=container.tools, batching=container.batching()
    )
    return batch_documents.batch(found)


def resume(call: Call, batch_id: str) -> object:
    """The batch, running."""
    container = call.container
    found = batches.resume(
        batch_id, client=call.client, tools=container.tools, batching=container.batching()
    )
    return batch_documents.batch(found)


def cancel(call: Call, batch_id: str) -> object:
    """The batch, cancelled."""
    container = call.container
    found = batches.cancel(
        batch_id, client=call.client, tools=container.tools, batching=container.batching()
    )
    return batch_documents.batch(found)


def results(call: Call, batch_id: str) -> Response:
    """A part of the result file, and where the next one starts."""
    wanted = query(call.request, batch_schemas.RESULTS_QUERY)
    page = batch_results.page(
        _found(call, batch_id),
        wanted["from_row"],
        wanted["limit"],
        repository=call.container.tools.repository,
        batching=call.container.batching(),
    )
    headers: dict[str, str | list[str]] = {"Content-Type": "text/csv; charset=utf-8"}
    if page.next_row is not None:
        headers["X-Next-Row"] = str(page.next_row)
    return Response(batch_documents.results(page.lines), headers, HTTPStatus.OK)


def _found(call: Call, batch_id: str) -> Batch:
    return batches.get(batch_id, client=call.client, batching=call.container.batching())


def _document(call: Call, found: Batch) -> dict[str, object]:
    """With the address for its file while that is waited for, and its cost once it was checked."""
    container, balance = call.container, None
    upload = batches.upload(found, tools=container.tools, batching=container.batching())
    if found.status is BatchStatus.CHECKED:
        balance = packages.balance(
            packages=container.packages(),
            repository=container.tools.repository,
            clock=container.tools.clock,
        )
    return batch_documents.batch(found, upload=upload, balance=balance)
