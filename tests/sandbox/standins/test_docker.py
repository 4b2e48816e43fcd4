"""The stand-in for docker with and without an engine, and the registry's answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.sandbox.workstation import CallResult, Workstation

NO_ENGINE = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?\n"
CLIENT = "Client:\n Version:    28.2.2\n Context:    default\n Debug Mode: false\n\nServer:\n"
IMAGE = "ameidedev.azurecr.io/hello:1"


@pytest.fixture
def workstation(tmp_path: Path) -> Workstation:
    return Workstation(tmp_path)


@pytest.fixture
def built(workstation: Workstation) -> Workstation:
    """A workstation with an image and a login to its registry."""
    (workstation.home / "Dockerfile").write_text("FROM scratch\n# a comment\nCOPY app /app\n")
    assert workstation("docker", "build", "-t", IMAGE, ".").exit == 0
    assert workstation.login().az("acr", "login", "-n", "ameidedev").exit == 0
    return workstation


def said(done: CallResult) -> tuple[int, str, str]:
    return done.exit, done.out, done.err


@pytest.mark.parametrize(
    ("argv", "exit", "out", "err"),
    [
        ("--version", 0, "Docker version 28.2.2, build e6534b4\n", ""),
        ("ps", 1, "", NO_ENGINE),
        ("ps --format json", 1, "", NO_ENGINE),
        ("info", 1, CLIENT, NO_ENGINE),
        ("info --format {{.ServerVersion}}", 1, "\n", NO_ENGINE),
        ("images -q x", 1, "", NO_ENGINE),
        ("inspect x", 1, "[]\n", NO_ENGINE),
        ("push ameidedev.azurecr.io/www:1", 1, "", NO_ENGINE),
        ("rm -f x", 1, "", NO_ENGINE),
        ("tag a b", 1, "", NO_ENGINE),
        ("compose version", 1, "", "docker: unknown command: docker compose\n\nRun 'docker --help' for more information\n"),
        ("buildx build -t x .", 1, "", f"ERROR: {NO_ENGINE}"),
        ("ps --nope", 125, "", "unknown flag: --nope\n\nUsage:  docker ps [OPTIONS]\n\nRun 'docker ps --help' for more information\n"),
        ("push", 1, "", "docker: 'docker push' requires 1 argument\n\nUsage:  docker push [OPTIONS] NAME[:TAG]\n\nRun 'docker push --help' for more information\n"),
        ("login -u x", 1, "", "Error: Cannot perform an interactive login from a non TTY device\n"),
        ("login --password-stdin", 1, "", "the --password-stdin option requires --username to be set\n"),
    ],
)  # fmt: skip
def test_without_an_engine(workstation: Workstation, argv: str, exit: int, out: str, err: str):
    workstation.set_fault("docker-no-engine")
    assert said(workstation("docker", *argv.split())) == (exit, out, err)


def test_a_push(built: Workstation):
    done = built("docker", "push", IMAGE)
    assert (done.exit, done.err, done.writes) == (0, "", True)
    assert done.out.startswith("The push refers to repository [ameidedev.azurecr.io/hello]\n")
    assert done.out.splitlines()[1].endswith(": Preparing")
    assert ": digest: sha256:" in done.out
    assert list(built.world.registry["pushed"]) == [IMAGE]


@pytest.mark.parametrize(
    ("fault", "err"),
    [
        ("registry-refused", "denied: requested access to the resource is denied\n"),
        ("registry-role", "unauthorized: authentication required, visit https://aka.ms/acr/authorization for more information.\n"),
        ("registry-firewall", "denied: client with IP '203.0.113.7' is not allowed access. Refer https://aka.ms/acr/firewall to grant access.\n"),
    ],
)  # fmt: skip
def test_a_push_that_the_registry_refuses(built: Workstation, fault: str, err: str):
    built.set_fault(fault)
    done = built("docker", "push", IMAGE)
    assert (done.exit, done.err, done.writes) == (1, err, False)


def test_without_a_login_or_without_the_image(built: Workstation):
    done = built("docker", "push", IMAGE, DOCKER_CONFIG=str(built.home / "empty"))
    assert done.err.startswith("unauthorized: authentication required, visit https://aka.ms/acr/authorization")
    assert done.out.endswith(": Preparing\n")
    assert (
        "An image does not exist locally with the tag: ameidedev.azurecr.io/none\n"
        in built("docker", "push", "ameidedev.azurecr.io/none:1").err
    )


def test_an_expired_login_is_refused(built: Workstation):
    built.world.tokens.clear()
    assert built("docker", "push", IMAGE).err.startswith("unauthorized: ")


def test_logins_are_checked_stored_and_deleted(workstation: Workstation):
    host = "ameidedev.azurecr.io"
    done = workstation("docker", "login", host, "-u", "x", "--password-stdin", stdin="y")
    assert done.exit == 1
    assert "unauthorized: authentication required" in done.err
    from sandbox.standins.az.cloud import made_id

    client_id = made_id(workstation.places.tenant, "robot")
    done = workstation("docker", "login", host, "-u", client_id, "--password-stdin", stdin="robot-secret\n")
    assert (done.exit, done.out) == (0, "Login Succeeded\n")
    assert "WARNING! Your credentials are stored unencrypted in" in done.err
    path = workstation.home / ".docker" / "config.json"
    assert path.stat().st_mode & 0o777 == 0o600
    assert host in path.read_text()
    assert workstation("docker", "logout", host).out == f"Removing login credentials for {host}\n"
    assert host not in path.read_text()


def test_the_file_of_logins_is_replaced_whole_and_stays_behind_its_link(workstation: Workstation):
    real = workstation.home / "elsewhere.json"
    real.write_text("{}")
    folder = workstation.home / ".docker"
    folder.mkdir(exist_ok=True)
    (folder / "config.json").symlink_to(real)
    before = real.stat().st_ino
    assert workstation.login().az("acr", "login", "-n", "ameidedev").exit == 0
    assert "ameidedev.azurecr.io" in real.read_text()
    assert real.stat().st_ino != before
    assert (folder / "config.json").is_symlink()
    assert [p.name for p in folder.iterdir()] == ["config.json"]


def test_a_missing_credential_helper(built: Workstation):
    """VS Code leaves such a configuration behind in a dev container."""
    (built.home / ".docker" / "config.json").write_text('{"credsStore": "dev-containers-1"}')
    done = built.az("acr", "login", "-n", "ameidedev")
    assert done.exit == 1
    assert 'exec: "docker-credential-dev-containers-1": executable file not found in $PATH' in done.err
    assert done.err.endswith("ERROR: Login failed.\n")


def test_a_registry_that_does_not_resolve(workstation: Workstation):
    done = workstation("docker", "login", "nope.azurecr.io", "-u", "x", "--password-stdin", stdin="y")
    assert done.err.startswith('Get "https://nope.azurecr.io/v2/": dial tcp: lookup nope.azurecr.io')
