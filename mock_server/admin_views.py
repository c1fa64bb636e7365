"""The calls of /__admin: each reads or changes the state, and shows it."""

from itertools import chain, islice

from flask import request

from mock_server import admin_input, masking
from mock_server.faults import Armed
from mock_server.version import VERSION
from mock_server.world import World

Json = dict[str, object] | list[dict[str, object]]

_DEFAULT_LIMIT = "1000"


class Views:
    """One method a call, on one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._reveal = world.setup.options.reveal

    def health(self) -> Json:
        """Say that it is there."""
        return {"status": "ok", "version": VERSION}

    def ledger(self) -> Json:
        """Show the charges."""
        with self._world.state() as state:
            return {
                "paid_calls": state.ledger.paid_calls,
                **state.quota.to_json(),
                "entries": [e.to_json(reveal=self._reveal) for e in state.ledger.entries],
            }

    def count(self) -> Json:
        """Count one person's paid calls: masked numbers collide."""
        body = admin_input.obj(_json(), ("id_number", "name"))
        number = admin_input.text(body, "id_number")
        name = admin_input.optional_text(body, "name")
        with self._world.state() as state:
            return {"paid_calls": state.ledger.count(number, name)}

    def requests(self) -> Json:
        """Show the journal."""
        since = request.args.get("since")
        moment = None if since is None else admin_input.moment(since, "since")
        limit = admin_input.limit(request.args.get("limit", _DEFAULT_LIMIT))
        code = request.args.get("resp_code")
        with self._world.state() as state:
            found = state.journal.select(resp_code=code, since=moment, limit=limit)
            return {"requests": [entry.to_json(reveal=self._reveal) for entry in found]}

    def forget_requests(self) -> Json:
        """Empty the journal; the ledger stays."""
        with self._world.state() as state:
            forgotten = len(state.journal.entries)
            state.journal.entries.clear()
        return {"forgotten": forgotten}

    def faults(self) -> Json:
        """List the armed faults, used up or not."""
        with self._world.state() as state:
            return {"faults": [self._fault(fault) for fault in state.faults]}

    def arm(self) -> Json:
        """Arm a fault."""
        fault = admin_input.fault(_json(), self._world.setup.options.gateway)
        with self._world.state() as state:
            state.faults.append(fault)
            return self._fault(fault)

    def disarm(self) -> Json:
        """Clear all faults."""
        with self._world.state() as state:
            cleared = len(state.faults)
            state.faults.clear()
        return {"cleared": cleared}

    def people(self) -> Json:
        """Count everyone, and list the first of them."""
        limit = admin_input.limit(request.args.get("limit", _DEFAULT_LIMIT))
        held = self._world.setup.people
        with self._world.state() as state:
            added = dict(state.people)
        everyone = chain(added.items(), ((n, p) for n, p in held.items() if n not in added))
        return {
            "count": len(held) + sum(number not in held for number in added),
            "people": [self._person(number, name) for number, name in islice(everyone, limit)],
        }

    def add_people(self) -> Json:
        """Add people, or rename those added before."""
        found = admin_input.new_people(_json())
        with self._world.state() as state:
            state.people |= found
        return {"added": len(found)}

    def set_quota(self) -> Json:
        """Change what is named of used, total and expires_at."""
        body = admin_input.obj(_json(), ("used", "total", "expires_at"))
        used = admin_input.whole(body.get("used", 0), "used")
        total = body.get("total")
        total = None if total is None else admin_input.whole(total, "total")
        expires_at = admin_input.day(body.get("expires_at"), "expires_at")
        with self._world.state() as state:
            quota = state.quota
            quota.used = used if "used" in body else quota.used
            quota.total = total if "total" in body else quota.total
            quota.expires_at = expires_at if "expires_at" in body else quota.expires_at
            return quota.to_json()

    def set_clock(self) -> Json:
        """Set today's date; null follows the real one."""
        body = admin_input.obj(_json(), ("today",))
        if "today" not in body:
            raise admin_input.InvalidInputError("today", "is missing", "YYYY-MM-DD or null")
        today = admin_input.day(body["today"], "today")
        with self._world.state() as state:
            state.clock = today
            return {"today": state.today().isoformat()}

    def set_maintenance(self) -> Json:
        """Switch 0010 on or off."""
        on = admin_input.flag(admin_input.obj(_json(), ("on",)), "on")
        with self._world.state() as state:
            state.maintenance = on
        return {"on": on}

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

    def _person(self, id_number: str, name: str) -> dict[str, object]:
        if self._reveal:
            return {"name": name, "id_number": id_number}
        return {"name": masking.name(name), "id_number": masking.id_number(id_number)}

    def _fault(self, fault: Armed) -> dict[str, object]:
        match = fault.match
        number = match.id_number or ""
        name = match.name or ""
        return {
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
            "seen": fault.seen,
            "fired": fault.fired,
        }


def _json() -> object:
    return admin_input.parse(request.get_data())
