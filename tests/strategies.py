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


_PREFIXES = sorted(PROVINCES | {f"9{province}" for province in PROVINCES})


def resident_ids(
    *, born_from: date = date(1850, 1, 1), born_to: date = date(2025, 12, 31)
) -> st.SearchStrategy[str]:
    """Normalised numbers of any province; the check character is python-stdnum's."""
    return st.builds(
        _resident_id,
        st.sampled_from(_PREFIXES),
        st.integers(0, 9999),
        st.dates(born_from, born_to),
        st.integers(0, 999),
    )


def _resident_id(prefix: str, rest: int, born: date, sequence: int) -> str:
    region = f"{prefix}{rest:04}"[:6]
    first17 = f"{region}{born:%Y%m%d}{sequence:03}"
    return f"{first17}{mod_11_2.calc_check_digit(first17)}"


def person_names() -> st.SearchStrategy[str]:
    """Normalised Han names of 1 to 50 characters, some with separators."""
    parts = st.lists(st.text(_HAN, min_size=1, max_size=12), min_size=2, max_size=3)
    return st.one_of(st.text(_HAN, min_size=1, max_size=50), parts.map("·".join))
