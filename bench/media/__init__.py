"""`./dev bench --only media`: what videos cost beside bare ffmpeg, and what those who buy notice of them.

1. One clip, from uploaded to published, beside one ffmpeg command that makes the same files of it.
2. A rush while ten videos are encoded beside the same rush without, in turns.
3. A long video with one worker process and with two, beside bare ffmpeg as one process and as two.

What carries over to another machine is the ratio, so each stands beside its own of the same run.
"""
