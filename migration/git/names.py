"""Names that git, or a file system, takes for git's own folder, or that no path can have."""

from __future__ import annotations

import re

# HFS+ ignores these characters in names: git's is_hfs_dotgit, https://github.com/git/git/blob/master/utf8.c
_IGNORED = re.compile("[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]")
_GIT_FOLDER = {".git", "git~1"}  # the second: its short name on NTFS


def may_be_git_folder(name: str) -> bool:
    """Whether some file system takes this name for `.git`: other case, blanks or dots at its end, a stream of NTFS."""
    plain = _IGNORED.sub("", name).partition(":")[0].rstrip(" .").lower()
    return plain in _GIT_FOLDER


def is_inside(path: str) -> bool:
    """Whether the path, relative to the root of a repository, is one inside it, and not in git's own folder."""
    parts = path.rstrip("/").split("/")
    if "\0" in path or "\\" in path or not {"..", ".", ""}.isdisjoint(parts):
        return False
    return not any(may_be_git_folder(part) for part in parts)
