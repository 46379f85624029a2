"""The Celery app, with the reason for each setting."""

import os

from celery import Celery
from celery.schedules import crontab
from django.conf import settings

from workers.queues import QUEUES, QueueName

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
# Django's system checks load every view of the shop; `manage.py prepare` and CI run them, no worker needs to.
os.environ.setdefault("CELERY_SKIP_CHECKS", "true")

# Longer than the longest task of any pool, so that Valkey does not hand a running task to a second worker. Orders do
# not wait for it: the relay dispatches them again when their lease runs out.
VISIBILITY_TIMEOUT = 3600  # seconds

# Valkey answers in milliseconds. When the network to it dies silently, a process waits so long for each of its
# connections, one after the other.
ANSWER = 2.0  # seconds

# What each node loads besides its tasks.
COMMON = (
    "workers.adapters.logging_context",
    "workers.adapters.process_init",
    "workers.adapters.task_failure",
    "workers.adapters.unacked",
    "workers.adapters.worker_lost",
)

app = Celery("stampede")
app.conf.update(
    broker_url=settings.BROKER_URL,
    # Kombu's, but no unreadable item and no broker that hangs ends a worker's work.
    broker_transport="workers.adapters.transport:Transport",
    # An unreadable message becomes a dead letter before it is acknowledged.
    worker_consumer="workers.adapters.consumer:Consumer",
    # A worker that starts before the broker, or loses it, waits for it for as long as it takes.
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    broker_transport_options={
        "visibility_timeout": VISIBILITY_TIMEOUT,
        "socket_timeout": ANSWER,
        "socket_connect_timeout": ANSWER,
        "socket_keepalive": True,
        "health_check_interval": ANSWER,
    },
    # The relay unclaims what it could not publish: it needs no retries, which would hold it up.
    task_publish_retry=False,
    # JSON alone: a pickled message is code from whoever reaches the broker.
    task_serializer="json",
    result_serializer="json",
    accept_content=["json"],
    # A task that dies with its worker is not acknowledged before it has ended.
    task_acks_late=True,
    # A task that failed is acknowledged too: what failed is written in the database, not left in the queue.
    task_acks_on_failure_or_timeout=True,
    # What hangs is killed with its process. Steps of orders have a limit that fits their lease (workers.steps).
    task_time_limit=1_800,
    # A task that kills its worker would come back for ever; the database counts attempts, the broker cannot.
    task_reject_on_worker_lost=False,
    # One message ahead for each process: a batch waits in the queue, where any worker can take it.
    worker_prefetch_multiplier=1,
    # After a lost connection running tasks may finish: they write nothing twice.
    worker_cancel_long_running_tasks_on_connection_loss=False,
    # Seconds that running tasks get on SIGTERM before their messages go back to the broker.
    worker_soft_shutdown_timeout=5,
    worker_enable_soft_shutdown_on_idle=False,
    # Results are kept only where a chord counts them, and briefly: Valkey must not fill up with keys.
    task_ignore_result=True,
    result_backend=f"workers.adapters.results.JoinCounter+{settings.BROKER_URL}",
    result_expires=600,
    result_backend_transport_options={"visibility_timeout": VISIBILITY_TIMEOUT},
    redis_socket_timeout=ANSWER,
    redis_socket_connect_timeout=ANSWER,
    redis_socket_keepalive=True,
    redis_retry_on_timeout=True,
    redis_backend_health_check_interval=ANSWER,
    # A task's name begins with its queue's.
    task_routes={f"{name.value}.*": {"queue": name.value} for name in QueueName},
    # No queue is made by a typing mistake.
    task_queues=QUEUES,
    task_create_missing_queues=False,
    task_default_queue=QueueName.BULK.value,
    # Flower shows what the workers do. It needs no event for a task that was sent, which would cost a publish.
    task_send_sent_event=False,
    worker_send_task_events=True,
    # Long-lived children are replaced before a leak matters.
    worker_max_tasks_per_child=20_000,
    # Logging is Django's.
    worker_hijack_root_logger=False,
    timezone="UTC",
    imports=[*COMMON, "workers.tasks", "workers.media.tasks", "workers.periodic"],
    # At the quietest hour; a nightly task that nobody took expires before the rush of the day.
    beat_schedule={
        "prove the books": {
            "task": "audit.books",
            "schedule": crontab(hour=3, minute=17),
            "options": {"expires": 6 * 3600},
        },
        "hold the payment provider's list against the books": {
            "task": "audit.reconcile",
            "schedule": crontab(hour=3, minute=47),
            "options": {"expires": 6 * 3600},
        },
        "sweep expired uploads": {
            "task": "bulk.sweep_uploads",
            "schedule": 60.0,
            "options": {"expires": 60},
        },
        "sweep expired carts": {
            "task": "bulk.sweep_carts",
            "schedule": 60.0,
            "options": {"expires": 60},
        },
        "apply reports of the payment provider that came too early": {
            "task": "payment.sweep_inbox",
            "schedule": 60.0,
            "options": {"expires": 60},
        },
    },
)
# A worker keeps its connection to the database for so many tasks. Celery would open a new one for each, which costs
# more than most tasks. A broken one is dropped before the next task (workers.adapters.process_init).
app.conf["CELERY_DB_REUSE_MAX"] = 1_000
