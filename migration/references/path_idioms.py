"""How texts write paths: the idioms of shells, Python, JavaScript, Make, workflows, as regular expressions."""

from __future__ import annotations

import re

HERE, ROOT, SOME = "\x01", "\x02", "\x03"  # the file's own folder, the repository root, what cannot be told

DIRNAME = re.compile(
    r"""\$\(\s*dirname\s+(?:--\s+)?"?(?:\$\{?(?:0|BASH_SOURCE(?:\[0\])?)\}?|\$\(\s*(?:readlink|realpath)[^()]*\))"?\s*\)"""
    r"""|\$\{(?:0|BASH_SOURCE(?:\[0\])?)%/\*\}"""
    r"""|\b(?:os\.path\.)?dirname\(\s*(?:os\.path\.(?:abspath|realpath)\(\s*)?__file__\s*\)?\s*\)"""
    r"""|\bPath\(__file__\)(?:\.resolve\(\))?\.parent\b|\b__dirname\b|\bimport\.meta\.dirname\b"""
)
PARENTS = re.compile(r"\bPath\(__file__\)(?:\.resolve\(\))?\.parents\[(\d)\]|\x01((?:\.parent\b)+)")
CD_PWD = re.compile(
    r"""\$\(\s*(?:CDPATH=\S*\s+)?cd\s+(?:--\s+)?"?([^"()]*?)"?\s*(?:>\s*\S+\s*)?(?:&&|;)\s*pwd(?:\s+-P)?\s*\)"""
)
TOPLEVEL = re.compile(
    r"""\$\(\s*git\s+rev-parse\s+--show-toplevel[^()]*\)|\$\{\{\s*github\.workspace\s*\}\}|\$\{?GITHUB_WORKSPACE\}?"""
    r"""|\$\{(?:localW|containerW|w)orkspaceFolder\}|\$\(CURDIR\)|\bconfig\.main_dir\b|/workspaces/[\w.-]+(?=/)|<rootDir>"""
)
VARIABLE = re.compile(r"\$\{(\w+)(?::?[-=]([^{}]*))?[^{}]*\}|\$\((\w+)\)|\$(\w+)|(?<!\$)\{(\w+)\}")
ASSIGNMENT = re.compile(
    r"""^[ \t]*(?:export[ \t]+|readonly[ \t]+|local[ \t]+|declare[ \t]+(?:-\w+[ \t]+)?|const[ \t]+|let[ \t]+|var[ \t]+|ENV[ \t]+|ARG[ \t]+|-[ \t]+)?"""
    r"""(\w+)[ \t]*(?::=|\?=|=|:[ \t])[ \t]*([^\r\n]+)""",
    re.MULTILINE,
)
STRING = r"""(?:[fru]{0,2}"[^"\n]*"|[fru]{0,2}'[^'\n]*'|`[^`\n]*`)"""
NAME = r"""(?:[A-Za-z_][\w.]*(?:\([^()\n]*\)|\[[^\[\]\n]*\])*|\x01|\x02|\x03)"""
TERM = rf"(?:{STRING}|{NAME})"
CHAIN = re.compile(rf"{TERM}(?:\s*[+/]\s*{TERM})+")
JOIN = re.compile(
    rf"(?:[jJ]oin(?:path)?|resolve|Path|PurePath|Paths\.get|Path\.of|Path\.Combine)"
    rf"\(\s*[\[(]?\s*({TERM}(?:\s*,\s*{TERM})+)\s*,?\s*[\])]?\s*\)"
)
# Path("a").joinpath("b"), BASE.rglob("b"), Path::new("a").join("b")
METHOD = re.compile(
    rf"(?:\b(?:Pure)?Path(?:::new|\.of)?\(\s*({STRING})\s*\)|\b([A-Za-z_]\w*))\s*\.\s*(join|joinpath|r?glob)\(\s*({TERM}(?:\s*,\s*{TERM})*)\s*\)"
)
IMPORT = re.compile(r"(?:^\s*(?:from|import)|\s-m)\s+(\w+(?:\.\w+)+)")  # Python's
# Where a command or a step goes before it does anything.
INTO = r"(?:\b(?:cd|pushd)\s+(?:--\s+)?|\s-C[\s=]*|\b(?:working[-_]directory|WORKDIR|cwd|dir|directory)\b[\"']?\s*[:=(,]?\s*)"
ENTERED = re.compile(rf"{INTO}[\"']?([^\s\"'`;&|(){{}}<>,]+)")
# A command's operand.
OPERAND = r"(?:\b(?:ls|find|rm|cp|mv|tar|rsync|du|tree|test|COPY|ADD)\b[^\n;&|]*?\s|\s-[defrx]\s+)"
PIECE = re.compile(TERM)
BRACES = re.compile(r"([^\s\"'{}]*)\{([^{}\s\"']*,[^{}\s\"']*)\}([^\s\"'{}]*)")
TOKEN = re.compile(r"[^\s\"'`<>|;,()\[\]=&:{}#]+")
PATTERN_FILES = re.compile(
    r"(?:^|/)(?:CODEOWNERS|\.gitignore|\.dockerignore|\.gitattributes|\.prettierignore|\.eslintignore|\.helmignore)$|\.dockerignore$"
)
