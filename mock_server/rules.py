"""Which respCode the vendor gives to a form."""

from datetime import date

from mock_server import person_name, resident_id, resp_codes
from mock_server.call import Fields
from mock_server.samples import SAMPLE_NAME, SAMPLE_NUMBER
from mock_server.state import Setup, State

_UNKNOWN = {
    "no_record": resp_codes.NO_RECORD,
    "match": resp_codes.MATCH,
    "mismatch": resp_codes.MISMATCH,
}


def key(id_number: str, setup: Setup) -> str:
    """Give the number as it is looked up: a lower-case x counts only where it is accepted."""
    return id_number.upper() if setup.options.lower_x == "accept" else id_number


def resp_code(fields: Fields, setup: Setup, state: State, today: date) -> str:
    """Apply the rules in the vendor's order: 0001 0003 0002 0004 0010 0007 0008 0000."""
    name, number = fields.name, key(fields.id_number, setup)
    if not name.strip():
        return resp_codes.NAME_EMPTY
    if not number.strip():
        return resp_codes.NUMBER_EMPTY
    if not person_name.is_plain(name):
        return resp_codes.NAME_SPECIAL
    if number != SAMPLE_NUMBER and not resident_id.is_well_formed(number, today):
        return resp_codes.NUMBER_MALFORMED
    if state.maintenance:
        return resp_codes.MAINTENANCE
    return _on_record(name, number, setup, state)


def _on_record(name: str, number: str, setup: Setup, state: State) -> str:
    if number == SAMPLE_NUMBER:
        held: str | None = SAMPLE_NAME
    else:
        held = state.people.get(number) or setup.people.get(number)
    if held is None:
        return _UNKNOWN[setup.options.unknown]
    return resp_codes.MATCH if held == name else resp_codes.MISMATCH
