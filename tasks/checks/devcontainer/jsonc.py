"""JSON with comments and trailing commas, as the Dev Container Specification allows it."""

from __future__ import annotations

import re
from typing import Any

from tasks.core import strict_json

_STRING = r'("(?:\\.|[^"\\])*")'
_COMMENT = re.compile(rf"{_STRING}|//[^\n]*|/\*.*?\*/", re.DOTALL)
_TRAILING_COMMA = re.compile(rf"{_STRING}|,(?=\s*[}}\]])", re.DOTALL)


def loads(text: str) -> Any:
    """Parse the text. Raises ValueError when it is not valid."""
    without_comments = _COMMENT.sub(_keep_string, text)
    return strict_json.loads(_TRAILING_COMMA.sub(_keep_string, without_comments))


def _keep_string(match: re.Match[str]) -> str:
    return match[1] or " "
