"""What is shown: each figure with its name, what it says, and the statement that asks for it.

A look must cost next to nothing, many times a minute, in a shop with millions of orders. So every statement goes
through an index that holds only what is under way, and stops counting at MOST: more is an alarm in any case. How many
orders have ended cannot be asked in that way, and is counted as it happens (workers.metrics.counting).

All of it is one statement, with one limit on its time, so all figures are of the same moment.
"""

from dataclasses import dataclass
from typing import Any, LiteralString

from orders import sql
from orders.models import Finding
from orders.states import END_STATES, OrderStatus, Provider
from orders.workflow import Step
from shop.videos.models import Video
from workers.queues import QueueName

# Rows that one figure counts at the most.
MOST = 100_000
# A broken message may name any task, and each name would be a series for ever.
MOST_TASKS = 50
# What was written less long ago may not be committed yet: the next look asks only for what is newer, and would miss it.
SETTLED_SECONDS = 2.0

# All give rows (figure, label's value, number).

# How many rows of one kind of work are due, under way and waiting, and one more figure of the same rows.
_SCHEDULED: LiteralString = """
SELECT figure, label, number FROM (
    SELECT count(*) FILTER (WHERE due_at <= now()) AS due,
           count(*) FILTER (WHERE due_at > now() AND $under_way) AS under_way,
           count(*) FILTER (WHERE due_at > now() AND NOT $under_way) AS waiting,
           $measure AS measured
    FROM ($rows LIMIT %(most)s) AS scheduled
) AS counted CROSS JOIN LATERAL (VALUES
    ('$figure', 'due', due::float8), ('$figure', 'under_way', under_way), ('$figure', 'waiting', waiting),
    ('$measured', '', measured)
) AS found (figure, label, number)
"""
_AGE: LiteralString = "greatest(extract(epoch FROM now() - min(due_at)), 0)"
# How many rows wait since when (`since`), and for how long the oldest has.
_WAITING: LiteralString = """
SELECT figure, '', number FROM (
    SELECT count(*) AS waiting, greatest(extract(epoch FROM now() - min(since)), 0) AS age FROM ($rows) AS waiting
) AS counted CROSS JOIN LATERAL (VALUES ('$figure', waiting::float8), ('$age', age)) AS found (figure, number)
"""

# Orders by state.
_ORDERS: LiteralString = """
SELECT 'stampede_orders' AS figure, wanted.status AS label,
       (SELECT count(*) FROM (SELECT FROM orders_order o WHERE o.status = wanted.status LIMIT %(most)s) AS few)::float8
       AS number
FROM unnest(%(statuses)s::text[]) AS wanted (status)
"""
# The oldest order of each state that somebody but a person is to go on with, by when it was placed. Wherever it waits,
# in a queue that nobody serves too, it grows old here.
_OLDEST_OPEN: LiteralString = """
SELECT 'stampede_oldest_open_order_age_seconds', wanted.status, coalesce(
    (SELECT extract(epoch FROM now() - o.placed_at) FROM orders_order o
     WHERE o.status = wanted.status AND o.due_at IS NOT NULL ORDER BY o.id LIMIT 1), 0)::float8
FROM unnest(%(statuses)s::text[]) AS wanted (status)
"""
# Orders as the relay sees them.
_ORDERS_SCHEDULED = sql.compose(
    _SCHEDULED,
    figure="stampede_orders_scheduled",
    rows="SELECT due_at, attempts FROM orders_order WHERE due_at IS NOT NULL ORDER BY due_at",
    under_way="attempts > 0",
    measured="stampede_oldest_due_order_age_seconds",
    measure=_AGE,
)
# Orders that wait for a person.
_ORDERS_SET_ASIDE: LiteralString = """
SELECT 'stampede_orders_scheduled', 'set_aside', count(*)::float8
FROM (SELECT FROM orders_order WHERE due_at IS NULL AND ended_at IS NULL LIMIT %(most)s) AS few
"""
# Claims of relays that are not dispatched yet.
_CLAIMS = sql.compose(
    _WAITING,
    figure="stampede_claims_undispatched",
    age="stampede_oldest_undispatched_claim_age_seconds",
    rows="SELECT claimed_at AS since FROM orders_claim",
)
# Events that are not published yet.
_EVENTS_UNPUBLISHED = sql.compose(
    _WAITING,
    figure="stampede_order_events_unpublished",
    age="stampede_oldest_unpublished_order_event_age_seconds",
    rows="SELECT at AS since FROM orders_orderevent WHERE published_at IS NULL ORDER BY id LIMIT %(most)s",
)
# Open dead letters by task, the most frequent tasks alone.
_DEAD_LETTERS: LiteralString = """
SELECT * FROM (
    SELECT 'stampede_dead_letters_open', task, count(*)::float8
    FROM (SELECT task FROM workers_deadletter WHERE resolved_at IS NULL LIMIT %(most)s) AS letters
    GROUP BY task ORDER BY count(*) DESC LIMIT %(most_tasks)s
) AS by_task
"""
# The breakers, and the orders that are parked at them.
_BREAKERS: LiteralString = """
SELECT figure, provider, number FROM workers_breaker b
CROSS JOIN LATERAL (VALUES
    ('stampede_breaker_state', CASE state WHEN 'open' THEN 2 WHEN 'half_open' THEN 1 ELSE 0 END::float8),
    ('stampede_breaker_opened_total', times_opened),
    ('stampede_orders_parked',
     (SELECT count(*) FROM (SELECT FROM orders_order o WHERE o.due_at = b.parked_until LIMIT %(most)s) AS few))
) AS found (figure, number)
"""
# Differences between the payment provider's list and our books.
_FINDINGS: LiteralString = """
SELECT 'stampede_findings_open', kind, count(*)::float8 FROM orders_finding WHERE resolved_at IS NULL GROUP BY kind
"""
# PDFs that are to be made.
_DOCUMENTS = sql.compose(
    _SCHEDULED,
    figure="stampede_documents",
    rows="SELECT due_at, attempts FROM orders_document WHERE due_at IS NOT NULL ORDER BY due_at",
    under_way="attempts > 0",
    measured="stampede_oldest_due_document_age_seconds",
    measure=_AGE,
)
# Videos that are not published yet, by state.
_VIDEOS: LiteralString = """
SELECT figure, label, number FROM (
    SELECT state, count(*) AS videos, greatest(extract(epoch FROM now() - min(created_at)), 0) AS age
    FROM videos_video WHERE state = ANY(%(states)s) GROUP BY state
) AS counted CROSS JOIN LATERAL (VALUES
    ('stampede_videos', state, videos::float8), ('stampede_oldest_video_age_seconds', state, age)
) AS found (figure, label, number)
"""
# Segments that are to be encoded, and the seconds of video in them.
_SEGMENTS = sql.compose(
    _SCHEDULED,
    figure="stampede_video_segments",
    rows="""
        SELECT s.* FROM videos_segment s JOIN videos_video v ON v.id = s.video_id AND v.state = 'encoding'
        WHERE s.due_at IS NOT NULL
    """,
    under_way="holder IS NOT NULL",
    measured="stampede_video_backlog_seconds",
    measure="coalesce(sum(greatest(end_ms - start_ms - encoded_ms, 0)) FILTER (WHERE number > 0), 0) / 1000.0",
)
# Uploads that are not whole yet.
_UPLOADS: LiteralString = """
SELECT figure, '', number FROM (
    SELECT count(*) AS uploads, coalesce(sum("offset"), 0) AS received, coalesce(sum(size), 0) AS announced
    FROM videos_upload
) AS counted CROSS JOIN LATERAL (VALUES
    ('stampede_uploads', uploads::float8), ('stampede_uploads_received_bytes', received),
    ('stampede_uploads_announced_bytes', announced)
) AS found (figure, number)
"""
# What was placed and what has ended since the last look, and the event up to which this look has counted. From the
# log, since what is counted when it is published stands still with the broker.
_MOVED: LiteralString = """
SELECT figure, '', number FROM (
    SELECT coalesce(max(id), %(event_until)s::bigint, (SELECT max(id) FROM orders_orderevent), 0) AS until,
           count(*) FILTER (WHERE kind = 'order.placed') AS placed,
           count(*) FILTER (WHERE kind = ANY(%(ends)s)) AS ended
    FROM (SELECT id, kind FROM orders_orderevent
          WHERE id > %(event_until)s::bigint AND at <= now() - make_interval(secs => %(settled)s)
          ORDER BY id LIMIT %(most)s) AS fresh
) AS counted CROSS JOIN LATERAL (VALUES
    ('event_until', until::float8), ('stampede_orders_placed_total', placed), ('stampede_orders_ended_total', ended)
) AS found (figure, number)
"""
# What was encoded since the last look, and until when this look has counted.
_ENCODED: LiteralString = """
SELECT 'encoded_until', '', extract(epoch FROM now() - make_interval(secs => %(settled)s))::float8
UNION ALL
SELECT figure, '', number FROM (
    SELECT count(*) AS segments, coalesce(sum(end_ms - start_ms) FILTER (WHERE number > 0), 0) / 1000.0 AS seconds
    FROM videos_segment
    WHERE done_at > to_timestamp(%(encoded_until)s) AND done_at <= now() - make_interval(secs => %(settled)s)
) AS counted CROSS JOIN LATERAL (VALUES
    ('stampede_video_segments_encoded_total', segments::float8), ('stampede_video_encoded_seconds_total', seconds)
) AS found (figure, number)
"""
STATEMENT: LiteralString = " UNION ALL ".join(
    (
        *(
            _ORDERS,
            _OLDEST_OPEN,
            _ORDERS_SCHEDULED,
            _ORDERS_SET_ASIDE,
            _CLAIMS,
            _EVENTS_UNPUBLISHED,
            _DEAD_LETTERS,
            _BREAKERS,
        ),
        *(_FINDINGS, _DOCUMENTS, _VIDEOS, _SEGMENTS, _UPLOADS, _ENCODED, _MOVED),
    )
)

# The states in which an order has something left to do. Counting those that have ended would read all of them.
UNENDED = tuple(status.value for status in OrderStatus if status not in END_STATES)


@dataclass(frozen=True, slots=True)
class Figure:
    """`label` tells its series apart, "" if there is only one; `always` are label values shown as 0 without a row."""

    name: str
    says: str
    label: str = ""
    always: tuple[str, ...] = ("",)

    @property
    def counts(self) -> bool:
        """Whether it only ever grows."""
        return self.name.endswith("_total")


_SCHEDULED_AS = ("due", "under_way", "waiting")
_PROVIDERS, _UNDER_WAY = tuple(Provider.values), tuple(Video.UNDER_WAY)
FROM_DATABASE = (
    Figure(
        "stampede_orders", f"Orders with something left to do, {MOST} a state at most.", "status", UNENDED
    ),
    Figure(
        "stampede_orders_scheduled",
        "Orders as the relay sees them: due now, under way with a worker, waiting for a later time, set aside for a "
        f"person; the {MOST} that fall due first.",
        "status",
        (*_SCHEDULED_AS, "set_aside"),
    ),
    Figure(
        "stampede_oldest_due_order_age_seconds",
        "How long the oldest due order has been due. One that waits in a queue is not due.",
    ),
    Figure(
        "stampede_oldest_open_order_age_seconds",
        "How long ago the oldest order was placed that has something left to do for itself, wherever it waits.",
        "status",
        UNENDED,
    ),
    Figure("stampede_orders_placed_total", "Orders that were placed since this process began."),
    Figure("stampede_orders_ended_total", "Orders that came to an end since, completed or otherwise."),
    Figure("stampede_claims_undispatched", "Claims of relays of which not everything is dispatched yet."),
    Figure("stampede_oldest_undispatched_claim_age_seconds", "How long ago the oldest of them was claimed."),
    Figure("stampede_order_events_unpublished", "Order events that are not published yet."),
    Figure("stampede_oldest_unpublished_order_event_age_seconds", "How long the oldest of them has waited."),
    Figure("stampede_dead_letters_open", "Dead letters that need a person.", "task", tuple(Step)),
    Figure(
        "stampede_breaker_state",
        "A provider's breaker: 0 closed, calls go through; 1 half open, it is probed; 2 open, orders are parked.",
        "provider",
        _PROVIDERS,
    ),
    Figure("stampede_breaker_opened_total", "How often it has opened.", "provider", _PROVIDERS),
    Figure("stampede_orders_parked", "Orders that wait until this provider is back.", "provider", _PROVIDERS),
    Figure(
        "stampede_findings_open",
        "Differences between the payment provider's list and the books that need a person.",
        "kind",
        tuple(Finding.Kind.values),
    ),
    Figure("stampede_documents", "Documents whose PDF is to be made.", "status", _SCHEDULED_AS),
    Figure("stampede_oldest_due_document_age_seconds", "How long the oldest due document has been due."),
    Figure("stampede_videos", "Videos that are not published yet.", "state", _UNDER_WAY),
    Figure(
        "stampede_oldest_video_age_seconds", "How long ago the oldest of them arrived.", "state", _UNDER_WAY
    ),
    Figure("stampede_video_segments", "Segments of videos that are to be encoded.", "status", _SCHEDULED_AS),
    Figure("stampede_video_backlog_seconds", "Seconds of video that are still to be encoded."),
    Figure("stampede_uploads", "Uploads that have begun and are not whole yet."),
    Figure("stampede_uploads_received_bytes", "Bytes of them that have arrived."),
    Figure("stampede_uploads_announced_bytes", "Bytes that they will be when they are whole."),
    Figure("stampede_video_segments_encoded_total", "Segments that were encoded since this process began."),
    Figure("stampede_video_encoded_seconds_total", "Seconds of video in them."),
)
QUEUES = Figure(
    "stampede_queue_messages",
    "Messages that wait in a queue of the broker, without those that a node has taken.",
    "queue",
    tuple(QueueName),
)
MEMORY = Figure("stampede_broker_memory_bytes", "Memory that the broker uses.")
MEMORY_LIMIT = Figure("stampede_broker_memory_limit_bytes", "Memory that it may use; 0 if it has no limit.")
FROM_BROKER = (QUEUES, MEMORY, MEMORY_LIMIT)
# Counted from look to look, by the process that looks.
COUNTED_ON = (
    *("stampede_video_segments_encoded_total", "stampede_video_encoded_seconds_total"),
    *("stampede_orders_placed_total", "stampede_orders_ended_total"),
)
_ENDS = [f"order.{status.value}" for status in END_STATES]


def parameters(encoded_until: float, event_until: int | None) -> dict[str, Any]:
    """What STATEMENT takes; `encoded_until` is the time (Unix) up to which segments have been counted already,
    `event_until` the event up to which orders have, None at the first look."""
    return {
        "most": MOST,
        "most_tasks": MOST_TASKS,
        "statuses": list(UNENDED),
        "states": [state.value for state in Video.UNDER_WAY],
        "settled": SETTLED_SECONDS,
        "encoded_until": encoded_until,
        "event_until": event_until,
        "ends": _ENDS,
    }
