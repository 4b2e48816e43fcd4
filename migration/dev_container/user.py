"""The user for whom a dev container is changed; a container for root, or for one that nobody names, blocks."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from migration.dev_container.base import Base, user_of
from migration.model import Reason
from migration.simulation import Draft

_ROOT = "its user is root: Telepresence resolves no names as root in a container"
_UNKNOWN = "only its image knows the user"


def user_or_block(draft: Draft, path: str, config: Mapping[str, Any], base: Base) -> str | None:
    """The user; empty when nothing names one and that is accepted. None when the team has to name one first."""
    user = user_of(config, base, draft.simulation.core.text)
    if user not in {"", "root"} or draft.simulation.accepted(path):
        return user
    why = _ROOT if user else _UNKNOWN
    fix = (
        f"{why}; set `remoteUser` to a user of the image that is not root, or go without: --accept {shlex.quote(path)}"
    )
    draft.block(path, Reason.CUSTOM, f"core:{path}", fix)
    return None
