"""Words that readers misunderstood must not come back: messages, docstrings, comments and documents use standard terms."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SUFFIXES = {".py", ".md", ".sh", ".bash", ".star", ".yaml", ".toml", ".json"}
NOT_OURS = ("tests/data/", "config/schema/", "sandbox/legacy/data/", "CHANGELOG.md", "tests/test_plain_english.py")

# The pattern, and what to write instead.
RULES = (
    (r"\b(?-i:is|are) (?-i:none)\b", "does not exist; is not a valid ..."),
    (r"(?<!there )\bis no (?!longer|more|need)[a-z]+", "is not a valid ...; is not a ..."),
    (r"\banew\b", "again; reconnected; recreated"),
    (r"\bmend(?:s|ed|ing)?\b", "fix"),
    (r"\bleft away\b", "omitted"),
    (r"\b(?:stands?|stood) in\b", "is in"),
    (r"\b(?:lies?|lay) in\b", "is in"),
    (r"\bcounts? no more\b", "invalidated"),
    (r"\b(?:told|said) on\b", "reported on"),
    (r"\blets? go\b", "releases; stops"),
    (r"\bcarr(?:y|ies|ied) along\b", "copied"),
    (r"\bgoes? (?:away|unproven)\b", "is deleted"),
    (r"\btakes? away\b", "deletes; removes"),
    (r"\bwhoever\b", "anyone who; the process that"),
    (r"\bnobody (?:can|knows|calls|wants)\b", "name who or what"),
    (r"\bgives? no answer\b", "does not answer"),
)


def files() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    names = [name for name in listed.split("\0") if name and not name.startswith(NOT_OURS)]
    return [ROOT / name for name in names if Path(name).suffix in SUFFIXES or Path(name).name == "Tiltfile"]


@pytest.mark.parametrize(("pattern", "better"), RULES, ids=[better for _, better in RULES])
def test_a_misunderstood_word_is_not_used(pattern: str, better: str):
    rule = re.compile(pattern, re.IGNORECASE)
    hits = [
        f"{path.relative_to(ROOT)}:{number}: {match.group()}"
        for path in files()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if (match := rule.search(line))
    ]
    assert not hits, f"write instead: {better}\n" + "\n".join(hits)


def test_the_rules_find_the_sentences_that_they_are_about():
    assert all(any(re.search(pattern, line) for pattern, _ in RULES) for line in ("'x' is no port", "it is made anew"))
    assert not any(re.search(pattern, "there is no port; it is no longer open") for pattern, _ in RULES)
