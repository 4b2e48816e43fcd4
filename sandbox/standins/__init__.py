"""The stand-ins: one package for each program.

A stand-in is a module with

    def handle(call: Call, world: World) -> Answer

listed in TABLE. It is imported at the program's first call.
`call` has argv (without the program's name), env, cwd, pid, tty and home; `world.user(call)` is the calling user.

* Print at the end: `return Answer(exit, stdout, stderr, writes=True)`; `writes` records in calls.jsonl whether the call
  changed anything. Print before the end: `world.emit(call, text, error=False)`.
* Read stdin only where the tool does: `world.stdin(call)` (bytes).
* Wait: `world.wait(call, seconds)`; it raises CallerGone when the client is killed (do not catch it, except
  to clean up). The usual delay (latency.py), `slow-tools` and `hanging-TOOL` are applied before `handle`.
* Run another program, as the real tool would: `world.run(call, "az", ("account", "show"), timeout=30)` gives an Outcome
  (exit, stdout, stderr). It searches the caller's PATH and raises FileNotFoundError, or OutOfTime after
  `timeout`. A stand-in is called directly and is logged separately in calls.jsonl.
* Start a real process in the foreground (dev servers, `tilt up`): `Answer(run=[argv...], run_env={...})`; the client
  replaces itself by that program. With `after="name"` the client runs it as a child, forwards INT, TERM and HUP, and then
  the module's `ended(call, world, after, exit) -> Answer` answers (exit is negative for a signal).
  An optional `started(call, world, after, pid)` receives the child's pid.
* Faults: `world.fault("docker-no-engine")`; the names are in faults/catalogue.py. `world.login_fault()` is the AADSTS
  code, or "".
  `TOOL-missing` needs nothing in the stand-in: the fault removes the program from the sandbox's PATH.
* State: files in `call.home` are real files. State outside the workstation is in World: `world.cluster`,
  `world.clusters`, `world.registry`, `world.users`, `world.notes`; state of one workstation is in `user.login`,
  `user.notes`. Change it under `with world.lock:`, and never wait while holding the lock.
* Tokens for the cluster: `world.issue(user.name, seconds, resource)`; the API server accepts a token until it expires.
* Credential plug-ins: credentials.py asks them as client-go does. A plug-in that is a real program is a child of the client's
  process or of Telepresence's user daemon. `sandbox.control.revoke(box, token)` lets the API server answer 401 to a token.
* Several accounts at one workstation: `REMOTE_SANDBOX_LOGIN=colleague az login` logs in another user of the world.
* Kubeconfig files: kubeconfig.py reads, merges and writes them as client-go does, with its `.lock` file.
* `user.starts_logged_in`: az behaves as if `az login` had been done before the first call (until `az logout`, and not
  under the fault `login-gone`); subscription and tenant come from `world.places`.
"""

from __future__ import annotations

TABLE = {
    "az": "sandbox.standins.az.cli",
    "kubelogin": "sandbox.standins.kubelogin.cli",
    "kubectl": "sandbox.standins.kubectl.cli",
    "telepresence": "sandbox.standins.telepresence.cli",
    "tilt": "sandbox.standins.tilt.cli",
    "helm": "sandbox.standins.helm.cli",
    "docker": "sandbox.standins.docker.cli",
    "pnpm": "sandbox.standins.pnpm.cli",
}
