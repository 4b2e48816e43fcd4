"""Where the helper starts."""

from __future__ import annotations

import os

from . import cached


def main(folder: str, argv: list[str]) -> int:
    """Answer one call. folder: that of the entries; argv: the plugin and its arguments.

    With `--expires` before them it prints when the token expires, in seconds since the epoch, instead of the credential.
    """
    request = cached.Request(folder, argv, dict(os.environ))
    has_entries = argv[0] != cached.EXPIRES and cached.through_az(request)
    entry = cached.served_at_once(request) if has_entries else None
    if entry is not None and entry.left >= cached.FRESH:
        return cached.serve(request, entry)
    from . import ask

    if not has_entries:
        return ask.special(request)
    if entry is None:
        return ask.answer(request)
    ask.renew_detached(request)
    return cached.serve(request, entry)
