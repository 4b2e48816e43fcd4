"""Other people's data on a terminal: control characters are shown, never carried out.

A notice, a file name, a key or a pod's name may hold `ESC ] 0 ;`, which sets the window's title, `CR`, which overwrites
the line, or a character that reverses the order of letters (https://www.trojansource.codes).
"""

from __future__ import annotations

import re

# C0 without tab and newline, DEL, C1; then Unicode's controls of the writing direction and its line separators.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def visible(text: str) -> str:
    """Return the text with each control character as an escape such as `\\x1b`; tabs and newlines stay."""
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def one_line(text: str) -> str:
    """Return the same without a line break: for a value in a line of ours."""
    return visible(text).replace("\n", "\\n")


def in_json(text: str) -> str:
    """Return a JSON document with the same characters as JSON's own escapes: the data stays what it is."""
    return _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
