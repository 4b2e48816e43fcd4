"""What a person asked for: services to deploy, services to intercept, and words for Tilt itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from tasks.core.config.catalogue import Catalogue, Service
from tasks.core.errors import Trouble


@dataclass(frozen=True)
class Request:
    """only: releases to deploy, empty for all (or for none when something is intercepted); intercept: services.
    flags: for tilt; args: for the Tiltfile, byte for byte."""

    only: tuple[Service, ...] = ()
    intercept: tuple[Service, ...] = ()
    flags: tuple[str, ...] = ()
    args: tuple[str, ...] = ()

    @property
    def tiltfile_args(self) -> list[str]:
        """All that stands after `--` on Tilt's command line."""
        named = [("--only", [s.release for s in self.only]), ("--intercept", [s.name for s in self.intercept])]
        return [f"{flag}={','.join(names)}" for flag, names in named if names] + list(self.args)


def parse(known: Catalogue, only: Iterable[str], intercept: Iterable[str], rest: Sequence[str]) -> Request:
    """The request, with every name checked. rest: the words after `--`; with a second `--` those before it are Tilt's.

    Raises Trouble with the nearest names for an unknown one, and for an intercept of what has no port.
    """
    words = list(rest)
    cut = words.index("--") if "--" in words else 0
    flags, args = words[:cut], words[cut + 1 :] if "--" in words else words
    for flag in ("--only", "--intercept"):
        for word in _values(args, flag):
            _service(known, word, flag)
    found = Request(
        _services(known, only, "--only"),
        _services(known, intercept, "--intercept"),
        tuple(flags),
        tuple(args),
    )
    for service in (*found.intercept, *(_service(known, w, "--intercept") for w in _values(args, "--intercept"))):
        if not service.ports:
            raise Trouble(
                f"{service.name} has no port, so nothing can be intercepted",
                fix=f"inv tilt.up --only {service.name} deploys it",
            )
    return found


def _service(known: Catalogue, word: str, flag: str) -> Service:
    for service in known.services:
        if word == service.release:
            return service
    return known.named(word, f"tilt.up {flag}")


def _services(known: Catalogue, words: Iterable[str], flag: str) -> tuple[Service, ...]:
    found = {service.name: service for service in (_service(known, word, flag) for word in _split(words))}
    return tuple(found.values())


def _split(values: Iterable[str]) -> list[str]:
    return [part.strip() for value in values for part in value.split(",") if part.strip()]


def _values(args: Sequence[str], flag: str) -> list[str]:
    """The flag's values among the words, as the Tiltfile's own parser finds them: `--flag=a,b` and `--flag a`."""
    found = [word.removeprefix(f"{flag}=") for word in args if word.startswith(f"{flag}=")]
    found += [after for word, after in pairwise(args) if word == flag]
    return _split(found)
