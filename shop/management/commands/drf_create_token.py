"""`drf_create_token USER`: in place of REST framework's, which prints what the row keeps: a digest, here."""

from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import CommandError
from rest_framework.authtoken.management.commands import drf_create_token
from rest_framework.authtoken.models import Token

from shop.api import tokens


class Command(drf_create_token.Command):
    help = "Draw an API token for a login and print it, this once."

    def handle(self, *args: Any, **options: Any) -> None:
        name = options["username"]
        user = User.objects.filter(username=name).first()
        if user is None:
            raise CommandError(f"There is no login {name!r}. Make it in the admin, under Staff.")
        if Token.objects.filter(user=user).exists() and not options["reset_token"]:
            raise CommandError(
                f"{name} has a token already, and only its digest is kept. With --reset a new one is drawn; the old "
                "one stops working."
            )
        self.stdout.write(f"Generated token {tokens.draw(user)} for user {name}")
