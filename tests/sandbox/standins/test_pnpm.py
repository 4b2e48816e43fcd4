"""The stand-in for pnpm: errors with thin spaces on stdout, installed files, scripts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.sandbox.workstation import Workstation

PIN = {"dependencies": {"left-pad": "1.3.0"}}
LOCK = {
    "lockfileVersion": "9.0",
    "importers": {".": {"dependencies": {"left-pad": {"specifier": "1.3.0", "version": "1.3.0"}}}},
    "packages": {"left-pad@1.3.0": {}},
}
IN_CI = (
    'Note that in CI environments this setting is true by default. If you still need to run install in such cases, use "pnpm '
    'install --no-frozen-lockfile"\n'
)


@pytest.fixture
def workstation(tmp_path: Path) -> Workstation:
    made = Workstation(tmp_path)
    made.env["PATH"] += ":/usr/bin:/bin"
    return made


def package(workstation: Workstation, lock: Any = None, **keys: Any) -> Path:
    """Write package.json and a lock file in HOME."""
    (workstation.home / "package.json").write_text(json.dumps({"name": "w", "version": "1.0.0", **keys}))
    if lock is not None:
        (workstation.home / "pnpm-lock.yaml").write_text(lock if isinstance(lock, str) else yaml.safe_dump(lock))
    return workstation.home


def error(code: str, text: str) -> str:
    return f"\u2009{code}\u2009 {text}"


@pytest.mark.parametrize(
    ("lock", "keys", "argv", "out"),
    [
        (
            None,
            PIN,
            "install --frozen-lockfile",
            error(
                "ERR_PNPM_NO_LOCKFILE",
                f'Cannot install with "frozen-lockfile" because pnpm-lock.yaml is absent\n\n{IN_CI}',
            ),
        ),
        (
            LOCK,
            {"dependencies": {"left-pad": "1.3.0", "x": "^2"}},
            "install --frozen-lockfile",
            error(
                "ERR_PNPM_OUTDATED_LOCKFILE",
                'Cannot install with "frozen-lockfile" because pnpm-lock.yaml is not up to date with <ROOT>/package.json\n\n'
                f"{IN_CI}\n  Failure reason:\n  specifiers in the lockfile don't match specifiers in package.json:\n"
                "* 1 dependencies were added: x@^2\n\n",
            ),
        ),
        (
            LOCK,
            {"dependencies": {"left-pad": "1.2.0"}},
            "install --frozen-lockfile",
            error(
                "ERR_PNPM_OUTDATED_LOCKFILE",
                'Cannot install with "frozen-lockfile" because pnpm-lock.yaml is not up to date with <ROOT>/package.json\n\n'
                f"{IN_CI}\n  Failure reason:\n  specifiers in the lockfile don't match specifiers in package.json:\n"
                "* 1 dependencies are mismatched:\n  - left-pad (lockfile: 1.3.0, manifest: 1.2.0)\n\n",
            ),
        ),
        (
            None,
            {"engines": {"pnpm": ">=99"}},
            "install",
            error("ERR_PNPM_UNSUPPORTED_ENGINE", "Unsupported environment (bad pnpm and/or Node.js version)\n"),
        ),
        ("a: [\n", PIN, "install --frozen-lockfile", error("ERR_PNPM_BROKEN_LOCKFILE", 'The lockfile at "')),
        (
            LOCK,
            PIN,
            "install --offline",
            "Lockfile is up to date, resolution step is skipped\nProgress: resolved 1, reused 0, ",
        ),
        (None, {}, "run nope", error("ERR_PNPM_NO_SCRIPT", 'Missing script: nope\n\nCommand "nope" not found.\n')),
    ],
)
def test_its_errors_are_on_stdout(workstation: Workstation, lock: Any, keys: dict[str, Any], argv: str, out: str):
    package(workstation, lock, **keys)
    done = workstation("pnpm", *argv.split())
    assert (done.exit, done.err) == (1, "")
    assert done.out.startswith(out)
    assert not (workstation.home / "node_modules").exists()


@pytest.mark.parametrize(
    ("argv", "err"),
    [
        (
            "install --nope",
            error(
                "ERROR",
                "Unknown option: 'nope'\nDid you mean 'noproxy'? Use \"--config.unknown=value\" to force an unknown ",
            )
            + "option.\nFor help, run: pnpm help install\n",
        ),
        (
            "--dir /nonexistent/none install",
            error(
                "ERROR",
                "ENOENT: no such file or directory, lstat '/nonexistent/none'\nFor help, run: pnpm help install\n",
            ),
        ),
    ],
)
def test_usage_errors_are_on_stderr(workstation: Workstation, argv: str, err: str):
    package(workstation)
    done = workstation("pnpm", *argv.split())
    assert (done.exit, done.out, done.err) == (1, "", err)


def test_without_a_package_json(workstation: Workstation):
    done = workstation("pnpm", "install")
    assert (done.exit, done.out) == (
        1,
        error("ERR_PNPM_NO_PKG_MANIFEST", f"No package.json found in {workstation.home}\n"),
    )


def test_another_package_manager(workstation: Workstation):
    package(workstation, packageManager="yarn@4.0.0")
    assert workstation("pnpm", "install").err.startswith(error("ERROR", "This project is configured to use yarn\n"))


def test_its_version_depends_on_the_project(workstation: Workstation):
    package(workstation)
    assert workstation("pnpm", "--version").out == "10.34.9\n"
    package(workstation, packageManager="pnpm@9.0.0")
    assert workstation("pnpm", "--version").out == "9.0.0\n"
    workstation.set_fault("packages-refused")
    done = workstation("pnpm", "--version")
    assert (done.exit, done.out.split("\u2009")[1]) == (1, "ERR_PNPM_META_FETCH_FAIL")


def test_an_installation_leaves_files_and_a_second_one_writes_nothing(workstation: Workstation):
    home = package(workstation, LOCK, **PIN)
    done = workstation("pnpm", "install", "--frozen-lockfile")
    assert (done.exit, done.writes) == (0, True)
    assert done.out.startswith("Lockfile is up to date, resolution step is skipped\nProgress: resolved 1,")
    modules = home / "node_modules"
    assert (modules / ".modules.yaml").is_file()
    assert (modules / ".pnpm" / "lock.yaml").read_bytes() == (home / "pnpm-lock.yaml").read_bytes()
    assert json.loads((modules / "left-pad" / "package.json").read_text())["version"] == "1.3.0"
    again = workstation("pnpm", "install", "--frozen-lockfile")
    assert (again.exit, again.writes) == (0, False)
    assert "\nAlready up to date\n\nDone in " in again.out


def test_without_dependencies_a_frozen_installation_needs_no_lock_file(workstation: Workstation):
    package(workstation)
    assert workstation("pnpm", "install", "--frozen-lockfile").out.startswith("Already up to date\n\nDone in ")


@pytest.mark.parametrize(("env", "exit"), [({"CI": "1"}, 1), ({}, 0)])
def test_in_ci_a_lock_file_with_packages_is_frozen(workstation: Workstation, env: dict[str, str], exit: int):
    package(workstation, LOCK, dependencies={"left-pad": "1.2.0"})
    assert workstation("pnpm", "install", **env).exit == exit


def test_a_registry_that_refuses(workstation: Workstation):
    workstation.set_fault("packages-refused")
    package(workstation, LOCK, **PIN)
    done = workstation("pnpm", "install", "--frozen-lockfile")
    assert (done.exit, done.err) == (1, "")
    assert "\u2009ECONNREFUSED\u2009 request to " in done.out
    package(workstation, **PIN)
    (workstation.home / "pnpm-lock.yaml").unlink()
    assert workstation("pnpm", "install").out.startswith(error("ERR_PNPM_META_FETCH_FAIL", "GET "))


def test_members_of_a_workspace_are_linked(workstation: Workstation):
    home = package(workstation)
    (home / "pnpm-workspace.yaml").write_text("packages: ['services/*', 'packages/*']\n")
    for folder, keys in (
        ("packages/lib", {}),
        ("services/web", {"dependencies": {"@w/lib": "workspace:*", **PIN["dependencies"]}}),
    ):
        (home / folder).mkdir(parents=True)
        (home / folder / "package.json").write_text(json.dumps({"name": f"@w/{folder.split('/')[1]}", **keys}))
    assert workstation("pnpm", "install", cwd=str(home / "services/web")).out.startswith(
        "Scope: all 3 workspace projects\n"
    )
    assert (home / "services/web/node_modules/@w/lib/package.json").samefile(home / "packages/lib/package.json")
    assert (home / "services/web/node_modules/left-pad").is_dir()
    assert (home / "node_modules/.modules.yaml").is_file()


class TestScripts:
    @pytest.fixture(autouse=True)
    def scripts(self, workstation: Workstation):
        package(
            workstation, scripts={"ok": "echo hi", "bad": "exit 7", "dev": "echo in $PWD with", "gone": "kill -TERM $$"}
        )

    def test_a_script_runs_and_its_head_is_printed(self, workstation: Workstation):
        done = workstation("pnpm", "run", "ok")
        assert (done.exit, done.out, done.err) == (0, f"\n> w@1.0.0 ok {workstation.home}\n> echo hi\n\nhi\n", "")

    def test_its_exit_code_is_passed_on(self, workstation: Workstation):
        done = workstation("pnpm", "run", "bad")
        assert done.exit == 7
        assert done.out.endswith(
            error("ELIFECYCLE", "Command failed with exit code 7.\n")
            + error("WARN", " Local package.json exists, but node_modules missing, did you mean to install?\n")
        )

    def test_a_script_runs_without_run_and_with_arguments(self, workstation: Workstation):
        done = workstation("pnpm", "-C", str(workstation.home), "dev", "a b", cwd="/")
        assert done.out.endswith(f"in {workstation.home} with a b\n")

    def test_a_signal_is_passed_on(self, workstation: Workstation):
        assert workstation("pnpm", "run", "gone").exit == 128 + 15

    @pytest.mark.parametrize(("argv", "exit"), [("exec sh -c", 3), ("exec nope", 254), ("nope", 254)])
    def test_exec(self, workstation: Workstation, argv: str, exit: int):
        words = [*argv.split(), "exit 3"] if exit == 3 else argv.split()
        done = workstation("pnpm", *words)
        assert done.exit == exit
        if exit == 254:
            assert done.out == "undefined\n" + error("ERR_PNPM_RECURSIVE_EXEC_FIRST_FAIL", 'Command "nope" not found\n')

    def test_a_filter_without_matches_is_not_an_error(self, workstation: Workstation):
        done = workstation("pnpm", "--filter", "nope", "run", "ok")
        assert (done.exit, done.out) == (0, f'No projects matched the filters in "{workstation.home}"\n')
