"""Whatever happens to the login, the next call never gets the token of another account. az is the sandbox's."""

from __future__ import annotations

import base64
import io
import json
import random
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sandbox.protocol.call import LOGIN_VARIABLE
from tasks.tools import credential_helper
from tasks.tools.credential_helper.copied import ask, main
from tasks.tools.credential_helper.copied.ask import Answer
from tasks.tools.credential_helper.copied.cached import Request
from tests.made import settings
from tests.sandbox.workstation import Workstation
from tests.tasks.tools.credential_helper.conftest import ARGS

PEOPLE = ("developer", "colleague")


class Person:
    """Someone at a workstation, who logs in and out and uses kubectl. The helper runs in this process, and so does az."""

    def __init__(self, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.station = Workstation(place)
        self.azure = self.station.home / ".azure"
        self.asked = 0
        for name, value in self.station.env.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(ask, "run", self.plugin)
        credential_helper.install(settings())
        self.entries = str(credential_helper.entries(settings()))

    def plugin(self, request: Request) -> Answer:
        self.asked += 1
        done = self.station("kubelogin", *request.argv[1:])
        return Answer(done.exit, done.out.encode(), done.err.encode())

    def login(self, name: str) -> None:
        self.station.az("login", "--use-device-code", "-o", "none", **{LOGIN_VARIABLE: name})

    def account_set(self, pick: random.Random) -> None:
        known = json.loads(self.station.az("account", "list", "-o", "json").out)
        if known:
            self.station.az("account", "set", "--subscription", pick.choice(known)["id"])

    @property
    def account(self) -> str:
        """The account that az uses now; empty without one."""
        shown = self.station.az("account", "show", "-o", "json")
        return str(json.loads(shown.out)["user"]["name"]) if shown.exit == 0 else ""

    def token_owner(self) -> str:
        """Return whose token kubectl gets; empty when it gets none."""
        raw = io.BytesIO()
        printed = io.TextIOWrapper(raw)  # it would close `raw` when it is deleted
        before, sys.stdout = sys.stdout, printed
        errors, sys.stderr = sys.stderr, io.StringIO()
        try:
            code = main.main(self.entries, ["kubelogin", *ARGS])
            sys.stdout.flush()
        finally:
            sys.stdout, sys.stderr = before, errors
        if code:
            return ""
        claims = json.loads(raw.getvalue())["status"]["token"].split(".")[1]
        return str(json.loads(base64.urlsafe_b64decode(claims + "=="))["upn"])


@pytest.fixture
def person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Person:
    return Person(tmp_path / "place", monkeypatch)


def steps(person: Person, pick: random.Random) -> dict[str, Callable[[], object]]:
    az = person.station.az
    cache = person.azure / "msal_token_cache.json"
    return {
        "login of one": lambda: person.login(PEOPLE[0]),
        "login of the other": lambda: person.login(PEOPLE[1]),
        "logout": lambda: az("logout"),
        "account set": lambda: person.account_set(pick),
        "account clear": lambda: az("account", "clear"),
        "another token": lambda: az("account", "get-access-token", "--resource", pick.choice(("a", "b", "c"))),
        "remove the cache": lambda: cache.unlink(missing_ok=True),
        "inv tp.quit": lambda: credential_helper.forget(settings()),
        "kubectl": person.token_owner,
    }


@pytest.mark.slow
def test_a_thousand_random_orders_give_no_token_of_another_account(person: Person):
    pick = random.Random(20_11)
    served = 0
    for _ in range(1000):
        order = pick.choices(list(steps(person, pick)), weights=(3, 3, 1, 1, 1, 1, 1, 1, 6), k=pick.randint(2, 6))
        for name in order:
            steps(person, pick)[name]()
        asked, account = person.asked, person.account
        owner = person.token_owner()
        assert owner in {"", account}, order
        served += bool(owner) and person.asked == asked
    assert served > 50  # else the cache was never used, and the test says nothing


@pytest.mark.parametrize(
    "step", ["logout", "login of the other", "account set", "account clear", "remove the cache", "inv tp.quit"]
)
def test_the_next_call_after_a_change_asks_az(person: Person, step: str):
    person.login(PEOPLE[0])
    person.token_owner()
    person.token_owner()
    assert person.asked == 1
    steps(person, random.Random(1))[step]()
    person.token_owner()
    assert person.asked == 2


def test_a_token_of_another_service_does_not_end_the_clusters(person: Person):
    person.login(PEOPLE[0])
    owner = person.token_owner()
    person.station.az("account", "get-access-token", "--resource", "https://vault.azure.net")
    assert person.token_owner() == owner != ""
    assert person.asked == 1
