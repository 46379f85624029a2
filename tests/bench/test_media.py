"""The measurement of the media pool as a person starts it, in a small form, in isolated stacks."""

import os
from pathlib import Path

import pytest

from bench.media.measuring import targets
from tests.bench.starting import short_bench


@pytest.mark.acceptance
@pytest.mark.linux  # which gives a process as many processors as the bench wants
def test_the_bench_of_videos_in_its_short_form(tmp_path: Path) -> None:
    assert len(os.sched_getaffinity(0)) >= 2, "it compares one processor with two"
    found, said = short_bench(tmp_path / "media.json", "--only", "media")
    assert all(seconds > 0 for seconds in found["one_clip"]["seconds"])
    assert found["rush_beside_videos"]["post_p99_ms"]["ratio"] > 0
    assert found["spread"]["speed_up"] > 0
    assert len(found["targets"]) == 6
    assert "target" in said


def test_what_is_asked_for_is_held_against_what_was_measured() -> None:
    rush = {"post_p99_ms": {"ratio": 1.2}, "order_p99_ms": {"ratio": 1.3}}
    found = {"one_clip": {"ratio": 1.05}, "rush_beside_videos": rush, "spread": {"ratio": 0.9}}
    assert [target["met"] for target in targets(found)] == [True, True, False, True]
    found = {**found, "one_clip": {"ratio": 1.11}, "spread": {"ratio": 0.84}}
    assert [target["met"] for target in targets(found)] == [False, True, False, False]
