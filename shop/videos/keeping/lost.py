class Lost(Exception):
    """Less is kept of an upload than its row says: a disk was changed, or restored from an older backup."""
