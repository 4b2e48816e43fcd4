"""The schedule is a file for review: correct hours in summer and winter, valid, and never overwritten."""

from __future__ import annotations

import re
import subprocess
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tasks.core.errors import Refused, Trouble
from tasks.flows.cluster import cli, schedule
from tasks.flows.cluster.schedule import Hours, hours
from tests.made import settings

ZONES = ("Europe/Berlin", "America/New_York", "Asia/Tokyo", "Australia/Sydney", "UTC", "Asia/Kolkata")


def fires(cron: str, when: datetime) -> bool:
    minute, hour, _, _, days = cron.split()
    return (int(minute), int(hour)) == (when.minute, when.hour) and str((when.weekday() + 1) % 7) in days.split(",")


@given(st.integers(0, 22), st.integers(1, 23), st.sampled_from(ZONES), st.sampled_from(["mon-fri", "sun", "wed-sun"]))
def test_a_line_fires_at_each_start_and_end_in_both_halves_of_the_year(start, length, zone, days):
    wanted = hours(f"{start}-{min(23, start + length)}", days, zone)
    lines = [line["cron"] for line in yaml.safe_load(schedule.manifest(settings(), wanted))[True]["schedule"]]
    year = datetime.now(UTC).year
    for month in (1, 7):
        day = datetime(year, month, 11, tzinfo=ZoneInfo(zone))
        for local in (day + timedelta(days=n, hours=h) for n in range(7) for h in (wanted.start, wanted.end)):
            moment = local.astimezone(UTC).replace(minute=0)  # a zone of half hours fires within the hour
            if local.weekday() in wanted.days:  # on another day the job itself does not start anything
                assert any(fires(line, moment) for line in lines), (local, lines)


def test_the_hours_per_week_are_counted():
    assert Hours().per_week == 60
    assert "60 of 168" in schedule.manifest(settings(), Hours())


@pytest.mark.parametrize(
    ("now", "power", "asked", "does"),
    [
        ("1 7", "Stopped", "", "start"),
        ("5 12", "Running", "", ""),
        ("3 19", "Running", "", "stop"),
        ("3 6", "Stopped", "", ""),
        ("3 8", "Stopped", "", "start"),
        ("6 8", "Stopped", "", ""),
        ("7 23", "Stopped", "start", "start"),
        ("2 12", "Running", "stop", "stop"),
    ],
)
def test_the_job_follows_the_clock_and_does_nothing_twice(tmp_path, now, power, asked, does):
    job = yaml.safe_load(schedule.manifest(settings(), Hours()))["jobs"]["switch"]["steps"][1]
    (tmp_path / "date").write_text(f"#!/bin/sh\necho {now}\n")
    (tmp_path / "az").write_text(
        f'#!/bin/sh\nif [ "$2" = show ]; then echo {power}; else echo "$@" >>{tmp_path}/did; fi\n'
    )
    for name in ("date", "az"):
        (tmp_path / name).chmod(0o755)
    env = {"PATH": f"{tmp_path}:/usr/bin:/bin", "VERB": asked, "CLUSTER": job["env"]["CLUSTER"]}
    subprocess.run(["bash", "-e", "-c", job["run"]], env=env, check=True, capture_output=True)
    did = (tmp_path / "did").read_text() if (tmp_path / "did").exists() else ""
    assert did == (f"aks {does} --resource-group Dev --name dev-aks --no-wait\n" if does else "")


@pytest.mark.parametrize("words", [("25-3", "mon-fri", "UTC"), ("7-7", "mon", "UTC"), ("a-b", "mon", "UTC"), ("7-19", "fri-mon", "UTC"),
                                   ("7-19", "mon-someday", "UTC"), ("7-19", "mon-fri", "Nowhere/City"), ("7-19", "mon-fri", "../etc")])  # fmt: skip
def test_an_invalid_span_is_refused_with_an_example(words):
    with pytest.raises(Trouble) as why:
        hours(*words)
    assert re.search(r"--(hours|days|zone) ", why.value.fix)


def test_the_file_is_written_once_and_never_overwritten(tmp_path, capsys):
    path = tmp_path / "gitops" / "hours.yaml"
    cli.write_schedule(settings(), Hours(), str(path), dry=True)
    assert not path.parent.exists()
    cli.write_schedule(settings(), Hours(), str(path), dry=False)
    first = path.stat()
    cli.write_schedule(settings(), Hours(), str(path), dry=False)
    assert path.stat().st_mtime_ns == first.st_mtime_ns
    assert "nothing to do" in capsys.readouterr().out
    with pytest.raises(Refused):
        cli.write_schedule(settings(), Hours(8, 20), str(path), dry=False)
