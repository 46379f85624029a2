"""API tokens of staff's programs. Only digests are kept: nobody who sees the table, a page of the admin or a backup can
sign in with what is there.

A token has 160 random bits, which nobody guesses back from a plain SHA-256; slow hashes are for what people choose.
"""

from hashlib import sha256
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from rest_framework.authentication import TokenAuthentication
from rest_framework.authtoken.models import Token


def digest(token: str) -> str:
    """What is kept of a token: as many hexadecimal digits as the column `key` holds."""
    return sha256(token.encode()).hexdigest()[:40]


def draw(user: User) -> str:
    """A new token for the user, in place of the one before; it is returned this once."""
    token = Token.generate_key()
    with transaction.atomic():
        Token.objects.filter(user=user).delete()
        Token.objects.create(user=user, key=digest(token))
    return token


class DigestAuthentication(TokenAuthentication):
    """`Authorization: Token …`, found by its digest."""

    def authenticate_credentials(self, key: str) -> Any:
        return super().authenticate_credentials(digest(key))
