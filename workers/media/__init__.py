"""The `media` pool: turns an uploaded video into what browsers play, on as many workers as there are.

    probe     is it a video, and where can it be cut?                            one task
    encode    one segment in all its sizes; the sound of the whole is one too    a task for each, side by side
    join      concatenate the segments, and publish the files                    one task
    clear     delete what is not needed any more                                 one task, on `bulk`

The database says which of them is next (workers.relay.leased). Its worker holds the row under a lease (leases.py).
ffmpeg runs in a sandbox (sandboxed.py), because it reads untrusted files.
"""
