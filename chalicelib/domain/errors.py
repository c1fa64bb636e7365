"""Every error that the service answers with, as one tree.

    ServiceError                            code, detail, reason, and what the caller may rely on
    ├── RequestError                        the caller's input; nothing was sent, nothing is charged
    │   ├── MalformedRequestError             malformed_request
    │   ├── PayloadTooLargeError              payload_too_large
    │   ├── UnsupportedMediaTypeError         unsupported_media_type
    │   ├── PersonNameError
    │   │   ├── NameEmptyError                  name_empty          respCode 0001
    │   │   └── NameInvalidError                name_invalid        respCode 0002
    │   │       ├── NameSpecialCharacterError     reason special_character
    │   │       ├── NameSeparatorError            reason separator
    │   │       ├── NamePlaceholderError          reason placeholder
    │   │       ├── NamePrivateUseError           reason private_use
    │   │       └── NameTooLongError              reason too_long
    │   ├── ResidentIdError
    │   │   ├── ResidentIdEmptyError            id_number_empty     respCode 0003
    │   │   ├── ResidentIdNotTextError          id_number_not_text
    │   │   └── ResidentIdInvalidError          id_number_invalid   respCode 0004
    │   │       ├── ResidentIdLengthError         reason length
    │   │       ├── ResidentIdFirstGenerationError  reason first_generation
    │   │       ├── ResidentIdCharacterError      reason character
    │   │       ├── ResidentIdRegionError         reason region
    │   │       ├── ResidentIdDateError           reason date
    │   │       └── ResidentIdCheckCharacterError reason check_character
    │   ├── TestIdentityError                 test_identity
    │   └── IdempotencyKeyReusedError         idempotency_key_reused
    ├── UnauthenticatedError                unauthenticated
    ├── ForbiddenError                      forbidden
    ├── NotFoundError                       not_found
    ├── MethodNotAllowedError               method_not_allowed
    ├── TooManyRequestsError                too_many_requests: API Gateway lets no more through
    ├── ErasedError                         erased
    ├── VerificationInProgressError         verification_in_progress
    ├── NotUnknownError                     not_unknown
    ├── VerificationEndedError              ended without an outcome; its code is the problem's own
    ├── BreakerOpenError                    calls are stopped; its code is the cause's own
    ├── BudgetExhaustedError                budget_exhausted: a cap on paid calls is reached
    ├── ServiceUnavailableError             service_unavailable: table, key or secret out of reach
    └── UnexpectedError                     outcome_unknown: a fault of ours in a paid call

``code`` is a key of ``codes.PROBLEMS``, where billed and retryable stand. Texts never repeat a
value that was sent: no name, no number, no key.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chalicelib.domain.verification import Verification


class ServiceError(Exception):
    """The root: ``code`` says what, ``detail`` how to mend it, ``reason`` which rule."""

    code: str
    reason: str | None = None
    resp_code: str | None = None
    retry_after: int | None = None

    def __init__(self, detail: str, *, verification_id: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.verification_id = verification_id


class RequestError(ServiceError):
    """The caller's input is wrong; nothing was sent and nothing is charged."""


class MalformedRequestError(RequestError):
    """The request cannot be read: not JSON, a wrong type, an unknown field."""

    code = "malformed_request"


class PayloadTooLargeError(RequestError):
    """The body is larger than any honest request."""

    code = "payload_too_large"


class UnsupportedMediaTypeError(RequestError):
    """The Content-Type is not one that this call reads."""

    code = "unsupported_media_type"


class PersonNameError(RequestError):
    """The name cannot be verified as it stands."""


class NameEmptyError(PersonNameError):
    """Nothing is left of the name once blanks are removed."""

    code = "name_empty"
    resp_code = "0001"


class NameInvalidError(PersonNameError):
    """The name holds what no registered name can hold."""

    code = "name_invalid"
    resp_code = "0002"


class NameSpecialCharacterError(NameInvalidError):
    """A digit, Latin letter, symbol, bracket, emoji or another script."""

    reason = "special_character"


class NameSeparatorError(NameInvalidError):
    """The separator U+00B7 is first, last or doubled."""

    reason = "separator"


class NamePlaceholderError(NameInvalidError):
    """A sign that stands for a character which the sender could not write."""

    reason = "placeholder"


class NamePrivateUseError(NameInvalidError):
    """A private-use character without a known meaning."""

    reason = "private_use"


class NameTooLongError(NameInvalidError):
    """More than 50 characters."""

    reason = "too_long"


class ResidentIdError(RequestError):
    """The number cannot be verified as it stands."""


class ResidentIdEmptyError(ResidentIdError):
    """Nothing is left of the number once blanks are removed."""

    code = "id_number_empty"
    resp_code = "0003"


class ResidentIdNotTextError(ResidentIdError):
    """The number came as a JSON number or in scientific notation: its last digits are lost."""

    code = "id_number_not_text"


class ResidentIdInvalidError(ResidentIdError):
    """No resident identity number looks like this."""

    code = "id_number_invalid"
    resp_code = "0004"


class ResidentIdLengthError(ResidentIdInvalidError):
    """Not 18 characters."""

    reason = "length"


class ResidentIdFirstGenerationError(ResidentIdInvalidError):
    """15 digits: first-generation numbers ended on 2013-01-01 and are never upgraded by guess."""

    reason = "first_generation"


class ResidentIdCharacterError(ResidentIdInvalidError):
    """A character other than 17 ASCII digits and a last digit or X."""

    reason = "character"


class ResidentIdRegionError(ResidentIdInvalidError):
    """The first two digits were never given to a province."""

    reason = "region"


class ResidentIdDateError(ResidentIdInvalidError):
    """The date of birth does not exist, is in the future (UTC+8) or before 1850."""

    reason = "date"


class ResidentIdCheckCharacterError(ResidentIdInvalidError):
    """The last character contradicts the first 17 (ISO 7064 MOD 11-2)."""

    reason = "check_character"


class TestIdentityError(RequestError):
    """A test identity met the real upstream, where it would cost money."""

    __test__ = False  # not a test class, whatever its name suggests to a collector
    code = "test_identity"


class IdempotencyKeyReusedError(RequestError):
    """The Idempotency-Key came before with another payload."""

    code = "idempotency_key_reused"


class UnauthenticatedError(ServiceError):
    """No key, or not one that is known."""

    code = "unauthenticated"


class ForbiddenError(ServiceError):
    """The key lacks the scope."""

    code = "forbidden"


class NotFoundError(ServiceError):
    """No such path, or no such verification for this client."""

    code = "not_found"


class MethodNotAllowedError(ServiceError):
    """The path is right, the method is not."""

    code = "method_not_allowed"


class TooManyRequestsError(ServiceError):
    """API Gateway lets no more through, and says when to come again; nothing was sent."""

    code = "too_many_requests"


class ErasedError(ServiceError):
    """The person's data were erased; the key never makes a call again."""

    code = "erased"


class VerificationInProgressError(ServiceError):
    """The same question is being asked right now; ``retry_after`` is in seconds."""

    code = "verification_in_progress"

    def __init__(self, detail: str, *, verification_id: str, retry_after: int = 5) -> None:
        super().__init__(detail, verification_id=verification_id)
        self.retry_after = retry_after


class NotUnknownError(ServiceError):
    """Only a verification of unknown outcome can be resolved."""

    code = "not_unknown"


class ServiceUnavailableError(ServiceError):
    """Something of ours is out of reach before anything was sent."""

    code = "service_unavailable"


class UnexpectedError(ServiceError):
    """A fault of ours while a paid call may have been under way."""

    code = "outcome_unknown"


# Seconds after which a passing trouble is worth another try.
_PASSING = {"upstream_throttled": 2, "upstream_unreachable": 5, "upstream_maintenance": 300}


class VerificationEndedError(ServiceError):
    """It ended without an outcome; ``verification`` says why and what was charged."""

    def __init__(self, verification: "Verification") -> None:
        problem = verification.problem
        super().__init__(problem.detail if problem else "", verification_id=verification.id)
        self.verification = verification
        self.code = problem.code if problem else "outcome_unknown"
        self.resp_code = verification.resp_code
        self.retry_after = _PASSING.get(self.code)


class BreakerOpenError(ServiceError):
    """Calls are stopped; ``code`` is the cause's, ``retry_after`` (seconds) what is left of it."""

    def __init__(self, cause: str, *, retry_after: int | None) -> None:
        super().__init__(
            "Calls are stopped since the upstream last answered so. Nothing was sent."
            if retry_after is None
            else "Calls are paused since the upstream last answered so. Nothing was sent; post "
            "again later."
        )
        self.code = cause
        self.retry_after = retry_after


class BudgetExhaustedError(ServiceError):
    """A cap is reached and nothing was sent; ``retry_after`` (seconds) until its period is over."""

    code = "budget_exhausted"

    def __init__(self, detail: str, *, retry_after: int) -> None:
        super().__init__(detail)
        self.retry_after = retry_after
