"""What packages cost, and the cheapest way to so many calls."""

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple


class Offer(NamedTuple):
    """A line of the price list: so many calls for so many yuan."""

    calls: int
    price: Decimal


# The seller's list, without the free trial of 500 calls, which nobody can buy again.
PRICE_LIST = (
    Offer(100, Decimal("3.10")),
    Offer(1_000, Decimal("30.00")),
    Offer(5_000, Decimal("149.00")),
    Offer(10_000, Decimal("289.00")),
    Offer(30_000, Decimal("840.00")),
    Offer(50_000, Decimal("1350.00")),
    Offer(100_000, Decimal("2600.00")),
    Offer(200_000, Decimal("5000.00")),
    Offer(300_000, Decimal("7200.00")),
    Offer(600_000, Decimal("13000.00")),
    Offer(1_000_000, Decimal("20999.00")),
    Offer(2_000_000, Decimal("37999.00")),
    Offer(5_000_000, Decimal("84999.00")),
)


class Line(NamedTuple):
    """So many packages of one offer."""

    offer: Offer
    number: int


class Combination(NamedTuple):
    """What to buy, largest packages first."""

    lines: tuple[Line, ...] = ()

    @property
    def calls(self) -> int:
        """Calls in all."""
        return sum(line.offer.calls * line.number for line in self.lines)

    @property
    def price(self) -> Decimal:
        """Yuan in all."""
        return sum((line.offer.price * line.number for line in self.lines), Decimal("0.00"))


def cheapest_single(calls: int, offers: Sequence[Offer] = PRICE_LIST) -> Combination | None:
    """The cheapest one package with at least so many calls; None if none is that large."""
    large = [offer for offer in offers if offer.calls >= calls]
    if not large:
        return None
    return Combination((Line(min(large, key=lambda one: (one.price, -one.calls)), 1),))


def cheapest(calls: int, offers: Sequence[Offer] = PRICE_LIST) -> Combination:
    """The cheapest packages with at least so many calls in all, any number of each.

    >>> [(line.number, line.offer.calls) for line in cheapest(6_000).lines]
    [(1, 5000), (1, 1000)]
    >>> cheapest(9_800).price, cheapest_single(9_800).price
    (Decimal('289.00'), Decimal('289.00'))
    """
    return Combination(_Search(offers).best(calls))


class _Search:
    """Branch and bound: the offer with the lowest price a call first, as many of it as fit.

    What is left costs at least the next offer's price a call, so that nearly all is cut off.
    """

    def __init__(self, offers: Sequence[Offer]) -> None:
        self._offers = sorted(offers, key=lambda one: (one.price / one.calls, -one.calls))
        self._found: tuple[Line, ...] = ()
        self._price = Decimal("Infinity")

    def best(self, calls: int) -> tuple[Line, ...]:
        self._extend((), Decimal("0.00"), 0, calls)
        return tuple(sorted(self._found, key=lambda line: -line.offer.calls))

    def _extend(self, lines: tuple[Line, ...], price: Decimal, depth: int, missing: int) -> None:
        if missing <= 0:
            if price < self._price:
                self._found, self._price = lines, price
            return
        if depth == len(self._offers) or self._too_dear(price, depth, missing):
            return
        offer = self._offers[depth]
        enough = -(-missing // offer.calls)
        for count in range(enough, -1, -1):
            cost, left = price + offer.price * count, missing - offer.calls * count
            # With fewer of the cheapest kind the rest only gets dearer.
            if left > 0 and self._too_dear(cost, depth + 1, left):
                return
            more = (*lines, Line(offer, count)) if count else lines
            self._extend(more, cost, depth + 1, left)

    def _too_dear(self, price: Decimal, depth: int, missing: int) -> bool:
        """Whether the rest, at the lowest price a call that is left, reaches the best one known."""
        if depth == len(self._offers):
            return True
        offer = self._offers[depth]
        if not self._price.is_finite():
            return False
        return (price - self._price) * offer.calls + missing * offer.price >= 0
