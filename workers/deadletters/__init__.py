"""Dead letters: what was given up, and what a person may do about it: replay, dry run, discard.

Everything that fails for good ends in one table (workers.models.DeadLetter). A letter is open until a person has
resolved it. The same failure has the same fingerprint, so a bug that broke five hundred orders is one line in the
admin and one decision.
"""

from workers.deadletters.burying import (
    CLEAR_VIDEO,
    bury,
    bury_documents,
    bury_message,
    bury_printout,
    bury_video,
    note_attempts,
)
from workers.deadletters.replaying import note, replay

__all__ = [
    "CLEAR_VIDEO",
    "bury",
    "bury_documents",
    "bury_message",
    "bury_printout",
    "bury_video",
    "note",
    "note_attempts",
    "replay",
]
