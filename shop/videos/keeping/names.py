"""The names of an upload's files in the default storage: made from its token, and from nothing that a sender says."""

from uuid import UUID


def incoming(token: UUID) -> str:
    return f"uploads/{token}"


def source(token: UUID) -> str:
    return f"videos/{token}/source"
