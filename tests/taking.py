"""Messages as a node leaves them with the broker when it dies."""

import base64

import orjson
import redis


def take(broker: redis.Redis, node: str, task: str, ids: list[int]) -> None:
    """Have the node hold a message of this step for these orders, as kombu keeps one that was taken."""
    body = base64.b64encode(orjson.dumps([[ids], {}, {}])).decode()
    message = {"body": body, "headers": {"task": task}, "properties": {}}
    broker.hset(f"unacked.{node}", task, orjson.dumps([message, "", task.partition(".")[0]]))
    broker.zadd(f"unacked_index.{node}", {task: 1})
