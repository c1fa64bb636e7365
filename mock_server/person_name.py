"""What the vendor takes for a name: Han characters and U+00B7, nothing else.

Explicit ranges: Python 3.11 knows nothing yet of the newest blocks.
"""

import re

_HAN = (
    "\u3007\u3400-\u4dbf\u4e00-\u9fff"
    "\ufa0e\ufa0f\ufa11\ufa13\ufa14\ufa1f\ufa21\ufa23\ufa24\ufa27-\ufa29"
    "\U00020000-\U0002a6df\U0002a700-\U0002ebef\U0002ebf0-\U0002ee5f\U00030000-\U0003347f"
)
_NAME = re.compile(f"[{_HAN}\u00b7]+")


def is_plain(name: str) -> bool:
    """Tell whether a non-empty name holds no special character.

    >>> is_plain("买买提·吐尔逊"), is_plain("Zhang"), is_plain("张 三")
    (True, False, False)
    """
    return _NAME.fullmatch(name) is not None
