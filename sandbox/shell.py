"""`inv sandbox.shell`: this process becomes a shell in a new sandbox, which ends with it however the shell ends."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path

from sandbox import control, sample
from sandbox.box import Box
from sandbox.sample import programs
from tasks.core import ui
from tasks.core.config import catalogue, settings
from tasks.core.repository import config_folder, repository_root

_SHELLS = ("bash", "zsh", "sh", "dash")


def enter(
    sample_repository: bool, telepresence: str = "", latency: str = "none", repo: str = "", *, logged_in: bool = True
) -> None:
    """Start a sandbox and replace this process by a shell in it. Does not return.

    sample_repository: in a sample core repository with the gitops repository as its submodule, else in this folder
    """
    box = control.up(
        telepresence or control.VERSIONS[-1], latency, repo or None, logged_in=logged_in, ends_with=os.getpid()
    )
    if sample_repository:
        os.chdir(sample_core(box, Path(repo).resolve() if repo else repository_root()))
    argv, variables = _command(box, os.environ.get("SHELL", ""))
    own = {k: v for k, v in os.environ.items() if not k.startswith("REMOTE_DEV_")}
    os.environ["PATH"] = box.env["PATH"]  # `inv` is on it
    ui.talk(f"sandbox {box.id}: Azure, the cluster and the tools are simulated; {Path.cwd()}")
    ui.talk("try inv setup; inv sandbox.faults lists what can go wrong; exit ends the sandbox")
    os.execvpe(argv[0], argv, {**own, **box.env, **variables, "PWD": str(Path.cwd())})


def sample_core(box: Box, source: Path) -> Path:
    """Create the sample repositories and programs in the sandbox's folder. source: whose config/ names the services."""
    root = repository_root()
    config = source / config_folder(source)
    s = settings.load(source if (config / "settings.yaml").exists() else root, {})
    services = catalogue.read(config / "services.yaml")
    pair = sample.make(box.path, services, registry=s.registry.host, submodule=s.repositories.gitops)
    core = sample.suite_in(pair, root, config)
    programs.install(box.path / "bin", core, sys.executable)
    return core


def _command(box: Box, shell: str) -> tuple[list[str], dict[str, str]]:
    """The command line of the user's shell, and the variables with which it reads the sandbox's own start file.

    The start file sets the variables again, because those of the machine (/etc/zsh/zshenv, /etc/bash.bashrc) run first.
    """
    name = os.path.basename(shell)
    if name not in _SHELLS or not shutil.which(shell):
        shell = shutil.which("bash") or "/bin/sh"
        name = os.path.basename(shell)
    folder = box.path / "shell"
    folder.mkdir(mode=0o700)
    exports = "".join(f"export {key}={shlex.quote(value)}\n" for key, value in box.env.items())
    completion = Path.cwd() / "scripts" / "completion.bash"
    complete = f". {shlex.quote(str(completion))}\n" if completion.exists() else ""
    if name == "bash":
        (folder / "bashrc").write_text(f"{exports}{complete}PS1='(sandbox {box.id}) \\w\\$ '\n", encoding="utf-8")
        return [shell, "--rcfile", str(folder / "bashrc")], {}
    if name == "zsh":
        (folder / ".zshrc").write_text(
            f"{exports}autoload -Uz compinit && compinit -D\n{complete}PROMPT='(sandbox {box.id}) %~%# '\n",
            encoding="utf-8",
        )
        return [shell], {"ZDOTDIR": str(folder)}
    (folder / "shrc").write_text(f"{exports}PS1='(sandbox {box.id}) $ '\n", encoding="utf-8")
    return [shell], {"ENV": str(folder / "shrc")}
