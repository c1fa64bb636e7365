"""A stand-in for the vendor of 身份证二要素 and for the API gateway in front of it.

    from mock_server import Options, create_app
    from mock_server.serving import Server

    with Server(create_app(Options(quota=10))) as upstream:
        ...  # call upstream.url + "/idenAuthentication", drive upstream.url + "/__admin/..."

What is where, each module building only on those above it:

    options          the flags, as one frozen dataclass
    clock            dates
    masking          how names and numbers look wherever they are shown
    resident_id      the anatomy of an ID number: check character, birthday, sex
    person_name      what the vendor takes for a name
    regions          province, city and county of a number, at the year of birth
    effects          what can be done to a call instead of answering it by the rules
    gateway_errors   the table of the gateway's errors, both generations
    resp_codes       the table of the vendor's answers
    identities       the published test identities
    samples          the vendor's documented sample
    people           who else exists: the CSV of `--people`
    call             one request's facts, and the form inside it
    answer           one answer's bytes: the vendor's, the gateway's
    faults           faults, armed faults, and which of them a call sets off
    ledger           what was charged
    hints            what callers get wrong
    journal          what was asked
    state            everything that changes, and what it is reset to
    gate             what the gateway refuses before the vendor sees a call
    rules            which respCode the vendor gives
    decide           the one pure function: request facts and state -> decision
    world            state behind one lock; decisions are taken and booked here
    delivery         how an answer reaches the caller, unharmed or not: steps without I/O
    version          its version
    admin_input      values of /__admin and of a scenario: taken or refused
    fault_input      the same for a fault
    near_misses      requests as wanted, and nearly so
    toml_lines       where in a TOML file a value stands
    scenario         a TOML file that says how a mock starts
    admin_settings   the calls of /__admin that show and change settings
    admin_views      its other calls
    schemas          what is sent and answered, as JSON schemas
    openapi_*        examples, the upstream's call and /__admin's, described
    openapi          the OpenAPI document: all of that
    admin_page       the page, and what serves the document
    admin            /__admin: who may call it, its routes, its errors
    app              Flask around it
    connection       the upstream's calls in uvicorn's event loop
    tls              a certificate made at start
    serving          uvicorn around both
    cli, __main__    the command line
    upstream         a running mock, driven over HTTP
    pytest_plugin    the fixture `upstream`

It imports nothing from chalicelib: common mapping code could be wrong on both sides at once.
"""

from typing import TYPE_CHECKING

from mock_server.options import Options

if TYPE_CHECKING:
    from mock_server.app import create_app
else:

    def __getattr__(name: str) -> object:
        """Import Flask when `create_app` is asked for: pytest loads the plugin whoever uses it."""
        if name != "create_app":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from mock_server.app import create_app

        return create_app


__all__ = ["Options", "create_app"]
