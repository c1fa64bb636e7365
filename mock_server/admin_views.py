"""The calls of /__admin: each reads or changes the state, and shows it."""

import re
from collections.abc import Mapping
from http import HTTPStatus
from itertools import chain, islice

from flask import request

from mock_server import admin_input, admin_settings, fault_input, masking, near_misses
from mock_server.admin_settings import sent
from mock_server.faults import Armed
from mock_server.near_misses import NearMiss
from mock_server.version import VERSION
from mock_server.world import World

Json = dict[str, object] | list[dict[str, object]]
Failed = tuple[dict[str, object], int]

_DEFAULT_LIMIT = "1000"
_ID = re.compile(r"[1-9][0-9]{0,17}")


class Views:
    """One method a call, on one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._reveal = world.setup.options.reveal

    def health(self) -> Json:
        """Say that it is there."""
        return {"status": "ok", "version": VERSION}

    def state(self) -> Json:
        """Show everything that is small, for whoever looks at it over and over."""
        options = self._world.setup.options
        with self._world.state() as state:
            return {
                "paid_calls": state.ledger.paid_calls,
                "requests": state.journal.count,
                **admin_settings.shown(state),
                "faults": sum(not fault.used_up for fault in state.faults),
                "people": self._count(state.people),
                "gateway": options.gateway,
                "unknown": options.unknown,
                "latency_ms": options.latency_ms,
                "charged_codes": sorted(options.charged_codes),
                "journal_length": options.journal_length,
                "reveal": self._reveal,
            }

    def ledger(self) -> Json:
        """Show the charges."""
        limit = _limit()
        with self._world.state() as state:
            last = list(islice(reversed(state.ledger.entries), limit))
            return {
                "paid_calls": state.ledger.paid_calls,
                **state.quota.to_json(),
                "entries": [e.to_json(reveal=self._reveal) for e in reversed(last)],
            }

    def count(self) -> Json:
        """Count one person's paid calls: masked numbers collide."""
        body = admin_input.obj(sent(), ("id_number", "name"))
        number = admin_input.text(body, "id_number")
        name = admin_input.optional_text(body, "name")
        with self._world.state() as state:
            return {"paid_calls": state.ledger.count(number, name)}

    def requests(self) -> Json:
        """Show the journal."""
        since = request.args.get("since")
        moment = None if since is None else admin_input.moment(since, "since")
        limit = _limit()
        code = request.args.get("resp_code")
        if code is not None:
            admin_input.resp_code(code, "resp_code")
        with self._world.state() as state:
            found = state.journal.select(resp_code=code, since=moment, limit=limit)
            return {"requests": [entry.to_json(reveal=self._reveal) for entry in found]}

    def forget_requests(self) -> Json:
        """Empty the journal; the ledger stays."""
        with self._world.state() as state:
            forgotten = len(state.journal.entries)
            state.journal.entries.clear()
        return {"forgotten": forgotten}

    def verify(self) -> Json | Failed:
        """Tell whether as many requests as expected were as wanted."""
        body = admin_input.obj(sent(), ("count", "match"))
        expected = admin_input.whole(body.get("count"), "count")
        like = near_misses.wanted(body.get("match", {}))
        with self._world.state() as state:
            found, missed = near_misses.look(state.journal.entries, like)
            if found == expected:
                return {"count": found}
            # Those that are not as wanted explain what is missing, not what is too much.
            shown = [self._near_miss(near) for near in missed] if found < expected else []
            full = len(state.journal.entries) == self._world.setup.options.journal_length
        message = f"expected {expected} request{'' if expected == 1 else 's'}, found {found}"
        if full:
            message += ": the journal is full, and older requests are gone"
        return {
            "message": message,
            "expected": expected,
            "found": found,
            "near_misses": shown,
        }, HTTPStatus.UNPROCESSABLE_ENTITY

    def faults(self) -> Json:
        """List the armed faults, used up or not."""
        with self._world.state() as state:
            return {"faults": [self._fault(fault) for fault in state.faults]}

    def arm(self) -> Json:
        """Arm a fault."""
        fault = fault_input.fault(sent(), self._world.setup.options.gateway)
        with self._world.state() as state:
            return self._fault(state.arm(fault))

    def disarm(self) -> Json:
        """Clear all faults."""
        with self._world.state() as state:
            cleared = len(state.faults)
            state.faults.clear()
        return {"cleared": cleared}

    def disarm_one(self, fault_id: str) -> Json | Failed:
        """Clear one fault."""
        # Not Flask's converter, which fails on a number of thousands of digits.
        number = int(fault_id) if _ID.fullmatch(fault_id) else 0
        with self._world.state() as state:
            cleared = state.disarm(number)
        if not cleared:
            return {"message": "no armed fault has that id"}, HTTPStatus.NOT_FOUND
        return {"cleared": 1}

    def people(self) -> Json:
        """Count everyone, and list the first of them."""
        limit = _limit()
        held = self._world.setup.people
        with self._world.state() as state:
            added = dict(state.people)
        everyone = chain(added.items(), ((n, p) for n, p in held.items() if n not in added))
        return {
            "count": self._count(added),
            "people": [self._person(number, name) for number, name in islice(everyone, limit)],
        }

    def add_people(self) -> Json:
        """Add people, or rename those added before."""
        found = admin_input.new_people(sent())
        with self._world.state() as state:
            state.people |= found
        return {"added": len(found)}

    def identities(self) -> Json:
        """List the published test identities; never masked, they belong to nobody."""
        charged_codes = self._world.setup.options.charged_codes
        return [
            {
                "name": identity.name,
                "id_number": identity.id_number,
                "answers": identity.answers,
                "charged": identity.charged(charged_codes),
                "any_name": identity.effect is not None,
                "when": identity.effect.when if identity.effect else None,
            }
            for identity in self._world.setup.published
        ]

    def reset(self) -> Json:
        """Go back to the start."""
        self._world.reset()
        return {"status": "reset"}

    def _count(self, added: Mapping[str, str]) -> int:
        held = self._world.setup.people
        return len(held) + sum(number not in held for number in added)

    def _near_miss(self, near: NearMiss) -> dict[str, object]:
        return {"differs": near.differs, "request": near.entry.to_json(reveal=self._reveal)}

    def _person(self, id_number: str, name: str) -> dict[str, object]:
        if self._reveal:
            return {"name": name, "id_number": id_number}
        return {"name": masking.name(name), "id_number": masking.id_number(id_number)}

    def _fault(self, armed: Armed) -> dict[str, object]:
        fault = armed.fault
        match = fault.match
        number = match.id_number or ""
        name = match.name or ""
        return {
            "id": armed.id,
            "kind": fault.effect.kind,
            "value": fault.effect.value if fault.effect.value != "" else None,
            "when": fault.effect.when,
            "times": fault.times,
            "probability": fault.probability,
            "seed": fault.seed,
            "match": {
                "id_number": number if self._reveal else masking.id_number(number),
                "name": name if self._reveal else masking.name(name),
                "nth_call": match.nth_call,
            },
            "seen": armed.seen,
            "fired": armed.fired,
        }


def _limit() -> int:
    return admin_input.decimal(request.args.get("limit", _DEFAULT_LIMIT), "limit", lowest=1)
