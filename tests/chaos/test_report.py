"""What was measured gets into the page where it belongs, and only there."""

import pytest

from bench.chaos.report import PAGE, put, written_up

MUTANT = {
    "mutant": "drop-the-lease",
    "breaks": "A lease.",
    "caught": True,
    "by": ["test_x[1]"],
    "saying": [""],
}


def test_a_table_replaces_the_last_one() -> None:
    page = "Before\n<!-- mutants -->\n\nold\n\n<!-- /mutants -->\nAfter\n"
    fresh = written_up(page, [MUTANT])
    assert fresh == written_up(fresh, [MUTANT])
    assert "| drop-the-lease | A lease. | `test_x[1]` |" in fresh
    assert "old" not in fresh
    assert fresh.startswith("Before\n")
    assert fresh.endswith("After\n")


def test_the_poison_is_told_round_by_round() -> None:
    clean = {"to_completed_ms": {"p50": 1.0, "p99": 1_000.0}, "attempts": 0}
    poisoned = {"to_completed_ms": {"p50": 2.0, "p99": 1_500.0}, "attempts": 3}
    found = {
        "rounds": [{"clean": clean, "poisoned": poisoned}],
        "p99_ratio": [1.5],
        "p99_ratio_median": 1.5,
    }
    fresh = written_up("<!-- poison -->\n<!-- /poison -->\n", found)
    assert "| 1 | 1 / 1,000 | 2 / 1,500 | 1.5 | 3 |" in fresh


def test_a_page_without_a_place_for_it_is_refused() -> None:
    with pytest.raises(ValueError, match="0 places for mutants"):
        written_up("", [MUTANT])


def test_the_page_has_a_place_for_each() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for name in ("matrix", "troubles", "poison", "mutants"):
        assert put(page, name, "x") != page
