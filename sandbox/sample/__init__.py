"""A core and a gitops repository as they look after the migration: services, charts and values, and no local cluster.

pair = sample.make(Path("/tmp/x"), catalogue)      # /tmp/x/gitops, /tmp/x/core with it as a submodule
"""

from sandbox.sample.repositories import Pair, make, suite_in

__all__ = ["Pair", "make", "suite_in"]
