"""The developer's name for colleagues. In a dev container the user is `vscode` for everybody, and USER can be unset."""

from __future__ import annotations

import os

from tasks.core.config.settings import Settings
from tasks.core.errors import Trouble
from tasks.tools import git


def name(s: Settings) -> str:
    """Return the name that Codespaces, git or the developer's own machine gives; empty where none does.

    LOCAL_USER and LOCAL_USERNAME are USER and USERNAME of the machine that runs the dev container.
    """
    variables = os.environ.get
    found = variables("GITHUB_USER") or _email(s) or variables("LOCAL_USER") or variables("LOCAL_USERNAME") or ""
    return found.strip()


def _email(s: Settings) -> str:
    """Return the part before the @ of git's global user.email, which editors copy into a dev container."""
    try:
        return git.tool(s)["config", "--global", "--get", "user.email"].run().partition("@")[0]
    except Trouble:  # git is not installed, or the email is not set
        return ""
