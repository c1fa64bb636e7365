"""The mock described: OpenAPI 3.1 of the upstream's call and of /__admin.

Codes, messages and kinds of faults come from the tables, so that it cannot fall behind them. It is
made at the first call and kept.
"""

from functools import lru_cache

from mock_server import openapi_admin, openapi_examples, openapi_upstream, schemas
from mock_server.schemas import Json
from mock_server.version import VERSION

_DESCRIPTION = f"""\
A mock of the paid API 身份证二要素 (does this name belong to this ID number?) and of the API
gateway in front of it. Point your code at it instead of the vendor's host, and change nothing else.

The first call is the upstream's own. All others, under /__admin, are the mock's: they show what was
asked and what was charged, and arm faults. Send them JSON.

{openapi_examples.SCENE} Every example of the upstream's call is answered as its name says.
"""

_SECURITY = {
    "appcode": {
        "type": "apiKey",
        "in": "header",
        "name": "Authorization",
        "description": "`APPCODE <appcode>`: capitals, one ASCII space. Any AppCode will do unless "
        "the mock was told which, by `--appcode` or `POST /__admin/appcodes`.",
    },
    "adminToken": {
        "type": "http",
        "scheme": "bearer",
        "description": "Asked for only when the mock was started with `--admin-token`.",
    },
}


@lru_cache(maxsize=1)
def document() -> Json:
    """Give the OpenAPI document; it is kept, so do not change it."""
    tags = {"upstream": "The paid API."} | openapi_admin.TAGS
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Mock of 身份证二要素",
            "version": VERSION,
            "description": _DESCRIPTION,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": said} for name, said in tags.items()],
        "paths": openapi_upstream.paths() | openapi_admin.paths(),
        "components": {
            "securitySchemes": _SECURITY,
            "headers": openapi_upstream.HEADERS,
            "responses": openapi_admin.RESPONSES,
            "schemas": schemas.components(),
        },
    }
