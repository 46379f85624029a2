"""What is shown: each figure with its name, what it says, and the statement that asks for it.

A look must cost next to nothing in a shop with millions of orders, many times a minute for years. So every statement
goes through an index that holds only what is under way, and stops counting at MOST: more is an alarm in any case. How
many orders have ended cannot be asked for so, and is counted as it happens (workers.metrics.counting).

All of it is one statement: one limit on its time, and figures that belong together are of the same moment.
"""

from dataclasses import dataclass
from typing import Any, LiteralString

from orders.models import Finding
from orders.states import END_STATES, OrderStatus, Provider
from orders.workflow import Step
from shop.videos.models import Video
from workers.queues import QueueName

# Rows that one figure counts at the most.
MOST = 100_000
# Names of tasks that came with broken messages may be anything, and each would be a series for ever.
MOST_TASKS = 50
# What was written less long ago may not be committed yet, and would be missed by who looks only at what is newer.
SETTLED_SECONDS = 2.0

# Each gives rows (figure, label's value, number).
_ORDERS: LiteralString = """
SELECT 'stampede_orders' AS figure, wanted.status AS label,
       (SELECT count(*) FROM (SELECT FROM orders_order o WHERE o.status = wanted.status LIMIT %(most)s) AS few)::float8
       AS number
FROM unnest(%(statuses)s::text[]) AS wanted (status)
"""
_ORDERS_DRIVEN: LiteralString = """
SELECT figure, label, number FROM (
    SELECT count(*) FILTER (WHERE due_at <= now()) AS due,
           count(*) FILTER (WHERE due_at > now() AND attempts > 0) AS under_way,
           count(*) FILTER (WHERE due_at > now() AND attempts = 0) AS waiting,
           greatest(extract(epoch FROM now() - min(due_at)), 0) AS age
    FROM (SELECT due_at, attempts FROM orders_order WHERE due_at IS NOT NULL ORDER BY due_at LIMIT %(most)s) AS driven
) AS counted CROSS JOIN LATERAL (VALUES
    ('stampede_orders_driven', 'due', due::float8), ('stampede_orders_driven', 'under_way', under_way),
    ('stampede_orders_driven', 'waiting', waiting), ('stampede_oldest_due_order_age_seconds', '', age)
) AS found (figure, label, number)
"""
_ORDERS_SET_ASIDE: LiteralString = """
SELECT 'stampede_orders_driven', 'set_aside', count(*)::float8
FROM (SELECT FROM orders_order WHERE due_at IS NULL AND ended_at IS NULL LIMIT %(most)s) AS few
"""
_CLAIMS: LiteralString = """
SELECT figure, '', number FROM (
    SELECT count(*) AS claims, greatest(extract(epoch FROM now() - min(claimed_at)), 0) AS age FROM orders_claim
) AS counted CROSS JOIN LATERAL (VALUES
    ('stampede_claims_unrung', claims::float8), ('stampede_oldest_unrung_claim_age_seconds', age)
) AS found (figure, number)
"""
_EVENTS_UNTOLD: LiteralString = """
SELECT figure, '', number FROM (
    SELECT count(*) AS events, greatest(extract(epoch FROM now() - min(at)), 0) AS age
    FROM (SELECT at FROM orders_orderevent WHERE published_at IS NULL ORDER BY id LIMIT %(most)s) AS untold
) AS counted CROSS JOIN LATERAL (VALUES
    ('stampede_order_events_untold', events::float8), ('stampede_oldest_untold_order_event_age_seconds', age)
) AS found (figure, number)
"""
_DEAD_LETTERS: LiteralString = """
SELECT * FROM (
    SELECT 'stampede_dead_letters_open', task, count(*)::float8
    FROM (SELECT task FROM workers_deadletter WHERE resolved_at IS NULL LIMIT %(most)s) AS letters
    GROUP BY task ORDER BY count(*) DESC LIMIT %(most_tasks)s
) AS by_task
"""
_BREAKERS: LiteralString = """
SELECT figure, provider, number FROM workers_breaker b
CROSS JOIN LATERAL (VALUES
    ('stampede_breaker_state', CASE state WHEN 'open' THEN 2 WHEN 'half_open' THEN 1 ELSE 0 END::float8),
    ('stampede_breaker_opened_total', times_opened),
    ('stampede_orders_parked',
     (SELECT count(*) FROM (SELECT FROM orders_order o WHERE o.due_at = b.parked_until LIMIT %(most)s) AS few))
) AS found (figure, number)
"""
_DOCUMENTS: LiteralString = """
SELECT figure, label, number FROM (
    SELECT count(*) FILTER (WHERE due_at <= now()) AS due,
           count(*) FILTER (WHERE due_at > now() AND attempts > 0) AS under_way,
           count(*) FILTER (WHERE due_at > now() AND attempts = 0) AS waiting,
           greatest(extract(epoch FROM now() - min(due_at)), 0) AS age
    FROM (SELECT due_at, attempts FROM orders_document WHERE due_at IS NOT NULL ORDER BY due_at LIMIT %(most)s) AS few
) AS counted CROSS JOIN LATERAL (VALUES
    ('stampede_documents', 'due', due::float8), ('stampede_documents', 'under_way', under_way),
    ('stampede_documents', 'waiting', waiting), ('stampede_oldest_due_document_age_seconds', '', age)
) AS found (figure, label, number)
"""
_VIDEOS: LiteralString = """
SELECT figure, label, number FROM (
    SELECT state, count(*) AS videos, greatest(extract(epoch FROM now() - min(created_at)), 0) AS age
    FROM videos_video WHERE state = ANY(%(states)s) GROUP BY state
) AS counted CROSS JOIN LATERAL (VALUES
    ('stampede_videos', state, videos::float8), ('stampede_oldest_video_age_seconds', state, age)
) AS found (figure, label, number)
"""
_SEGMENTS: LiteralString = """
SELECT figure, label, number FROM (
    SELECT count(*) FILTER (WHERE due_at <= now()) AS due,
           count(*) FILTER (WHERE due_at > now() AND holder IS NOT NULL) AS under_way,
           count(*) FILTER (WHERE due_at > now() AND holder IS NULL) AS waiting,
           coalesce(sum(greatest(end_ms - start_ms - encoded_ms, 0)) FILTER (WHERE number > 0), 0) / 1000.0 AS backlog
    FROM (
        SELECT s.* FROM videos_segment s JOIN videos_video v ON v.id = s.video_id AND v.state = 'encoding'
        WHERE s.due_at IS NOT NULL LIMIT %(most)s
    ) AS driven
) AS counted CROSS JOIN LATERAL (VALUES
    ('stampede_video_segments', 'due', due::float8), ('stampede_video_segments', 'under_way', under_way),
    ('stampede_video_segments', 'waiting', waiting), ('stampede_video_backlog_seconds', '', backlog)
) AS found (figure, label, number)
"""
_UPLOADS: LiteralString = """
SELECT figure, '', number FROM (
    SELECT count(*) AS uploads, coalesce(sum("offset"), 0) AS received, coalesce(sum(size), 0) AS announced
    FROM videos_upload
) AS counted CROSS JOIN LATERAL (VALUES
    ('stampede_uploads', uploads::float8), ('stampede_uploads_received_bytes', received),
    ('stampede_uploads_announced_bytes', announced)
) AS found (figure, number)
"""
_FINDINGS: LiteralString = """
SELECT 'stampede_findings_open', kind, count(*)::float8 FROM orders_finding WHERE resolved_at IS NULL GROUP BY kind
"""
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
        *(_ORDERS, _ORDERS_DRIVEN, _ORDERS_SET_ASIDE, _CLAIMS, _EVENTS_UNTOLD, _DEAD_LETTERS, _BREAKERS),
        *(_FINDINGS, _DOCUMENTS, _VIDEOS, _SEGMENTS, _UPLOADS, _ENCODED),
    )
)

# The states in which an order has something left to do; how many have ended would be a walk over all of them.
UNENDED = tuple(status.value for status in OrderStatus if status not in END_STATES)


@dataclass(frozen=True, slots=True)
class Figure:
    """`label` names what tells its series apart, "" if there is one; `always` are those shown as 0 without a row."""

    name: str
    says: str
    label: str = ""
    always: tuple[str, ...] = ("",)

    @property
    def counts(self) -> bool:
        """Whether it only ever grows."""
        return self.name.endswith("_total")


_DRIVEN = ("due", "under_way", "waiting")
FROM_DATABASE = (
    Figure(
        "stampede_orders", f"Orders with something left to do, {MOST} a state at most.", "status", UNENDED
    ),
    Figure(
        "stampede_orders_driven",
        f"Orders as the relay sees them: due now, under way with a worker, waiting for a later time, set aside for a"
        f" person; the {MOST} that fall due first.",
        "standing",
        (*_DRIVEN, "set_aside"),
    ),
    Figure("stampede_oldest_due_order_age_seconds", "How long the oldest due order has been due."),
    Figure("stampede_claims_unrung", "Claims of relays for which not everything is rung yet."),
    Figure("stampede_oldest_unrung_claim_age_seconds", "How long the oldest of them has stood."),
    Figure(
        "stampede_order_events_untold",
        "Order events that live pages and the order_events exchange do not know yet.",
    ),
    Figure("stampede_oldest_untold_order_event_age_seconds", "How long the oldest of them has waited."),
    Figure(
        "stampede_dead_letters_open",
        "Dead letters that need a person.",
        "task",
        tuple(step.value for step in Step),
    ),
    Figure(
        "stampede_breaker_state",
        "A provider's breaker: 0 closed, calls go through; 1 half open, it is being tried; 2 open, orders are parked.",
        "provider",
        tuple(Provider.values),
    ),
    Figure("stampede_breaker_opened_total", "How often it has opened.", "provider", tuple(Provider.values)),
    Figure(
        "stampede_orders_parked",
        "Orders that wait until this provider is back.",
        "provider",
        tuple(Provider.values),
    ),
    Figure(
        "stampede_findings_open",
        "Differences between the payment provider's list and the books that need a person.",
        "kind",
        tuple(Finding.Kind.values),
    ),
    Figure("stampede_documents", "Documents whose PDF is to be made.", "standing", _DRIVEN),
    Figure("stampede_oldest_due_document_age_seconds", "How long the oldest due document has been due."),
    Figure("stampede_videos", "Videos that are not published yet.", "state", tuple(Video.UNDER_WAY)),
    Figure(
        "stampede_oldest_video_age_seconds",
        "How long ago the oldest of them arrived.",
        "state",
        tuple(Video.UNDER_WAY),
    ),
    Figure("stampede_video_segments", "Segments of videos that are to be encoded.", "standing", _DRIVEN),
    Figure("stampede_video_backlog_seconds", "Seconds of video that are still to be encoded."),
    Figure("stampede_uploads", "Uploads that have begun and are not whole yet."),
    Figure("stampede_uploads_received_bytes", "Bytes of them that have arrived."),
    Figure("stampede_uploads_announced_bytes", "Bytes that they will be when they are whole."),
    Figure("stampede_video_segments_encoded_total", "Segments that were encoded since this process began."),
    Figure("stampede_video_encoded_seconds_total", "Seconds of video in them."),
)
QUEUES = Figure(
    "stampede_queue_messages",
    "Messages that wait in a queue of the broker; what a node has taken is not among them.",
    "queue",
    tuple(QueueName),
)
# Counted from look to look, by the process that looks.
COUNTED_ON = ("stampede_video_segments_encoded_total", "stampede_video_encoded_seconds_total")


def parameters(encoded_until: float) -> dict[str, Any]:
    """What STATEMENT takes; `encoded_until` is the time (Unix) up to which segments have been counted already."""
    return {
        "most": MOST,
        "most_tasks": MOST_TASKS,
        "statuses": list(UNENDED),
        "states": [state.value for state in Video.UNDER_WAY],
        "settled": SETTLED_SECONDS,
        "encoded_until": encoded_until,
    }
