"""The `media` pool: makes of an uploaded video what browsers play, spread over as many workers as there are.

    probe     is it a video, and where can it be cut?                     one task
    encode    one segment in all its sizes; the sound of the whole is another    a task for each, side by side
    join      the segments, end to end, are the finished files; publish them     one task
    clear     what is not needed any more goes                            one task, on `bulk`

Which of them is next is read from the database (workers.relay.media); who does it holds the row (leases.py).
ffmpeg itself runs locked up (confined.py), for what it reads comes from outside.
"""
