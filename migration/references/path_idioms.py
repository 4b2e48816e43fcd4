"""The idioms by which shell scripts, Python, JavaScript, Make and workflows write paths, as regular expressions.

A part of a path that the text only implies is replaced by a control character, which no path contains:
HERE for the folder of the file, ROOT for the root of the repository, UNKNOWN for what the text does not say.
"""

from __future__ import annotations

import re

HERE, ROOT, UNKNOWN = "\x01", "\x02", "\x03"

# The folder of the file itself.
DIRNAME = re.compile(
    # Shell: $(dirname "$0"), $(dirname -- "${BASH_SOURCE[0]}"), $(dirname "$(readlink -f "$0")")
    r"""\$\(\s*dirname\s+(?:--\s+)?"?(?:\$\{?(?:0|BASH_SOURCE(?:\[0\])?)\}?|\$\(\s*(?:readlink|realpath)[^()]*\))"?\s*\)"""
    # Shell: `dirname $0`
    r"""|\\?`\s*dirname\s+(?:--\s+)?\\?"?\$\{?(?:0|BASH_SOURCE(?:\[0\])?)\}?\\?"?\s*\\?`"""
    # Bash: ${0%/*}, ${BASH_SOURCE[0]%/*}. A composite action: ${{ github.action_path }}
    r"""|\$\{(?:0|BASH_SOURCE(?:\[0\])?)%/\*\}|\$\{\{\s*github\.action_path\s*\}\}"""
    # Python: dirname(__file__), os.path.dirname(os.path.abspath(__file__))
    r"""|\b(?:os\.path\.)?dirname\(\s*(?:os\.path\.(?:abspath|realpath)\(\s*)?__file__\s*\)?\s*\)"""
    # Python: Path(__file__).resolve().parent. Node.js: __dirname, import.meta.dirname
    r"""|\bPath\(__file__\)(?:\.(?:resolve|absolute)\(\))?\.parent\b|\b__dirname\b|\bimport\.meta\.dirname\b"""
    # Terraform: ${path.module}
    r"""|\$\{path\.module\}"""
)
# Python: Path(__file__).parents[2]; the `.parent.parent` that follows a DIRNAME which is HERE already.
PARENTS = re.compile(r"\bPath\(__file__\)(?:\.(?:resolve|absolute)\(\))?\.parents\[(\d)\]|\x01((?:\.parent\b)+)")
# Shell: "$DIR"/x, "${DIR}"/x; "$(dirname "$0")"/x after its replacement
QUOTED_FOLDER = re.compile(r"""["'](\$\w+|\$\{\w+\}|[\x01\x02])["'](?=/)""")
# Shell: $(cd "$(dirname "$0")/.." && pwd), $(CDPATH= cd -- "$DIR" >/dev/null; pwd -P)
CD_PWD = re.compile(
    r"""(?:\$\(|`)\s*(?:CDPATH=\S*\s+)?cd\s+(?:-P\s+|--\s+)*"?([^"()`]*?)"?\s*(?:[12&]?>[>&]*\s*[\w/]+\s*)*(?:&&|;)\s*pwd(?:\s+-P)?\s*(?:\)|`)"""
)
# The root of the repository.
TOPLEVEL = re.compile(
    # $(git rev-parse --show-toplevel); in workflows ${{ github.workspace }} and $GITHUB_WORKSPACE
    r"""\$\(\s*git\s+rev-parse\s+--show-toplevel[^()]*\)|\$\{\{\s*github\.workspace\s*\}\}|\$\{?GITHUB_WORKSPACE\}?"""
    # Dev Containers and VS Code: ${localWorkspaceFolder}, ${containerWorkspaceFolder}, ${workspaceFolder}; Make: $(CURDIR)
    r"""|\$\{(?:localW|containerW|w)orkspaceFolder\}|\$\(CURDIR\)"""
    # Tilt: config.main_dir. The usual checkout of a dev container: /workspaces/core/. Jest: <rootDir>
    r"""|\bconfig\.main_dir\b|/workspaces/[\w.-]+(?=/)|<rootDir>"""
)
# Shell: ${NAME}, ${NAME:-default} and $NAME. Make: $(NAME). Python and Starlark in formatted strings: {name}
VARIABLE = re.compile(r"\$\{(\w+)(?::?[-=]([^{}]*))?[^{}]*\}|\$\((\w+)\)|\$(\w+)|(?<!\$)\{(\w+)\}")
# NAME=value, export NAME=value, const name = 'value', ENV NAME=value, NAME := value, NAME ?= value, - name: value
ASSIGNMENT = re.compile(
    r"""^[ \t]*(?:export[ \t]+|readonly[ \t]+|local[ \t]+|declare[ \t]+(?:-\w+[ \t]+)?|const[ \t]+|let[ \t]+|var[ \t]+|ENV[ \t]+|ARG[ \t]+|-[ \t]+)?"""
    r"""(\w+)[ \t]*(?::=|\?=|=|:[ \t])[ \t]*([^\r\n]+)""",
    re.MULTILINE,
)
# The operands of a composed path: a string such as "a", f'a' or `a`; a name such as base, base.dir(x) or rows[0].
STRING = r"""(?:[fru]{0,2}"[^"\n]*"|[fru]{0,2}'[^'\n]*'|`[^`\n]*`)"""
NAME = r"""(?:[A-Za-z_][\w.]*(?:\([^()\n]*\)|\[[^\[\]\n]*\])*|\x01|\x02|\x03)"""
OPERAND = rf"(?:{STRING}|{NAME})"
OPERANDS = re.compile(OPERAND)
# ROOT / "infra" / name, 'infra/' + layer
CHAIN = re.compile(rf"(?<![\w.]){OPERAND}(?:\s*[+/]\s*{OPERAND})+")
# os.path.join("a", b), path.resolve(a, 'b'), "/".join(["a", "b"]), Paths.get("a", "b"), Path.Combine("a", "b")
JOIN = re.compile(
    rf"(?:[jJ]oin(?:path)?|resolve|Path|PurePath|Paths\.get|Path\.of|Path\.Combine)"
    rf"\(\s*[\[(]?\s*({OPERAND}(?:\s*,\s*{OPERAND})+)\s*,?\s*[\])]?\s*\)"
)
# Path("a").joinpath("b"), BASE.rglob("b"), Path::new("a").join("b")
METHOD = re.compile(
    rf"(?:\b(?:Pure)?Path(?:::new|\.of)?\(\s*({STRING})\s*\)|\b([A-Za-z_]\w*))\s*\.\s*(join|joinpath|r?glob)"
    rf"\(\s*({OPERAND}(?:\s*,\s*{OPERAND})*)\s*\)"
)
# Python: from a.b import c, import a.b, python -m a.b
IMPORT = re.compile(r"(?:^\s*(?:from|import)|\s-m)\s+(\w+(?:\.\w+)+)")
# Before a folder in which a command or a workflow step runs: cd a, make -C a, working-directory: a, cwd="a", WORKDIR a
ENTER = r"(?:\b(?:cd|pushd)\s+(?:--\s+)?|\s-C[\s=]*|\b(?:working[-_]directory|WORKDIR|cwd|dir|directory)\b[\"']?\s*[:=(,]?\s*)"
ENTERED = re.compile(rf"{ENTER}[\"']?([^\s\"'`;&|(){{}}<>,]+)")
# Before an argument of a command that takes a folder: ls -l a, rm -rf a, COPY a /b, [ -d a ]
ARGUMENT = r"(?:\b(?:ls|find|rm|cp|mv|tar|rsync|du|tree|test|COPY|ADD)\b[^\n;&|]*?\s|\s-[defrx]\s+)"
# A folder as the first argument of a command or of a call: rm -rf a, find a -name x, Path("a"), sys.path.insert(0, "a")
FOLDER_USE = re.compile(
    rf"""(?:{ENTER}|-?-chdir[= ]|--prefix[= ]|(?:^|[;&|(`]|\b(?:run|script|cmd|command|sudo|RUN|COPY|ADD)\b:?|["'])\s*"""
    r"""(?:\b(?:ls|find|rm|cp|mv|tar|rsync|du|tree|COPY|ADD)(?:\s+-[\w=-]+)*\s+)"""
    r"""|\b(?:Path|resolve|listdir|scandir|walk\w*|WalkDir|chdir|readdir\w*|copytree|rmtree|path\.append|path\.insert)\(\s*(?:0,\s*)?)"""
    r"""["']?([^\s\"'`;&|(){}<>,]+)"""
)
# Files whose paths begin in their own folder, never in the root of the repository.
RELATIVE_FILES = re.compile(
    r"(?:^|/)(?:kustomization\.ya?ml|Kustomization|[^/]*compose[^/]*\.ya?ml|helmfile[^/]*|Chart\.yaml|[^/]*\.(?:tf|hcl))$"
)
# Labels. Bazel: "//a/b", "//a/b:c.bzl" (https://bazel.build/concepts/labels). Gradle: include ':a:b'
LABEL_FILES = re.compile(
    r"(?:^|/)(?:BUILD(?:\.bazel)?|WORKSPACE(?:\.bazel)?|MODULE\.bazel|[^/]+\.bzl|settings\.gradle(?:\.kts)?)$"
)
LABEL = re.compile(r"""(["'])(?:@?//([\w./-]*)(?::([\w./-]+))?|(:[\w.-]+(?::[\w.-]+)*))\1""")
# Brace expansion of the shell: a/{b,c}/d
BRACES = re.compile(r"(?<![^\s\"'{}])([^\s\"'{}]*)\{([^{}\s\"']*,[^{}\s\"']*)\}([^\s\"'{}]*)")
TOKEN = re.compile(r"[^\s\"'`<>|;,()\[\]=&:{}#]+")
# What may be a path with blanks: a quoted string, the value of a key or of an item, a word with escaped marks
UNUSUAL = re.compile(
    r""""([^"\n]+)"|'([^'\n]+)'|(?:^\s*-|:)[ \t]+([^"'\n]+?)\s*$|(?<![^\s"'`;|<>])((?:[^\s"'`;|<>\\]|\\.)*\\[^\n](?:[^\s"'`;|<>\\]|\\.)*)"""
)
# Files whose lines are patterns, in which a leading `/` means the root of the repository.
PATTERN_FILES = re.compile(
    r"(?:^|/)(?:CODEOWNERS|dependabot\.ya?ml|\.gitignore|\.dockerignore|\.gitattributes|\.prettierignore|\.eslintignore|\.helmignore)$|\.dockerignore$"
)
