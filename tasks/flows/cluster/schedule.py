"""The hours in which the cluster runs, as a workflow file for review in the gitops repository.

Infrastructure is not changed from here. The workflow runs on the platform that hosts the gitops repository. Its owners
provide the identity in Azure and the federated credential.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tasks.core import regular_file
from tasks.core.config.settings import Settings
from tasks.core.errors import Refused, Trouble
from tasks.core.plan.change import Change

WORKFLOW = ".github/workflows/dev-cluster-hours.yaml"
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True)
class Hours:
    """When the cluster runs, in local time."""

    start: int = 7
    """The first hour."""

    end: int = 19
    """The hour at which it stops."""

    days: tuple[int, ...] = (0, 1, 2, 3, 4)
    """Consecutive days; 0 is Monday."""

    zone: str = "Europe/Berlin"

    @property
    def per_week(self) -> int:
        """Hours per week."""
        return (self.end - self.start) * len(self.days)

    def utc(self, hour: int) -> tuple[int, ...]:
        """Return the UTC hours of this local hour: two where the clocks change in summer."""
        return tuple(sorted({moment.astimezone(UTC).hour for moment in self._moments(hour)}))

    def cron_days(self, local: int, utc: int) -> str:
        """Return the days of a cron line. In UTC a local hour may fall on the day before or after."""
        shift = 0
        for moment in self._moments(local):
            in_utc = moment.astimezone(UTC)
            if in_utc.hour == utc:
                shift = (in_utc.date() - moment.date()) // timedelta(days=1)
        return ",".join(sorted(str((day + 1 + shift) % 7) for day in self.days))  # cron counts from Sunday

    def _moments(self, hour: int) -> list[datetime]:
        """Return this local hour on a day in winter and on one in summer."""
        zone, year = ZoneInfo(self.zone), datetime.now(UTC).year
        return [datetime(year, month, 15, hour, tzinfo=zone) for month in (1, 7)]


def hours(text: str, days: str, zone: str) -> Hours:
    """Parse the flags, such as `7-19`, `mon-fri`, `Europe/Berlin`. Raises Trouble for invalid ones."""
    span = re.fullmatch(r"(\d{1,2})-(\d{1,2})", text)
    if not span or not 0 <= int(span[1]) < int(span[2]) <= 23:
        raise Trouble(
            f"--hours: '{text}' is not a valid span of hours",
            fix="write START-END in whole hours, such as --hours 7-19",
        )
    span_of_days = _days(days)
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise Trouble(f"--zone: '{zone}' is not a valid time zone", fix="write one as --zone Europe/Berlin") from None
    return Hours(int(span[1]), int(span[2]), span_of_days, zone)


def _days(text: str) -> tuple[int, ...]:
    first, _, last = text.lower().partition("-")
    last = last or first
    if first not in _DAYS or last not in _DAYS or _DAYS.index(last) < _DAYS.index(first):
        raise Trouble(f"--days: '{text}' is not a valid span of days", fix="write FIRST-LAST, such as --days mon-fri")
    return tuple(range(_DAYS.index(first), _DAYS.index(last) + 1))


def manifest(s: Settings, wanted: Hours) -> str:
    """Return the workflow. Cron uses UTC, so a time has a line for summer and one for winter; the job compares the
    local time itself."""
    lines = [
        f'    - cron: "0 {hour} * * {wanted.cron_days(local, hour)}"  # {local:02}:00 {wanted.zone}'
        for local in (wanted.start, wanted.end)
        for hour in wanted.utc(local)
    ]
    return f"""\
# The dev cluster runs from {wanted.start}:00 to {wanted.end}:00 on {_DAYS[wanted.days[0]]} to {_DAYS[wanted.days[-1]]}, {wanted.zone}: {wanted.per_week} of 168 hours a week.
# It needs an identity in Azure that may read, start and stop the cluster, with a federated credential for this
# repository; its ids are variables of the repository. A late run does no harm: the job compares the local time itself.
name: dev cluster hours
on:
  schedule:
{chr(10).join(lines)}
  workflow_dispatch:
    inputs:
      verb: {{type: choice, options: [start, stop], required: true}}
permissions: {{id-token: write}}
concurrency: dev-cluster-hours
jobs:
  switch:
    runs-on: ubuntu-latest
    steps:
      - uses: azure/login@v2
        with:
          client-id: ${{{{ vars.AZURE_CLIENT_ID }}}}
          tenant-id: ${{{{ vars.AZURE_TENANT_ID }}}}
          subscription-id: ${{{{ vars.AZURE_SUBSCRIPTION_ID }}}}
      - env:
          VERB: ${{{{ inputs.verb }}}}
          CLUSTER: --resource-group {s.cluster.resource_group} --name {s.cluster.name}
        run: |
          read -r day hour < <(TZ={wanted.zone} date "+%u %-H")
          if [ -z "$VERB" ]; then
            VERB=stop
            case "$day" in
              [{wanted.days[0] + 1}-{wanted.days[-1] + 1}]) if [ "$hour" -ge {wanted.start} ] && [ "$hour" -lt {wanted.end} ]; then VERB=start; fi ;;
            esac
          fi
          power=$(az aks show $CLUSTER --query powerState.code --output tsv)
          case "$VERB $power" in
            "start Stopped" | "stop Running") az aks "$VERB" $CLUSTER --no-wait ;;
            *) echo "nothing to do: $VERB, and it is $power" ;;
          esac
"""


def write(path: Path, text: str) -> Change[None] | None:
    """Return the change that writes the file, None when it has this text. Raises Refused when it has another one."""
    try:
        present = regular_file.text(path) if path.exists() else None
    except (OSError, UnicodeDecodeError) as why:
        raise Trouble(f"cannot read {path}: {why}", fix="name another file: --out FILE") from None
    if present == text:
        return None
    if present is not None:
        raise Refused(
            f"{path} has other content",
            fix=f"compare it: inv aks.schedule | diff {shlex.quote(str(path))} -; then delete it",
        )
    return Change(f"write {path}", run=lambda: _write(path, text))


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as why:
        raise Trouble(f"cannot write {path}: {why.strerror}", fix="name another file: --out FILE") from None
