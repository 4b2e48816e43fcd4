"""remote-first: from a clone to a shared AKS dev cluster, and a fast loop there every day."""

# Invoke loads this file; `import tasks` finds the package beside it. This hand-over makes them one.
import sys

del sys.modules[__name__]  # so that the import below finds tasks/, not this half-loaded file
from tasks import ns as ns  # noqa: E402
from tasks.core.process.interrupt import (  # noqa: E402
    end_quietly_when_nobody_reads,
    take_signals,
    tell_failures_as_people_and_programs_read_them,
)

take_signals()
tell_failures_as_people_and_programs_read_them()
end_quietly_when_nobody_reads()
