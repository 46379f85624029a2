"""A replay and a rush as a person starts them, in a small form, against a whole stack."""

import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from stack.environment import MARKER
from stack.layout import ROOT
from tests.conftest import RunningStack

pytestmark = pytest.mark.acceptance
SECONDS = 300
PROMISED = {
    *("accepted", "refused", "ended", "accepted_per_s", "completed_per_s"),
    *("post_ms", "to_completed_ms", "cpu_ms_per_order"),
}


def measure(module: str, *arguments: str, running: RunningStack, file: Path) -> tuple[dict[str, Any], str]:
    """Run it as ./dev does; returns its JSON and what it printed. It has to succeed."""
    stack = running.stack
    done = subprocess.run(
        [sys.executable, "-P", "-m", module, *arguments, "--json", str(file)],
        env={**stack.environment(), MARKER: str(stack.layout.base)},
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(file.read_text())
    assert found.keys() >= PROMISED
    assert found["problems"] == []
    return found, done.stdout


def test_a_month_is_replayed_twice_with_the_broker_wiped(stack: RunningStack, tmp_path: Path) -> None:
    """Invoices 1 to 30 sell two pieces each of two products; the second of twenty products is stocked with half."""
    rows = ["InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"]
    for number in range(1, 31):
        rows += [
            f"{number},{code},GREEN TEA POT {code},2,2011-11-01T08:26:00,2.55,{number},Norway"
            for code in (10_000 + number % 20, 10_020)
        ]
    rows.append("C31,10020,GREEN TEA POT 10020,-1,2011-11-01T08:26:00,2.55,1,Norway")
    rows.append("32,10020,,5,2011-11-01T08:26:00,0,1,Norway")
    sales = tmp_path / "sales.csv.gz"
    sales.write_bytes(gzip.compress("\n".join(rows).encode()))
    for flush in ("0", "0.2"):
        found, said = measure(
            "bench.replay", str(sales), "--flush-every", flush, running=stack, file=tmp_path / "replay.json"
        )
        assert found["accepted"] == 30
        assert found["refused"] == {"credit_note": 1, "zero_price": 1}
        assert found["accepted"] + sum(found["refused"].values()) == found["invoices"]
        assert sum(found["ended"].values()) == 30
        assert found["ended"]["out_of_stock"] > 0
        assert found["audit"]["clean"]
        assert "30 orders accepted" in said


def test_everybody_wants_one_product_and_exactly_what_is_there_is_sold(
    stack: RunningStack, tmp_path: Path
) -> None:
    found, _ = measure(
        *("bench.rush", "--orders", "60", "--buyers", "20", "--sku", "bf-1000", "--stock", "25"),
        running=stack,
        file=tmp_path / "rush.json",
    )
    assert found["ended"] == {"completed": 25, "out_of_stock": 35}
    assert found["sold_out"] == {
        "sku": "BF-1000",
        "stocked": 25,
        "sold": 25,
        "unlucky": 35,
        "told": 35,
        "untold": 0,
        "charged": 0,
    }
    assert found["floor"]["orders"] == 60
    assert found["floor"]["accepted_per_s"] > 0


def test_the_crowd_buys_all_over_the_catalogue(stack: RunningStack, tmp_path: Path) -> None:
    found, _ = measure(
        "bench.rush", "--orders", "60", "--buyers", "20", running=stack, file=tmp_path / "rush.json"
    )
    assert found["accepted"] == 60
    assert "out_of_stock" not in found["ended"]
    assert found["cpu_ms_per_order"]["web"] > 0
    assert found["audit"]["clean"]


def test_what_is_not_up_cannot_be_measured(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "bench.rush"],
        env={"PATH": "", "PYTHONPATH": str(ROOT), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert done.returncode == 2
    assert "./dev rush" in done.stderr
    assert "Traceback" not in done.stderr
