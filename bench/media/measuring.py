"""The three measurements. Each gives its figures as a dictionary that is printed and written as JSON."""

import os
import statistics
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvloop

from bench import buyers, documents
from bench.cli import finish
from bench.display import in_words, note, show_targets
from bench.figures import at_least, at_most, percentile
from bench.isolated_stack import end, isolated_stack, scratch_folder
from bench.media import bare, clips
from bench.media.jobs import Jobs
from bench.run import Run
from bench.running_stack import RunningStack
from stack.console import out
from stack.processes import POOLS, Pool
from stack.program import StackError

HEIGHT = 1080  # lines of the clip
PATIENCE = 3_600.0  # seconds for one video, however slow the machine
STANDS_BACK = 19
FIRST = 2.0  # seconds of what is made before anything is measured, so that every process has begun

# What is asked for.
WALL, DISTURBED, SPREAD = 1.10, 1.25, 0.85


@dataclass(frozen=True, slots=True)
class Size:
    clip: float  # seconds
    times: int  # that the clip is made, by us and by bare ffmpeg in turns
    orders: int  # of each rush
    buyers: int
    videos: int  # under way meanwhile
    rounds: int  # of a rush without and one with
    long: float  # seconds of the long video
    height: int = HEIGHT


FULL = Size(clip=60, times=2, orders=5_000, buyers=200, videos=10, rounds=2, long=180)
SHORT = Size(clip=6, times=1, orders=60, buyers=20, videos=10, rounds=1, long=8, height=360)
# Where nobody buys and nothing is cleared, the relay and the media pool are enough.
FOR_VIDEOS = frozenset({"postgres", "valkey", "relay"})


def bench(size: Size, file: Path | None) -> int:
    """Measure videos and then invoices, print, write; returns the exit code."""
    # On the disk of the isolated stacks, so that a clip is in its place without being copied.
    with scratch_folder("bench-clips-") as folder:
        videos, problems = measure(size, folder)
    invoices = documents.measure(documents.SHORT if size is SHORT else documents.FULL)
    for name, measured in videos.items():
        out.print(f"\n[bold]{name.replace('_', ' ')}[/bold]: {measured['what']}")
        for label, value in measured.items():
            if label != "what":
                out.print(f"  {label.replace('_', ' '):<36}{in_words(value)}", markup=False)
    out.print()
    reached = targets(videos)
    show_targets({"targets": reached})
    documents.show(invoices)
    reached += invoices.pop("targets")
    problems += invoices.pop("problems")
    found = {**videos, "targets": reached, "documents": invoices, "problems": problems}
    return finish(found, problems, file)


def measure(size: Size, folder: Path) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """All three, the first two in one stack. Returns the figures, and what was wrong."""
    clip = clips.make(folder / "clip.mp4", size.clip, size.height)
    with isolated_stack() as stack, closing(Jobs(stack)) as jobs:
        one = _one_clip(jobs, clip, size, folder)
        disturbed, problems = _disturbed(stack, jobs, clip, size)
    found = {"one_clip": one, "rush_beside_videos": disturbed, "spread": _spread(size, folder)}
    return found, problems


def _one_clip(jobs: Jobs, clip: Path, size: Size, folder: Path) -> dict[str, Any]:
    ours: list[float] = []
    floor: list[float] = []
    for turn in range(size.times):
        note(f"A clip of {size.clip:g} s in the shop, and by bare ffmpeg ({turn + 1} of {size.times}) …")
        ours += jobs.published(jobs.place(clip), PATIENCE)
        floor.append(bare.whole(clip, clips.width_of(size.height), size.height, folder / f"bare-{turn}"))
    return {
        "what": f"{size.clip:g} s of {size.height}p, from arrived to published",
        "seconds": _rounded(ours),
        "floor": {"what": "one ffmpeg command that makes the same files", "seconds": _rounded(floor)},
        "ratio": round(statistics.median(ours) / statistics.median(floor), 3),
    }


def _disturbed(stack: RunningStack, jobs: Jobs, clip: Path, size: Size) -> tuple[dict[str, Any], list[str]]:
    """The same rush without videos and while they are encoded, in turns; the answers of each kind together."""
    _rush(stack, size, "warm-up")
    without: list[Run] = []
    beside: list[Run] = []
    encoded = freed = 0.0
    processes = max((pool.most for pool in POOLS if pool.name == "media"), default=1)
    for turn in range(size.rounds):
        note(
            f"{size.orders:,} orders by {size.buyers:,} buyers, without videos ({turn + 1} of {size.rounds}) …"
        )
        without.append(_rush(stack, size, f"quiet-{turn}"))
        videos = jobs.place(clip, size.videos)
        jobs.encoding(processes, PATIENCE)
        note(f"… and while {size.videos} videos are encoded …")
        before = jobs.encoded(videos)
        beside.append(_rush(stack, size, f"beside-{turn}"))
        encoded += jobs.encoded(videos) - before
        if not jobs.at_work():
            raise StackError(
                "The videos were done before the rush was, so it stood beside nothing.\n"
                "This machine is fast: the clip must be longer (bench/media/measuring.py)."
            )
        freed = max(freed, jobs.cancel(videos, PATIENCE))
    found = {
        "what": f"{size.orders:,} orders by {size.buyers:,} buyers, each of {size.rounds} rushes",
        "post_p99_ms": _both(*([run.figures.post_ms for run in runs] for runs in (without, beside))),
        "order_p99_ms": _both(*([run.figures.to_completed_ms for run in runs] for runs in (without, beside))),
        "accepted_per_s": {
            name: [run.figures.as_json()["accepted_per_s"] for run in runs]
            for name, runs in (("without", without), ("beside", beside))
        },
        "encoded_seconds_meanwhile": round(encoded, 1),
        "seconds_from_cancel_to_a_free_pool": round(freed, 2),
    }
    return found, [problem for run in (*without, *beside) for problem in run.problems]


def _rush(stack: RunningStack, size: Size, name: str) -> Run:
    async def rush() -> Run:
        run = Run(stack, name)
        skus = await buyers.demo_catalogue(run, size.orders * buyers.MOST_PIECES)
        await run.place(size.orders, buyers.crowd(run, size.orders, skus), size.buyers)
        return run

    return uvloop.run(rush())


def _both(without: list[Any], beside: list[Any]) -> dict[str, Any]:
    quiet, loud = (percentile(sorted(ms for run in runs for ms in run), 99) for runs in (without, beside))
    return {"without": round(quiet, 1), "beside": round(loud, 1), "ratio": round(loud / quiet, 3)}


def _spread(size: Size, folder: Path) -> dict[str, Any]:
    """A long video made by one worker process and by two, each on a core of its own, and the same by bare ffmpeg."""
    if sys.platform != "linux" or len(os.sched_getaffinity(0)) < 2:
        raise StackError("Two worker processes are compared with one on two processors, under Linux.")
    clip = clips.make(folder / "long.mp4", size.long, size.height)
    width, half = clips.width_of(size.height), size.long / 2
    pools = [Pool(f"media-{core}", "media", 1, STANDS_BACK, app="workers.media.node") for core in range(2)]
    prefixes = {pool.name: clips.on_core(core) for core, pool in enumerate(pools)}
    only = FOR_VIDEOS | prefixes.keys()
    with isolated_stack(only=only, pools=pools, prefixes=prefixes) as stack, closing(Jobs(stack)) as jobs:
        jobs.published(jobs.place(clips.make(folder / "first.mp4", FIRST, size.height), 2), PATIENCE)
        note(f"A video of {size.long:g} s, by two worker processes …")
        [by_two] = jobs.published(jobs.place(clip), PATIENCE)
        end(stack, pools[1].name)
        note("… by one …")
        [by_one] = jobs.published(jobs.place(clip), PATIENCE)
    note("… and by bare ffmpeg, as one process and as two …")
    alone = bare.pictures(clip, [(0, size.long)], width, size.height, folder / "alone")
    shared = bare.pictures(clip, [(0, half), (half, size.long)], width, size.height, folder / "shared")
    ours, floor = by_one / by_two, alone / shared
    return {
        "what": f"{size.long:g} s of {size.height}p, each process on a core of its own",
        "seconds": {"one": round(by_one, 1), "two": round(by_two, 1)},
        "speed_up": round(ours, 3),
        "floor": {
            "what": "the picture in the same sizes by ffmpeg, one process, and two for half of it each",
            "seconds": {"one": round(alone, 1), "two": round(shared, 1)},
            "speed_up": round(floor, 3),
        },
        "ratio": round(ours / floor, 3),
    }


def targets(found: dict[str, Any]) -> list[dict[str, Any]]:
    """What is asked for and what was measured."""
    rush = found["rush_beside_videos"]
    return [
        at_most("one clip, our time to bare ffmpeg's, at most", WALL, found["one_clip"]["ratio"]),
        at_most("POST p99 beside videos to without, at most", DISTURBED, rush["post_p99_ms"]["ratio"]),
        at_most("order p99 beside videos to without, at most", DISTURBED, rush["order_p99_ms"]["ratio"]),
        at_least(
            "two processes to one, our speed-up to bare ffmpeg's, at least", SPREAD, found["spread"]["ratio"]
        ),
    ]


def _rounded(seconds: list[float]) -> list[float]:
    return [round(one, 2) for one in seconds]
