"""Cells of a CSV file that somebody will open in a spreadsheet."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def formula_safe(text: str) -> str:
    """The text; behind an apostrophe if a spreadsheet would take it for a formula.

    >>> formula_safe("=HYPERLINK(A1)"), formula_safe("order-9")
    ("'=HYPERLINK(A1)", 'order-9')
    """
    return f"'{text}" if text.startswith(_FORMULA) else text
