"""A piece of a shell script as the simple commands in it: those of an `if`, a loop, a list, a subshell, one by one."""

from __future__ import annotations

import re

HEREDOC = re.compile(r"<<-?\s*(['\"]?)(\w+)\1")
_GO_ON = re.compile(r"(?:if|then|elif|else|while|until|do|time|!|\{)(?=\s|$)")
_ENDED = re.compile(r"(?:fi|done|esac|\})(?=[\s;&|)<>]|$)")
_FOR = re.compile(r"(?:for|select)\s+(?:\(\(.*?\)\)|[^\n;]*)")
_CASE = re.compile(r"case\s+[^\n]*?\sin(?=\s|$)")
_HEADER = re.compile(r"(?:function\s+[\w-]+\s*(?:\(\s*\))?|[\w-]+\s*\(\s*\))\s*")
_TALK = re.compile(
    r"(?:\[\[?\s|test\s|command\s+-v\s|declare\s+-[fF]|type\s|which\s|have\s|cd\s|sleep\s|local\s|unset\s|[<>]"
    r"|(?:log|warn|die|info|error|echo|printf|exit|return|break|continue|true|false|shift|:)(?=\s|$))"
)
_ASSIGNED = re.compile(r"\w+\+?=(?:\"[^\"]*\"|'[^']*'|\$\(.*\)|\(.*\)|\S*)\Z", re.DOTALL)
_QUIET = re.compile(r"\d*[<>]&\d|&?\d*>+\s*/dev/null|\"[^\"]*\"|'[^']*'")


def says_only(command: str) -> bool:
    """Does the command only look, talk or keep a value? Without it nothing is missing outside of its own block."""
    if _ASSIGNED.match(command):
        return True
    return _TALK.match(command) is not None and not re.search(r"[|>]", _QUIET.sub("", command))


def commands(code: str) -> list[tuple[int, str]]:
    """Each command with its line, from 0. A here-document belongs to its command."""
    return _Splitter(code).split()


class _Splitter:
    def __init__(self, text: str) -> None:
        self._text, self._place, self._begin = text, 0, -1
        self._found: list[tuple[int, str]] = []
        self._heredocs: list[str] = []
        self._pattern = False  # a pattern of `case` is next

    def split(self) -> list[tuple[int, str]]:
        while self._place < len(self._text):
            if self._begin < 0:
                self._between()
            else:
                self._inside()
        self._end(len(self._text))
        return self._found

    def _between(self) -> None:
        """At a place where a command may begin."""
        text, at = self._text, self._place
        char = text[at]
        if text.startswith(";;", at):
            self._pattern = True
            self._place += 2
        elif char == "\n":
            self._place = self._after_heredocs(at + 1)
        elif char in " \t\r;&|)":
            self._place += 1
        elif char == "#":
            self._place = self._line_end(at)
        elif self._pattern:
            ended = _ENDED.match(text, at)
            self._pattern = False
            self._place = ended.end() if ended else self._until(at, ")")
        elif text.startswith("((", at):
            self._place = self._skipped(at)
        elif char == "(":
            self._place += 1
        elif found := (_GO_ON.match(text, at) or _ENDED.match(text, at) or _FOR.match(text, at)):
            self._place = found.end()
        elif found := _CASE.match(text, at):
            self._pattern, self._place = True, found.end()
        elif found := _HEADER.match(text, at):
            self._place = found.end()
        else:
            self._begin = at

    def _inside(self) -> None:
        """Within a command."""
        text, at = self._text, self._place
        char = text[at]
        if char == "\\":
            self._place += 2
        elif char in "\"'`(" or (char in "$<>" and text[at + 1 : at + 2] in ("(", "{")):
            self._place = self._skipped(at)
        elif char == "#" and text[at - 1] in " \t":
            self._end(at)
            self._place = self._line_end(at)
        elif text.startswith("<<<", at):
            self._place += 3
        elif char == "<" and (found := HEREDOC.match(text, at)):
            self._heredocs.append(found[2])
            self._place = found.end()
        elif char == "\n":
            self._place = self._after_heredocs(at + 1)
            if not text[:at].rstrip(" \t\r").endswith("|"):
                self._end(self._place)
        elif text.startswith((";;", "&&", "||"), at):
            self._end(at)
            self._pattern = char == ";"
            self._place += 2
        elif char in ";)" or (char == "&" and text[at - 1] not in "<>" and text[at + 1 : at + 2] != ">"):
            self._end(at)
            self._place += 1
        else:
            self._place += 1

    def _end(self, place: int) -> None:
        if self._begin >= 0 and (said := self._text[self._begin : place].strip()):
            self._found.append((self._text.count("\n", 0, self._begin), said))
        self._begin = -1

    def _line_end(self, place: int) -> int:
        found = self._text.find("\n", place)
        return len(self._text) if found < 0 else found

    def _after_heredocs(self, place: int) -> int:
        """The place behind the here-documents that begin in this line."""
        for mark in self._heredocs:
            while place < len(self._text):
                stop = self._line_end(place)
                line, place = self._text[place:stop].strip(), stop + 1
                if line == mark:
                    break
        self._heredocs = []
        return min(place, len(self._text))

    def _until(self, place: int, mark: str) -> int:
        """The place behind the mark, quotes and brackets skipped."""
        text = self._text
        while place < len(text):
            if text.startswith(mark, place):
                return place + len(mark)
            if text[place] == "\\":
                place += 2
            elif (mark != '"' and text[place] in "\"'`(") or (
                text[place] == "$" and text[place + 1 : place + 2] in ("(", "{")
            ):
                place = self._skipped(place)
            else:
                place += 1
        return len(text)

    def _skipped(self, place: int) -> int:
        """The place behind the quoted or bracketed text that begins here."""
        text = self._text
        if text[place] == "'":
            found = text.find("'", place + 1)
            return len(text) if found < 0 else found + 1
        if text[place] in '"`':
            return self._until(place + 1, text[place])
        start = place + (text[place] in "$<>")
        if text.startswith("((", start):
            return self._until(start + 2, "))")
        return self._until(start + 1, "}" if text[start] == "{" else ")")
