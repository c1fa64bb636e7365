"""The views of ``books``: packages, advice, the comparison with the console, the export."""

from http import HTTPStatus

from chalice.app import Response

from chalicelib.domain.packages import NewPackage
from chalicelib.entrypoints import book_documents, book_schemas
from chalicelib.entrypoints.http import (
    Call,
    as_json,
    idempotency_key,
    json_body,
    paging,
    period,
    query,
)
from chalicelib.services import packages
from chalicelib.services.export import export

_MAX_DAYS = 366


def recorded(call: Call) -> Response:
    """201 with a new package, 200 with the one that the key led to before."""
    tools = call.container.tools
    key = idempotency_key(call.request)
    found = packages.record(
        NewPackage(**json_body(call.request, book_schemas.PACKAGE)),
        key=key,
        client=call.client,
        secret=tools.secrets.current(),
        packages=call.container.packages(),
        breaker=tools.breaker,
        clock=tools.clock,
        tell=tools.tell,
    )
    return as_json(
        book_documents.package(found.package), HTTPStatus.CREATED if found.new else HTTPStatus.OK
    )


def removed(call: Call, package_id: str) -> Response:
    """Nothing is left of it."""
    tools = call.container.tools
    packages.remove(
        package_id, client=call.client, packages=call.container.packages(), tell=tools.tell
    )
    return Response(body="", status_code=HTTPStatus.NO_CONTENT)


def outlook(call: Call) -> object:
    """The balance, package by package, and when it runs out."""
    tools = call.container.tools
    return book_documents.outlook(
        packages.outlook(
            packages=call.container.packages(), repository=tools.repository, clock=tools.clock
        )
    )


def advice(call: Call) -> object:
    """What to buy for the days to come."""
    wanted = query(call.request, book_schemas.ADVICE_QUERY)
    tools = call.container.tools
    balance, found = packages.advice(
        wanted["days"],
        packages=call.container.packages(),
        repository=tools.repository,
        clock=tools.clock,
    )
    return book_documents.advice(balance, found)


def compared(call: Call) -> object:
    """The seller's console against our own count."""
    body = json_body(call.request, book_schemas.READING)
    tools = call.container.tools
    return book_documents.comparison(
        packages.compare(
            **body,
            packages=call.container.packages(),
            repository=tools.repository,
            clock=tools.clock,
            billed=call.container.policy.billed,
        )
    )


def exported(call: Call) -> Response:
    """One CSV file, and where the next one starts."""
    wanted = query(call.request, book_schemas.EXPORT_QUERY)
    first, last = period(wanted, call.today, _MAX_DAYS)
    with paging():
        part = export(
            first,
            last,
            cursor=wanted["cursor"],
            client=call.client,
            repository=call.container.tools.repository,
        )
    headers: dict[str, str | list[str]] = {"Content-Type": "text/csv; charset=utf-8"}
    if part.next_cursor is not None:
        headers["X-Next-Cursor"] = part.next_cursor
    return Response(body=book_documents.csv_file(part.items), status_code=200, headers=headers)
