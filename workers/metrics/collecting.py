"""One look at the whole: the database and the broker are asked, each with a limit on its time.

However many scrapes there are, the two are asked once a second at most: within a second all get the same answer, and a
scrape that comes during another waits for that answer. What cannot be reached is shown as down and its figures are left
out, because an old figure that looks new is worse than none.
"""

import logging
import threading
from collections import defaultdict
from collections.abc import Iterable, Mapping
from time import monotonic, time

import psycopg
from django.db import connection
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from redis.exceptions import RedisError

from orders.database.patience import PatientConnection, patient
from shop.version import CODE_VERSION
from workers.broker import Broker
from workers.metrics import figures
from workers.metrics.figures import Figure

log = logging.getLogger(__name__)

KEPT = 1.0  # seconds for which an answer is good
PATIENCE = 2.0  # seconds for each to answer; both together are less than the ten that Prometheus waits

# PostgreSQL is not to read a whole table because it takes it for small.
_OPTIONS = "-c enable_seqscan=off"

Found = dict[str, dict[str, float]]  # figure -> label's value -> number


class Collector:
    """Registered with prometheus_client, which calls `collect` for each scrape, in any thread."""

    def __init__(self) -> None:
        self._broker = Broker(seconds=PATIENCE)
        self._lock = threading.Lock()
        self._good_until = 0.0
        self._last: list[Metric] = []
        # What is counted over many looks, and until when it has been counted.
        self._encoded_until = time()
        self._event_until: int | None = None
        self._counted: dict[str, float] = defaultdict(float)
        self._up = {"database": True, "broker": True}

    def describe(self) -> Iterable[Metric]:
        """The names, so that a double one is found at the start."""
        return [_family(figure, {}) for figure in (*figures.FROM_DATABASE, *figures.FROM_BROKER)]

    def collect(self) -> Iterable[Metric]:
        with self._lock:
            if monotonic() >= self._good_until:
                self._last = list(self._look())
                self._good_until = monotonic() + KEPT
            return self._last

    def _look(self) -> Iterable[Metric]:
        yield InfoMetricFamily("stampede_build", "Which code this is.", value={"version": CODE_VERSION})
        found = self._ask_database()
        yield _up("database", found is not None)
        if found is not None:
            yield from (_family(figure, found.get(figure.name, {})) for figure in figures.FROM_DATABASE)
        answer = self._ask_broker()
        yield _up("broker", answer is not None)
        if answer is not None:
            yield from (_family(figure, answer[figure.name]) for figure in figures.FROM_BROKER)

    def _ask_database(self) -> Found | None:
        found: Found = defaultdict(dict)
        try:
            with (
                connect() as own,
                own.execute(
                    figures.STATEMENT, figures.parameters(self._encoded_until, self._event_until)
                ) as rows,
            ):
                for figure, label, number in rows:
                    found[figure][label] = number
        except psycopg.Error as error:
            self._is_up("database", False, error)
            return None
        self._is_up("database", True)
        self._encoded_until = found["encoded_until"][""]
        self._event_until = int(found["event_until"][""])
        for figure in figures.COUNTED_ON:
            self._counted[figure] += found[figure][""]
            found[figure][""] = self._counted[figure]
        return found

    def _ask_broker(self) -> Found | None:
        try:
            lengths, _ = self._broker.look()
            used, limit = self._broker.memory()
        except RedisError as error:
            self._is_up("broker", False, error)
            return None
        self._is_up("broker", True)
        return {
            figures.QUEUES.name: {name.value: length for name, length in lengths.items()},
            figures.MEMORY.name: {"": used},
            figures.MEMORY_LIMIT.name: {"": limit},
        }

    def _is_up(self, what: str, up: bool, why: Exception | None = None) -> None:
        if up is not self._up[what]:
            has = "figures again" if up else "no figures"
            log.warning("The %s has %s: %s", what, has, why or "it is back")
        self._up[what] = up


def connect() -> PatientConnection:
    """For one look. Its name is its own: the relay's health check looks for sessions with the relay's name."""
    return patient({**connection.get_connection_params(), "application_name": "metrics"}, PATIENCE, _OPTIONS)


def _up(what: str, answered: bool) -> Metric:
    return GaugeMetricFamily(f"stampede_{what}_up", f"Whether the {what} answered.", value=answered)


def _family(figure: Figure, found: Mapping[str, float]) -> Metric:
    """The figure with its numbers; 0 for those that are always shown."""
    labels = [figure.label] if figure.label else None
    kind = CounterMetricFamily if figure.counts else GaugeMetricFamily
    family = kind(figure.name, figure.says, labels=labels)
    for value, number in {**dict.fromkeys(figure.always, 0.0), **found}.items():
        family.add_metric([value] if labels else [], number)
    return family
