"""telepresence quit: the end of a session, of its intercepts and of the daemons."""

from __future__ import annotations

from sandbox.protocol.call import Answer
from sandbox.standins.telepresence.daemon import Daemon, stop
from sandbox.standins.telepresence.engage import end
from sandbox.standins.telepresence.run import Failure, Run


def quit_(run: Run) -> Answer:
    """Quit. The exit code is 0 even if nothing runs."""
    if run.is_silent():
        run.world.hang(run.call)
    names = run.user.notes.get("telepresence-names", [])
    if len(names) > 1 and not run.parsed.on("stop-daemons") and not run.parsed.value("use"):
        raise Failure(
            f"multiple daemons are running, please select {names[0]} or {names[1]} using the --use <match> flag"
        )
    was = run.session() is not None or run.idle() is not None
    disconnect(run, run.parsed.on("stop-daemons"))
    if run.parsed.on("stop-daemons"):
        text = "Telepresence Daemons quitting...done\n" if run.old else "Quit\n"
    else:
        text = "Disconnected\n" if was else "Not connected\n"
    if run.format and not run.old:
        return run.answer("")
    return run.text(text)


def disconnect(run: Run, stop_daemons: bool) -> None:
    """End the session and its intercepts, and the daemons if requested or if the version always does."""
    live = [d for d in run.user.daemons if d.state in ("connected", "idle") and not d.orphan]
    if run.new and run.world.fault("status-wrong"):
        return
    run.user.notes.pop("telepresence-names", None)
    for daemon in live if stop_daemons else live[-1:]:
        if daemon.state == "connected":
            _end_session(run, daemon)
        run.writes = True
        if stop_daemons or run.new:
            _stop(run, daemon)
        else:
            daemon.state, daemon.session = "idle", ""
    if stop_daemons and not run.world.fault("root-daemon-busy"):
        _stop_root_daemons(run)


def _stop(run: Run, daemon: Daemon) -> None:
    """Stop the daemons. With the fault the root daemon stays, and is there for the next session."""
    root = daemon.root
    if root is not None and run.world.fault("root-daemon-busy"):
        daemon.root = None
        stop(run.world, daemon)
        daemon.root = root
    else:
        stop(run.world, daemon)
        run.user.daemons.remove(daemon)


def _end_session(run: Run, daemon: Daemon) -> None:
    cluster = run.world.cluster_at(daemon.server) or run.world.cluster
    for intercept in run.engaged_by(daemon):
        end(run.world, cluster, intercept)
    run.user.sessions.pop(daemon.key, None)
    run.world.alive_sessions.discard(daemon.session)


def _stop_root_daemons(run: Run) -> None:
    """Stop the root daemons whose user daemon was killed, and forget the dead daemons."""
    for daemon in run.user.daemons:
        if daemon.state == "dead" and daemon.root is not None:
            stop(run.world, daemon)
    run.user.daemons[:] = [d for d in run.user.daemons if d.orphan or d.state != "dead"]
