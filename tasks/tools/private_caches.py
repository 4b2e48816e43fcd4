"""Private copies of the caches of az and kubectl, for a dry run: both write caches whenever they are asked."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tasks.core.errors import Trouble
from tasks.core.state import store
from tasks.core.typed import with_more

# The files that az reads. The others (logs, telemetry, extensions) are big, or not needed to answer a question.
_AZ_FILES = (
    "azureProfile.json",
    "msal_token_cache.json",
    "service_principal_entries.json",
    "config",
    "clouds.config",
    "commandIndex.json",
    "versionCheck.json",
)
_given: dict[str, str] = {}


def variables() -> dict[str, str]:
    """Return the variables that lead programs to the copies; empty outside of a block."""
    return dict(_given)


@contextmanager
def without_trace() -> Iterator[None]:
    """Let programs use private copies of their caches in the block, and write no cache of the suite.

    A token that az renews meanwhile is lost with the copy. The login stays as it was.
    """
    global _given
    before = _given
    try:
        with store.only_reading(), store.temporary() as folder:
            _given = _copies(folder)
            yield
    finally:
        _given = before


def _copies(folder: Path) -> dict[str, str]:
    try:
        return _copied(folder)
    except PermissionError as why:  # a volume that belongs to root, in a new container
        place = why.filename or "az's own files"
        raise Trouble(
            f"cannot read {place}: {why.strerror}",
            fix=with_more(
                f"sudo chown -R {os.getuid()}:{os.getgid()} {shlex.quote(str(_azure()))}",
                "inv devcontainer.check",
                "looks at it",
            ),
        ) from None
    except OSError as why:
        raise Trouble(
            f"az's own files cannot be copied to {folder}: {why.strerror}",
            fix=f"free some space, or set {store.VARIABLE} to a folder that can be written",
        ) from None


def _azure() -> Path:
    """The folder of az."""
    return Path(os.environ.get("AZURE_CONFIG_DIR") or "~/.azure").expanduser()


def _copied(folder: Path) -> dict[str, str]:
    az = _azure()
    copy = folder / "azure"
    copy.mkdir(mode=0o700)
    for name in _AZ_FILES:
        if (az / name).is_file():
            shutil.copy2(az / name, copy / name)
    extensions = os.environ.get("AZURE_EXTENSION_DIR") or str(az / "cliextensions")
    return {"AZURE_CONFIG_DIR": str(copy), "AZURE_EXTENSION_DIR": extensions, "KUBECACHEDIR": str(folder / "kube")}
