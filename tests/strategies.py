"""Numbers and names that are valid by construction, for properties."""

from datetime import date

from hypothesis import strategies as st
from stdnum.iso7064 import mod_11_2

from chalicelib.domain.regions import PROVINCES

# The main block, both ends of every other, and the zero.
_HAN = "".join(map(chr, range(0x4E00, 0xA000))) + (
    "\u3007\u3400\u4dae\u4dbf\ufa0e\ufa29\U00020000\U0002a6df\U0002a700\U0002ebef"
    "\U0002ebf0\U0002ee5f\U00030000\U000323af\U000323b0\U0003347f"
)


def _digits(size: int) -> st.SearchStrategy[str]:
    return st.text("0123456789", min_size=size, max_size=size)


@st.composite
def resident_ids(
    draw: st.DrawFn, *, born_from: date = date(1850, 1, 1), born_to: date = date(2025, 12, 31)
) -> str:
    """Normalised numbers of any province; the check character is python-stdnum's."""
    province = draw(st.sampled_from(sorted(PROVINCES)))
    rest = draw(st.one_of(_digits(4), _digits(3).map(lambda country: f"9{country}")))
    # The 9 of a permanent residence card comes before its province.
    region = f"9{province}{rest[1:]}" if rest[0] == "9" else f"{province}{rest}"
    born = draw(st.dates(born_from, born_to))
    first17 = f"{region}{born:%Y%m%d}{draw(_digits(3))}"
    return f"{first17}{mod_11_2.calc_check_digit(first17)}"


def person_names() -> st.SearchStrategy[str]:
    """Normalised Han names of 1 to 50 characters, some with separators."""
    parts = st.lists(st.text(_HAN, min_size=1, max_size=12), min_size=2, max_size=3)
    return st.one_of(st.text(_HAN, min_size=1, max_size=50), parts.map("·".join))
