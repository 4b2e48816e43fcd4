"""The stand-ins: one module for each program.

A stand-in is a module here with

    def handle(call: Call, world: World) -> Answer

named in TABLE. It is imported at the program's first call; one that is not written yet answers like a missing program.
`call` says argv (without the program's name), env, cwd, pid, tty, home; `world.user(call)` whose workstation it is.

* Print at the end: `return Answer(exit, stdout, stderr, writes=True)`; `writes` says whether anything was changed,
  for calls.jsonl. Print before the end: `world.emit(call, text, error=False)`.
* Read stdin only where the tool does: `world.stdin(call)` (bytes).
* Let time pass: `world.wait(call, seconds)`; it ends by CallerGone when the client is killed (do not catch it, except
  to clean up). Every call's usual cost (latency.py), `slow-tools` and `hanging-TOOL` are applied before `handle`.
* Run another program, as the real tool would: `world.run(call, "az", ("account", "show"), timeout=30)` gives an Outcome
  (exit, stdout, stderr). It looks on the caller's PATH: FileNotFoundError where there is none, OutOfTime after
  `timeout`. A stand-in is called directly and gets its own line in calls.jsonl.
* Start a real process in the foreground (dev servers, `tilt up`): `Answer(run=[argv...], run_env={...})`; the client
  becomes that program. With `after="name"` the client runs it as a child, forwards INT, TERM and HUP, and then
  `ended(call, world, after, exit) -> Answer` of the module answers (exit is negative for a signal).
  An optional `started(call, world, after, pid)` is told the child's pid.
* Faults: `world.fault("docker-no-engine")`; all names stand in faults.py. `world.login_fault()` is the AADSTS code, or "".
  A missing program needs nothing in the stand-in: planting takes its name off the private PATH.
* State: files in `call.home` are real files. What lies outside the workstation stands in World: `world.cluster`,
  `world.clusters`, `world.registry`, `world.users`, `world.notes`; what belongs to one workstation in `user.login`,
  `user.notes`. Change it under `with world.lock:`, and never wait while holding it.
* Tokens for the cluster: `world.issue(user.name, seconds, resource)` makes one, the API server accepts it until then.
* Kubeconfig files: kubeconfig.py reads, merges and writes them as client-go does, with its `.lock` file.
* `user.starts_logged_in`: az behaves as if `az login` had been done before the first call (until `az logout`, and not
  under the fault `login-gone`); the subscription and tenant are those of `world.places`.
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
