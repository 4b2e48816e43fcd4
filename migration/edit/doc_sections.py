"""A section of a document between two marks: ours to write, all around it is the person's."""

from __future__ import annotations

import re


def section_in(data: bytes, name: str, text: str) -> bytes:
    """The document with this section in it: replaced where it stands, else added at the end. Line ends are kept."""
    body = data.decode("utf-8", "surrogateescape")
    crlf = "\r\n" in body
    start, end = f"<!-- remote-first:{name} -->", f"<!-- /remote-first:{name} -->"
    section = f"{start}\n{text.rstrip()}\n{end}"
    if crlf:
        section = section.replace("\n", "\r\n")
    found = re.compile(re.escape(start) + r".*?" + re.escape(end), re.DOTALL)
    if found.search(body):
        new = found.sub(lambda _: section, body, count=1)
    else:
        line = "\r\n" if crlf else "\n"
        gap = "" if not body else (line if body.endswith("\n") else line * 2)
        new = f"{body}{gap}{section}{line}"
    return new.encode("utf-8", "surrogateescape")
