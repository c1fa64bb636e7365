"""The gateway's errors in both generations, by the newer generation's code.

Messages of the newer generation follow Alibaba Cloud's published table where it gives one
(`${...}` left out); B403ME and B403MO are unconfirmed. Where the older generation has several
forms for the same trouble all are listed, the usual one first. It has none for D504CO, so that
row gives the nearest.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

Generation = Literal["old", "new"]


class Form(NamedTuple):
    """How one generation says it."""

    status: int
    message: str


@dataclass(frozen=True, slots=True)
class GatewayError:
    """One row of the table.

    Attributes:
        code: six characters of `X-Ca-Error-Code` in the newer generation.
        maybe_charged: the vendor may have answered, and charged, before the gateway gave up.
    """

    code: str
    new: Form
    old: tuple[Form, ...]
    maybe_charged: bool = False

    def forms(self, generation: Generation) -> tuple[Form, ...]:
        """Give the forms of a generation, the usual one first."""
        return (self.new,) if generation == "new" else self.old

    def form(self, generation: Generation, message: str = "") -> Form:
        """Give the form with that message, or the usual one."""
        forms = self.forms(generation)
        return next((form for form in forms if form.message == message), forms[0])


_UNAUTHORIZED = Form(403, "Unauthorized")
_ARREARS = (Form(403, "User Arrears"),)
_BAD_APPCODE = Form(400, "Invalid AppCode")
_BAD_APPCODE_QUOTED = Form(400, "Invalid AppCode `not exists`")
_BAD_URL = Form(400, "Invalid Url")
_BAD_BODY = Form(400, "Invalid Request Body")
_BAD_LOCATION = Form(400, "Invalid Param Location")
_BACKEND_FAILED = Form(500, "Failed To Invoke Backend Service")
_ASYNC = Form(504, "Async Service")
_INTERNAL = Form(500, "Internal Error")
_UNAVAILABLE = Form(503, "Service Unavailable")

_CREDENTIALS_AND_PACKAGE = (
    GatewayError("A400AC", Form(400, "Invalid AppCode"), (_BAD_APPCODE, _BAD_APPCODE_QUOTED)),
    GatewayError("A401AC", Form(401, "Invalid AppCode"), (_BAD_APPCODE_QUOTED, _BAD_APPCODE)),
    GatewayError(
        "A400MA", Form(400, "Need authorization"), (Form(404, "Empty Signature"), _UNAUTHORIZED)
    ),
    GatewayError("I403AA", _UNAUTHORIZED, (_UNAUTHORIZED, Form(403, "Expiry of Authorization"))),
    GatewayError(
        "B403MQ",
        Form(403, "Api Market Subscription quota exhausted"),
        (Form(403, "Quota Exhausted"),),
    ),
    GatewayError(
        "B403ME", Form(403, "Api Market Subscription expired"), (Form(403, "Quota Expired"),)
    ),
    GatewayError("B403OD", Form(403, "Provider Account Overdue"), _ARREARS),
    GatewayError("B403MO", Form(403, "Api Market Subscription overdue"), _ARREARS),
)


def _throttled(code: str, by: str, old: str) -> GatewayError:
    return GatewayError(code, Form(429, f"Throttled by {by}"), (Form(403, old),))


_THROTTLED = (
    _throttled("T429ID", "INNER DOMAIN Flow Control", "Throttled by DOMAIN Flow Control"),
    _throttled("T429IN", "INSTANCE Flow Control", "Throttled by USER Flow Control"),
    _throttled("T429GR", "GROUP Flow Control", "TThrottled by GROUP Flow Control"),
    _throttled("T429PA", "API Flow Control", "Throttled by API Flow Control"),
    _throttled("T429PR", "PLUGIN Flow Control", "Throttled by APP Flow Control"),
    _throttled("T429SR", "SERVER Flow Control", "Throttled by USER Flow Control"),
    _throttled("T429MR", "Flow Control", "Throttled by APP Flow Control"),
)

_BAD_REQUEST = (
    GatewayError("I400HD", Form(400, "Invalid Header"), (_BAD_LOCATION,)),
    GatewayError("I400MH", Form(400, "Header is Required"), (_BAD_LOCATION,)),
    GatewayError("I400BD", Form(400, "Invalid Body"), (_BAD_BODY, Form(400, "Empty Request Body"))),
    GatewayError("I400PA", Form(400, "Invalid Request Path"), (_BAD_URL,)),
    GatewayError("I400RU", Form(400, "Invalid Request Uri"), (_BAD_LOCATION, _BAD_URL)),
    GatewayError(
        "I400CT",
        Form(400, "Invalid Content-Type"),
        (_BAD_LOCATION, Form(400, "Unsupported Multipart")),
    ),
    GatewayError("I404NF", Form(404, "API not found"), (_BAD_URL, Form(400, "API Not Found"))),
    GatewayError("I404DO", Form(404, "Invalid Domain"), (_BAD_URL,)),
    GatewayError("I405UM", Form(405, "Unsupported Method"), (Form(400, "Invalid HttpMethod"),)),
    GatewayError("I413RL", Form(413, "Request body too Large"), (_BAD_BODY,)),
    GatewayError("I413UL", Form(413, "Request URL too Large"), (_BAD_URL,)),
)


def _backend(code: str, status: int, message: str, *old: Form) -> GatewayError:
    return GatewayError(code, Form(status, message), old, maybe_charged=True)


_BACKEND = (
    GatewayError("D504CO", Form(504, "Backend service connect failed"), (_BACKEND_FAILED,)),
    _backend("D504TO", 504, "Backend service request timeout", _ASYNC, _BACKEND_FAILED),
    _backend("X504TO", 504, "Service timeout", _ASYNC),
    _backend("D504CS", 504, "Backend http ssl connect failed", _BACKEND_FAILED),
    _backend("D504RE", 504, "Backend domain resolve failed", _BACKEND_FAILED),
    _backend("D502FC", 502, "Backend response is invalid", _BACKEND_FAILED, _INTERNAL),
    _backend("N502RE", 502, "Response read error", _BACKEND_FAILED, _INTERNAL),
    _backend("D503BB", 503, "Backend circuit breaker busy", _UNAVAILABLE),
    _backend("X500ER", 500, "Service internal error", _INTERNAL),
    _backend("X503BZ", 503, "Service is busy", _UNAVAILABLE),
)

TABLE = {
    error.code: error
    for error in (*_CREDENTIALS_AND_PACKAGE, *_THROTTLED, *_BAD_REQUEST, *_BACKEND)
}
