"""The README's commands, the demo among them: the first five minutes of a stranger. Apart, because the demo takes its time."""

from __future__ import annotations

import pytest

from sandbox.demo import docs
from tasks.core.repository import repository_root


@pytest.mark.slow
def test_every_command_of_the_readme_runs():
    text = (repository_root() / "README.md").read_text()
    assert docs.differences(text, docs.rendered(text)) == []
