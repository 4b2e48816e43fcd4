"""The suite's own files in a team's repository: which of them differ from their origin, and how to update them."""

from __future__ import annotations
