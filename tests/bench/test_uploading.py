"""A file that is interrupted five times arrives whole, and no process holds it in its memory: the short form of
`./dev bench --only upload`."""

from pathlib import Path

import pytest

from bench import upload, uploading

pytestmark = pytest.mark.acceptance


def test_interrupted_five_times_it_arrives_whole(tmp_path: Path) -> None:
    with upload.house_of() as house:
        carried = uploading.carry(house, tmp_path, upload.SHORT)
    assert carried.problems == []
    assert len({one["what"] for one in carried.interrupted}) == 5
    # It was struck in the middle: more was on the disk than was counted, and no more counts afterwards.
    struck = [one for one in carried.interrupted if one["written_beyond"]]
    assert struck
    for one in carried.interrupted:
        assert one["at"] <= one["goes_on_at"] <= one["at"] + uploading.PIECE
    assert set(carried.memory) == {*uploading.PROGRAMS, "the sender"}
