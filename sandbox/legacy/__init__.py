"""Generate the two git repositories as they were before the migration: `make(folder, size="S", faults=("one-byte",))`."""

from sandbox.legacy.faults import FAULTS as FAULTS
from sandbox.legacy.model import Pair as Pair
from sandbox.legacy.pair import make as make
