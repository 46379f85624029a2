"""Every page for those who see, hear or move differently, as far as axe can tell; in light and in dark."""

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.browser.conftest import Open, every_page

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(open_page: Open, scheme: str) -> None:
    page = open_page("/", color_scheme=scheme, reduced_motion="reduce", tolerated=("422", "404"))
    for where in every_page(page):
        found = Axe().run(page)
        assert found.violations_count == 0, f"{where}:\n{found.generate_report()}"
