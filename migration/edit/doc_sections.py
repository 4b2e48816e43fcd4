"""Write a section of a document between two marks; the rest of the document belongs to the team."""

from __future__ import annotations

import re


def section_in(data: bytes, name: str, text: str) -> bytes:
    """The document with this section: replaced where it is, otherwise added at the end. Line ends are kept."""
    document = data.decode("utf-8", "surrogateescape")
    line_end = "\r\n" if "\r\n" in document else "\n"
    start, end = f"<!-- remote-first:{name} -->", f"<!-- /remote-first:{name} -->"
    section = f"{start}\n{text.rstrip()}\n{end}"
    if line_end == "\r\n":
        section = section.replace("\n", line_end)
    existing = re.compile(re.escape(start) + r".*?" + re.escape(end), re.DOTALL)
    if existing.search(document):
        new = existing.sub(lambda _: section, document, count=1)  # a function: a backslash in the text has no meaning
    else:
        new = f"{document}{_gap(document, line_end)}{section}{line_end}"
    return new.encode("utf-8", "surrogateescape")


def _gap(document: str, line_end: str) -> str:
    """What separates the section from the text before it: an empty line."""
    if not document:
        return ""
    return line_end if document.endswith("\n") else line_end * 2
