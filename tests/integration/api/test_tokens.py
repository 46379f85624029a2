"""API tokens: only a digest is kept, and those that were drawn before go on."""

from importlib import import_module
from io import StringIO

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from rest_framework.authtoken.models import Token

from shop.api import tokens

pytestmark = pytest.mark.django_db
VIDEO = "/api/videos/00000000-0000-4000-8000-000000000000/"
KNOWN, UNKNOWN = 404, 401  # there is no such video, for whoever may ask


def ask(token: str) -> HttpResponse:
    return Client().get(VIDEO, headers={"Authorization": f"Token {token}"})  # type: ignore[return-value]


def test_what_is_kept_opens_nothing(admin_user: User) -> None:
    token = tokens.draw(admin_user)
    kept = Token.objects.get().key
    assert kept != token
    assert ask(token).status_code == KNOWN
    assert ask(kept).status_code == UNKNOWN


def test_a_new_one_ends_the_one_before(admin_user: User) -> None:
    before, now = tokens.draw(admin_user), tokens.draw(admin_user)
    assert ask(before).status_code == UNKNOWN
    assert ask(now).status_code == KNOWN


def test_a_token_of_before_goes_on_after_the_migration(admin_user: User) -> None:
    plain = Token.objects.create(user=admin_user).key
    assert ask(plain).status_code == UNKNOWN
    with connection.cursor() as cursor:
        cursor.execute(import_module("shop.migrations.0001_hash_api_tokens").HASH_TOKENS)
    assert Token.objects.get().key == tokens.digest(plain)
    assert ask(plain).status_code == KNOWN


def test_the_command_prints_it_once(admin_user: User) -> None:
    out = StringIO()
    call_command("drf_create_token", "admin", stdout=out)
    token = out.getvalue().split()[2]
    assert ask(token).status_code == KNOWN
    with pytest.raises(CommandError, match="--reset"):
        call_command("drf_create_token", "admin")
    call_command("drf_create_token", "admin", "--reset", stdout=out)
    assert ask(token).status_code == UNKNOWN
    with pytest.raises(CommandError, match="There is no login 'nobody'"):
        call_command("drf_create_token", "nobody")
