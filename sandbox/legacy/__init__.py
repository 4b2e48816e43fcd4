"""Two git repositories as they were before the migration: `make(folder, size="S", faults=("one-byte",))`."""

from tasks.sandbox.legacy.faults import FAULTS as FAULTS
from tasks.sandbox.legacy.model import Pair as Pair
from tasks.sandbox.legacy.pair import make as make
