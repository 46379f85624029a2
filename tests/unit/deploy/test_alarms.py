"""The rules for alarms and the table in the docs against the figures that there are."""

import re

import yaml

from stack.layout import ROOT
from workers.metrics import figures
from workers.metrics.collecting import Collector
from workers.metrics.counting import EVENTS_PUBLISHED

RULES = yaml.safe_load((ROOT / "deploy" / "alarms.yml").read_text())["groups"][0]["rules"]
DOCS = (ROOT / "docs" / "operations.md").read_text()
NAMED = re.compile(r"\bstampede_\w+")


def names() -> set[str]:
    """What a scrape shows, as Prometheus calls it."""
    counted = {f"{family.name}_total" for family in EVENTS_PUBLISHED.describe()}
    asked = {figure.name for figure in (*figures.FROM_DATABASE, *figures.FROM_BROKER)}
    return asked | counted | {"stampede_build_info", "stampede_database_up", "stampede_broker_up"}


def test_the_names_keep_to_the_conventions() -> None:
    """https://prometheus.io/docs/practices/naming: base units at the end, and _total behind what counts."""
    assert all(re.fullmatch(r"stampede(_[a-z]+)+", name) for name in names())
    assert not [name for name in names() if name.endswith(("_ms", "_milliseconds", "_minutes", "_count"))]
    assert {family.name for family in Collector().describe()} >= {
        "stampede_orders",
        "stampede_queue_messages",
    }


def test_every_alarm_is_about_a_figure_that_there_is_and_says_what_to_do() -> None:
    for rule in RULES:
        assert set(NAMED.findall(rule["expr"])) <= names(), rule["alert"]
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert rule["annotations"]["summary"]


def test_every_figure_stands_in_the_docs_and_no_other() -> None:
    table = DOCS.partition("### Figures for Prometheus")[2].partition("```")[0]
    assert set(NAMED.findall(table)) == names()
