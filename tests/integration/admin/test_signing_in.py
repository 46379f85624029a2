"""Signing in: wrong passwords lock, for whom and for how long, and a flood of them leaves the threads to the shop."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event
from typing import Any

import pytest
from axes.models import AccessAttempt
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.contrib.auth.models import User
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from shop.signing_in import RETRY_AFTER
from tests.waiting import wait_until

LOGIN = "/admin/login/"
HERE, ELSEWHERE = "198.51.100.7", "203.0.113.9"


def sign_in(name: str, password: str, address: str = HERE, **more: Any) -> HttpResponse:
    client = Client(headers={"X-Real-IP": address})
    return client.post(LOGIN, {"username": name, "password": password, **more})  # type: ignore[return-value]


@pytest.fixture
def grace(db: None) -> User:
    return User.objects.create_superuser("grace", password="the right one")


@pytest.mark.usefixtures("grace")
class TestWrongPasswords:
    def test_sixty_and_then_the_right_one(self) -> None:
        answers = [sign_in("grace", f"wrong {number}").status_code for number in range(60)]
        assert answers == [200] * 9 + [429] * 51
        refused = sign_in("grace", "the right one")
        assert refused.status_code == 429
        assert "grace cannot sign in from where you are" in refused.content.decode()

    def test_nobody_is_locked_out_by_a_stranger(self) -> None:
        for number in range(12):
            sign_in("grace", f"wrong {number}", ELSEWHERE)
        assert sign_in("grace", "the right one", ELSEWHERE).status_code == 429
        assert sign_in("grace", "the right one", HERE).status_code == 302

    def test_the_same_name_in_other_letters_and_the_same_network_count_together(self) -> None:
        for number in range(5):
            sign_in("grace", "wrong", f"2001:db8:0:1::{number}")
            sign_in(" ｇｒａｃｅ", "wrong", f"2001:db8:0:1:{number}::9", next="/admin/")
        assert sign_in("grace", "the right one", "2001:db8:0:1::ffff").status_code == 429
        assert sign_in("grace", "the right one", "2001:db8:0:2::1").status_code == 302

    def test_it_ends_after_a_quarter_of_an_hour_whatever_comes_meanwhile(self) -> None:
        for number in range(12):
            sign_in("grace", f"wrong {number}")
        AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(minutes=14))
        assert sign_in("grace", "wrong again").status_code == 429
        AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(minutes=16))
        assert sign_in("grace", "the right one").status_code == 302

    def test_the_right_one_begins_anew(self) -> None:
        for _ in range(3):
            for number in range(9):
                assert sign_in("grace", f"wrong {number}").status_code == 200
            assert sign_in("grace", "the right one").status_code == 302

    def test_passwords_are_not_kept(self) -> None:
        sign_in("grace", "nearly the right one", note="x")
        [attempt] = AccessAttempt.objects.all()
        assert "nearly" not in attempt.post_data + attempt.get_data


class Slow(PBKDF2PasswordHasher):
    """Takes as long as the test wants."""

    algorithm = "slow"
    iterations = 1
    begun, go_on = Event(), Event()

    def encode(self, password: str, salt: str, iterations: int | None = None) -> str:
        if password == "wrong":
            self.begun.set()
            assert self.go_on.wait(20)
        return super().encode(password, salt, 1)


@pytest.fixture
def slow(settings: Settings, transactional_db: None) -> Iterator[type[Slow]]:
    settings.PASSWORD_HASHERS = [f"{__name__}.Slow"]
    Slow.begun.clear()
    Slow.go_on.clear()
    User.objects.create_superuser("grace", password="the right one")
    yield Slow
    Slow.go_on.set()


def test_one_password_is_checked_at_a_time_and_nobody_waits(slow: type[Slow]) -> None:
    def first() -> int:
        try:
            return sign_in("grace", "wrong").status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        under_way = pool.submit(first)
        wait_until(slow.begun.is_set, "the first password to be checked")
        for name in ("grace", "nobody", ""):
            answer = sign_in(name, "wrong", ELSEWHERE)
            assert (answer.status_code, answer["Retry-After"]) == (503, str(RETRY_AFTER))
            assert "your password was not looked at" in answer.content.decode()
        assert Client().get(LOGIN).status_code == 200
        slow.go_on.set()
        assert under_way.result(20) == 200
    assert sign_in("grace", "the right one").status_code == 302
    assert AccessAttempt.objects.count() == 0
