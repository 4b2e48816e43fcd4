"""What a shell can complete: `python -m tasks.completion` prints it, scripts/completion.bash caches and reads it.

The lines: `- FLAGS` of inv itself, `TASK FLAGS` (with `@` if a service may follow), `@ SERVICES`.
"""

from __future__ import annotations

from collections.abc import Iterator


def lines() -> Iterator[str]:
    """Yield the lines. Without a readable catalogue only the services are missing."""
    import tasks
    from tasks.core.cli.program import SuiteProgram
    from tasks.core.config.catalogue import catalogue
    from tasks.core.errors import Trouble

    yield " ".join(("-", *_flags(SuiteProgram().initial_context.args.values())))
    for context in tasks.ns.to_contexts():
        positional = {argument.name for argument in context.positional_args}
        flags = _flags(a for a in context.args.values() if a.name not in positional)
        yield " ".join((str(context.name), *(["@"] if "service" in positional else []), *flags, "--help"))
    try:
        yield " ".join(("@", *(service.name for service in catalogue().services)))
    except Trouble:
        return


def _flags(arguments: object) -> list[str]:
    """The long flags of Invoke's arguments, sorted."""
    names = [name for argument in arguments for name in argument.names]  # type: ignore[attr-defined]
    return sorted(f"--{name}" for name in names if len(name) > 1)


if __name__ == "__main__":
    from tasks.core import ui

    for line in lines():
        ui.say(line)
