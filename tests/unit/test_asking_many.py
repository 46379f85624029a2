"""Asking a provider for many at once: whoever lags is cut off, and what that says depends on how the others fared."""

import asyncio

import pytest

from orders.providers.failures import NotNow, ProviderError, Transient
from orders.providers.http import each


async def ask(seconds: float) -> str:
    """An answer after so many seconds; below 0 a connection that is refused at once."""
    if seconds < 0:
        raise Transient("connection refused")
    await asyncio.sleep(seconds)
    return "yes"


def answers(*seconds: float) -> list[str | ProviderError]:
    found, errors = asyncio.run(each(dict(enumerate(seconds)), ask))
    return [found[nth] if nth in found else errors[nth] for nth in range(len(seconds))]


def test_who_lags_behind_a_batch_that_was_answered_is_no_sign_of_trouble() -> None:
    *answered, late = answers(0, 0, 0, 30)
    assert answered == ["yes"] * 3
    assert isinstance(late, NotNow)


def test_when_nobody_was_answered_the_laggards_are_no_better() -> None:
    *refused, late = answers(-1, -1, -1, 30)
    assert {type(error) for error in refused} == {Transient}
    assert type(late) is Transient


@pytest.mark.parametrize("seconds", [0.0, 1.2])
def test_who_is_asked_about_alone_has_all_the_time(seconds: float) -> None:
    assert answers(seconds) == ["yes"]
