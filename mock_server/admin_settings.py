"""The calls of /__admin that show and change what a mock is set to."""

from flask import request

from mock_server import admin_input
from mock_server.state import State
from mock_server.world import World

Shown = dict[str, object]


class Settings:
    """Two methods a setting, on one world: its GET and its POST."""

    def __init__(self, world: World) -> None:
        self._world = world

    def quota(self) -> Shown:
        """Show the package."""
        with self._world.state() as state:
            return state.quota.to_json()

    def set_quota(self) -> Shown:
        """Change what is named of used, total and expires_at."""
        body = admin_input.obj(sent(), ("used", "total", "expires_at"))
        used = admin_input.whole(body.get("used", 0), "used")
        total = admin_input.optional_whole(body.get("total"), "total")
        expires_at = admin_input.day(body.get("expires_at"), "expires_at")
        with self._world.state() as state:
            quota = state.quota
            quota.used = used if "used" in body else quota.used
            quota.total = total if "total" in body else quota.total
            quota.expires_at = expires_at if "expires_at" in body else quota.expires_at
            return quota.to_json()

    def clock(self) -> Shown:
        """Show today's date."""
        with self._world.state() as state:
            return _clock(state)

    def set_clock(self) -> Shown:
        """Set today's date; null follows the real one."""
        body = admin_input.obj(sent(), ("today",))
        today = admin_input.day(admin_input.required(body, "today"), "today")
        with self._world.state() as state:
            state.clock = today
            return _clock(state)

    def maintenance(self) -> Shown:
        """Tell whether it is on."""
        with self._world.state() as state:
            return _maintenance(state)

    def set_maintenance(self) -> Shown:
        """Switch 0010 on or off."""
        on = admin_input.flag(admin_input.obj(sent(), ("on",)).get("on"), "on")
        with self._world.state() as state:
            state.maintenance = on
            return _maintenance(state)

    def appcodes(self) -> Shown:
        """Count the accepted AppCodes; they are never shown."""
        with self._world.state() as state:
            return _appcodes(state)

    def set_appcodes(self) -> Shown:
        """Replace the accepted AppCodes; an empty list accepts any."""
        appcodes = admin_input.appcodes(sent())
        with self._world.state() as state:
            state.appcodes = appcodes
            return _appcodes(state)

    def throttle(self) -> Shown:
        """Show how many calls a second are let through."""
        with self._world.state() as state:
            return _throttle(state)

    def set_throttle(self) -> Shown:
        """Set how many calls a second are let through; null lets through any number."""
        body = admin_input.obj(sent(), ("calls_per_second",))
        given = admin_input.required(body, "calls_per_second")
        calls_per_second = admin_input.optional_whole(given, "calls_per_second", lowest=1)
        with self._world.state() as state:
            state.throttle.calls_per_second = calls_per_second
            return _throttle(state)


def shown(state: State) -> Shown:
    """Show all of them, as their GETs do."""
    return {
        "quota": state.quota.to_json(),
        "clock": _clock(state),
        "maintenance": _maintenance(state),
        "appcodes": _appcodes(state),
        "throttle": _throttle(state),
    }


def sent() -> object:
    """Read the JSON of the request at hand."""
    return admin_input.parse(request.get_data())


def _clock(state: State) -> Shown:
    return {"today": state.today().isoformat(), "fixed": state.clock is not None}


def _maintenance(state: State) -> Shown:
    return {"on": state.maintenance}


def _appcodes(state: State) -> Shown:
    return {"any": not state.appcodes, "count": len(state.appcodes)}


def _throttle(state: State) -> Shown:
    return {"calls_per_second": state.throttle.calls_per_second}
