"""A schedule that stops the cluster at night and at weekends: a file for review in the gitops repository.

Infrastructure is not changed from here. The file is a workflow of the platform that holds the gitops repository; its
identity in Azure and its federated credential are the owners' to give.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tasks.core import ui
from tasks.core.config.settings import Settings
from tasks.core.errors import Refused, Trouble

PLACE = ".github/workflows/dev-cluster-hours.yaml"
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True)
class Hours:
    """When the cluster runs, in local time: whole hours from `start` to `end`, on these days (0 is Monday)."""

    start: int = 7
    end: int = 19
    days: tuple[int, ...] = (0, 1, 2, 3, 4)
    zone: str = "Europe/Berlin"

    @property
    def a_week(self) -> int:
        """Hours a week."""
        return (self.end - self.start) * len(self.days)

    def utc(self, hour: int) -> tuple[int, ...]:
        """The UTC hours that this local hour is in a year: two where the clocks change."""
        zone = ZoneInfo(self.zone)
        year = datetime.now(UTC).year
        at = (datetime(year, month, 15, hour, tzinfo=zone) for month in (1, 7))
        return tuple(sorted({when.astimezone(UTC).hour for when in at}))


def hours(text: str, days: str, zone: str) -> Hours:
    """The hours as typed: `7-19`, `mon-fri`, `Europe/Berlin`. Raises Trouble for anything that is none."""
    found = re.fullmatch(r"(\d{1,2})-(\d{1,2})", text)
    if not found or not 0 <= int(found[1]) < int(found[2]) <= 23:
        raise Trouble(
            f"--hours: '{text}' is no span of hours", fix="write START-END in whole hours, such as --hours 7-19"
        )
    first, _, last = days.lower().partition("-")
    if first not in _DAYS or (last or first) not in _DAYS or _DAYS.index(last or first) < _DAYS.index(first):
        raise Trouble(f"--days: '{days}' is no span of days", fix="write FIRST-LAST, such as --days mon-fri")
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise Trouble(f"--zone: '{zone}' is no time zone", fix="write one as --zone Europe/Berlin") from None
    span = tuple(range(_DAYS.index(first), _DAYS.index(last or first) + 1))
    return Hours(int(found[1]), int(found[2]), span, zone)


def manifest(s: Settings, wanted: Hours) -> str:
    """The workflow. Cron counts in UTC, so each change has a line for summer and one for winter; the job looks."""
    days = ",".join(str((day + 1) % 7) for day in wanted.days)
    lines = [
        f'    - cron: "0 {hour} * * {_shifted(days, wanted, local, hour)}"  # {local:02}:00 {wanted.zone}'
        for local in (wanted.start, wanted.end)
        for hour in wanted.utc(local)
    ]
    return f"""\
# The dev cluster runs from {wanted.start}:00 to {wanted.end}:00 on {_DAYS[wanted.days[0]]} to {_DAYS[wanted.days[-1]]}, {wanted.zone}: {wanted.a_week} of 168 hours a week.
# It needs an identity in Azure that may read, start and stop the cluster, with a federated credential for this
# repository; its ids stand in the repository's variables. A late run does no harm: it looks at the clock itself.
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


def emit(s: Settings, wanted: Hours, out: str, *, dry: bool) -> None:
    """Print the file, or write it to `out`. A different file that stands there is not overwritten."""
    text = manifest(s, wanted)
    if not out:
        ui.say(text.rstrip("\n"))
        ui.talk(f"for the gitops repository: {PLACE} (--out FILE writes it); nothing was changed")
        return
    place = Path(out)
    try:
        there = place.read_text("utf-8") if place.exists() else None
    except (OSError, UnicodeDecodeError) as why:
        raise Trouble(f"cannot read {place}: {why}", fix="name another file: --out FILE") from None
    if there == text:
        ui.say(f"{place} is as it should be: nothing to do")
        return
    if there is not None:
        raise Refused(
            f"{place} holds something else", fix=f"compare it: inv aks.schedule | diff {place} -; then remove it"
        )
    if dry:
        ui.say(f"would write {place}")
        return
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")
    except OSError as why:
        raise Trouble(f"cannot write {place}: {why.strerror}", fix="name another file: --out FILE") from None
    ui.say(f"wrote {place}; review it, then commit it in the gitops repository")


def _shifted(days: str, wanted: Hours, local: int, utc: int) -> str:
    """The cron days: a local hour shortly after midnight is the day before in UTC, one before it the day after."""
    zone = ZoneInfo(wanted.zone)
    shift = 0
    for month in (1, 7):
        there = datetime(datetime.now(UTC).year, month, 15, local, tzinfo=zone)
        if there.astimezone(UTC).hour == utc:
            shift = (there.astimezone(UTC).date() - there.date()) // timedelta(days=1)
    return ",".join(sorted(str((int(day) + shift) % 7) for day in days.split(",")))
