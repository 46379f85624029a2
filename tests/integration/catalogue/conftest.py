"""Files to import, and what the catalogue holds afterwards."""

from collections.abc import Callable
from pathlib import Path

import pytest

from shop.catalogue.importing.native import COLUMNS
from shop.catalogue.importing.retail import COLUMNS as SALES_COLUMNS

Written = Callable[[str], Path]


@pytest.fixture
def products_csv(tmp_path: Path) -> Written:
    """A file of our own format with these rows."""

    def write(rows: str) -> Path:
        path = tmp_path / "products.csv"
        path.write_text(",".join(COLUMNS) + "\n" + rows, encoding="utf-8")
        return path

    return write


@pytest.fixture
def sales_csv(tmp_path: Path) -> Written:
    """A file of sales with these rows: invoice, stock code, description, quantity, price."""

    def write(rows: str) -> Path:
        path = tmp_path / "sales.csv"
        lines = [",".join(SALES_COLUMNS)]
        for row in rows.strip().splitlines():
            invoice, code, description, quantity, price = row.strip().split(",")
            lines.append(f"{invoice},{code},{description},{quantity},2011-11-01T08:16:00,{price},1,France")
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    return write
