"""Packages in memory; they pass the DynamoDB adapter's contract suite."""

from collections.abc import Sequence
from threading import RLock

from chalicelib.domain.packages import Package, by_expiry
from chalicelib.services.ports import UnavailableError


class FakePackages:
    """What stands there is in ``items``; ``down`` makes every call fail."""

    def __init__(self, *packages: Package) -> None:
        self.items: dict[str, Package] = {one.id: one for one in packages}
        self.down = False
        self._lock = RLock()

    def add(self, package: Package) -> Package | None:
        with self._lock:
            self._reach()
            if package.id in self.items:
                return self.items[package.id]
            self.items[package.id] = package
            return None

    def all(self) -> Sequence[Package]:
        self._reach()
        return by_expiry(self.items.values())

    def remove(self, package_id: str) -> Package | None:
        with self._lock:
            self._reach()
            return self.items.pop(package_id, None)

    def _reach(self) -> None:
        if self.down:
            raise UnavailableError("the table is out of reach")
