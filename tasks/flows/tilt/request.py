"""What the user asked for: services to deploy, services to intercept, and words for Tilt itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from tasks.core.config.catalogue import Catalogue, Service
from tasks.core.errors import Trouble


@dataclass(frozen=True)
class Request:
    """The command line of `inv tilt.up` or `tilt.ci`."""

    only: tuple[Service, ...] = ()
    """Whose releases to deploy; empty for all, or for none when something is intercepted."""

    intercept: tuple[Service, ...] = ()

    flags: tuple[str, ...] = ()
    """Flags for Tilt."""

    args: tuple[str, ...] = ()
    """Arguments for the Tiltfile, byte for byte."""

    @property
    def tiltfile_args(self) -> list[str]:
        """Everything after `--` on Tilt's command line."""
        named = [("--only", [s.release for s in self.only]), ("--intercept", [s.name for s in self.intercept])]
        return [f"{flag}={','.join(names)}" for flag, names in named if names] + list(self.args)


def parse(known: Catalogue, only: Iterable[str], intercept: Iterable[str], rest: Sequence[str]) -> Request:
    """Check every name and return the request.

    rest: the words after `--`. With a second `--` the words before it are flags for Tilt. What --only names among them may
    be a resource of a team's own Tiltfile, which is not in the catalogue.

    Raises Trouble with the nearest names for an unknown one, and for an intercept of a service without ports.
    """
    flags, args = _split_at_dashes(rest)
    request = Request(
        _services(known, only, "--only"), _services(known, intercept, "--intercept"), tuple(flags), tuple(args)
    )
    in_args = [_service(known, word, "--intercept") for word in _values(args, "--intercept")]
    for service in (*request.intercept, *in_args):
        if not service.ports:
            raise Trouble(
                f"{service.name} has no port, so it cannot be intercepted",
                fix=f"inv tilt.up --only {service.name} deploys it",
            )
    return request


def _split_at_dashes(rest: Sequence[str]) -> tuple[list[str], list[str]]:
    words = list(rest)
    if "--" not in words:
        return [], words
    dashes = words.index("--")
    return words[:dashes], words[dashes + 1 :]


def _service(known: Catalogue, word: str, flag: str) -> Service:
    for service in known.services:
        if word == service.release:
            return service
    return known.named(word, f"tilt.up {flag}")


def _services(known: Catalogue, words: Iterable[str], flag: str) -> tuple[Service, ...]:
    by_name = {service.name: service for service in (_service(known, word, flag) for word in split_at_commas(words))}
    return tuple(by_name.values())


def split_at_commas(values: Iterable[str]) -> list[str]:
    """Return the words of a flag's values, without empty ones."""
    return [part.strip() for value in values for part in value.split(",") if part.strip()]


def _values(args: Sequence[str], flag: str) -> list[str]:
    """Return the flag's values among the words, as the Tiltfile's parser reads them: `--flag=a,b` and `--flag a`."""
    joined = [word.removeprefix(f"{flag}=") for word in args if word.startswith(f"{flag}=")]
    separate = [after for word, after in pairwise(args) if word == flag]
    return split_at_commas([*joined, *separate])
