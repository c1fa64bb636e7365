"""The Lambda application: registers the HTTP blueprints and holds the event handlers."""

from chalice.app import Chalice, Rate

from chalicelib import bootstrap
from chalicelib.entrypoints.api import api
from chalicelib.entrypoints.compat import compat
from chalicelib.entrypoints.errors import as_problem
from chalicelib.services.sweep import sweep as sweep_due

app = Chalice(app_name="eryaosu")
app.register_blueprint(api)
app.register_blueprint(compat)
app.register_middleware(as_problem, "http")


@app.schedule(Rate(1, unit=Rate.MINUTES))
def sweep(event: object) -> dict[str, int]:  # noqa: ARG001  # a schedule says nothing
    """Give what nobody came back for its end, and count what was not counted."""
    tools = bootstrap.container().tools
    swept = sweep_due(repository=tools.repository, clock=tools.clock)
    return {"expired": swept.expired, "counted": swept.counted}
