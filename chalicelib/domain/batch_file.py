"""What a list of people may be at most, and the error of a file that cannot be one."""

MAX_ROWS = 1_000_000
MAX_NUMBER = 2 * MAX_ROWS
"""The last row's number, empty ones counted."""

MAX_COLUMNS = 200

DAMAGED = "The workbook is damaged; open it and save it again as .xlsx."


class FileError(Exception):
    """The file as a whole cannot be read; ``detail`` says how to mend it and names ``row``."""

    def __init__(self, detail: str, row: int | None = None) -> None:
        self.detail = detail if row is None else f"Row {row}: {detail}"
        self.row = row
        super().__init__(self.detail)
