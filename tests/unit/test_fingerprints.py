"""Fingerprints: the same failure is one group, whichever order it hit; another failure is another."""

import traceback
import uuid

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from workers.deadletters.fingerprints import fingerprint, normalised


def failing(message: str, kind: type[Exception] = RuntimeError) -> Exception:
    try:
        raise kind(message)
    except Exception as error:
        return error


def deeper(message: str) -> Exception:
    return failing(message)


def another_way(message: str) -> Exception:
    try:
        raise RuntimeError(message)
    except RuntimeError as error:
        return error


numbers = st.integers(min_value=0, max_value=10**15)
addresses = st.builds(
    "{}@{}.example".format, st.from_regex(r"[a-z][a-z0-9.]{0,20}[a-z]", fullmatch=True), numbers
)


@given(*[st.tuples(numbers, st.uuids(), addresses)] * 2)
def test_what_varies_from_order_to_order_makes_no_difference(
    one: tuple[int, uuid.UUID, str], other: tuple[int, uuid.UUID, str]
) -> None:
    said = "order S-{0} of {2}: key {1} was used for {0:,} pence at 10:{0}, object 0x{0:x}"
    assert fingerprint("payment.charge", failing(said.format(*one))) == fingerprint(
        "payment.charge", failing(said.format(*other))
    )


@given(st.text())
@example("0 \n0")
def test_every_message_has_one_and_normalising_twice_is_normalising_once(said: str) -> None:
    assert len(fingerprint("email.send", RuntimeError(said))) == 64
    assert normalised(normalised(said)) == normalised(said)


@pytest.mark.parametrize(
    "other",
    [
        ("email.send", failing("boom")),
        ("sms.send", failing("boom", ValueError)),
        ("sms.send", failing("bang")),
        ("sms.send", another_way("boom")),
    ],
    ids=["another task", "another error", "another message", "another way through our code"],
)
def test_another_failure_has_another(other: tuple[str, Exception]) -> None:
    assert fingerprint(*other) != fingerprint("sms.send", failing("boom"))


def test_lines_that_moved_make_no_difference() -> None:
    code = "def work():\n    raise RuntimeError('boom')\nwork()"
    errors = []
    for blank in ("", "\n\n\n"):
        try:
            exec(compile(blank + code, __file__, "exec"), {})  # noqa: S102 (our own two lines)
        except RuntimeError as error:
            errors.append(error)
    one, other = errors
    assert (
        traceback.extract_tb(one.__traceback__)[-1].lineno
        != traceback.extract_tb(other.__traceback__)[-1].lineno
    )
    assert fingerprint("sms.send", one) == fingerprint("sms.send", other)


def test_of_a_database_error_the_row_is_left_out() -> None:
    said = 'violates check constraint "stock_not_negative"\nDETAIL:  Failing row contains ({}, 2026-11-21).'
    assert normalised(said.format("KETTLE")) == normalised(said.format("TEAPOT"))
    assert "stock_not_negative" in normalised(said)


def test_the_same_words_by_another_library_line_are_the_same() -> None:
    """Only our own frames count: a library's upgrade does not split a group."""
    assert fingerprint("sms.send", failing("boom")) == fingerprint("sms.send", deeper("boom"))
