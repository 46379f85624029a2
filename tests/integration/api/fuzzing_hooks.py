"""What schemathesis cannot know of the shop: names of things that are there, and how a piece of an upload is sent.

Now and then a generated request gets the name of something real, so that what lies behind the first check is asked
too.
"""

import base64
import os
from typing import Any

import schemathesis
from hypothesis import strategies as st

SKUS = ("KI-1010", "KI-1050", "BF-1000")
TOKENS = os.environ["FUZZED_TOKENS"].split(",")


@schemathesis.serializer("application/offset+octet-stream")
def piece(_ctx: Any, value: Any) -> Any:
    return value


def _encoded(**metadata: str) -> str:
    return ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in metadata.items())


@schemathesis.hook
def flatmap_path_parameters(_ctx: Any, found: dict[str, Any] | None) -> st.SearchStrategy[Any]:
    if found and "token" in found:
        return st.sampled_from([found, *({**found, "token": token} for token in TOKENS)])
    if found and "sku" in found:
        return st.sampled_from([found, *({**found, "sku": sku} for sku in SKUS)])
    return st.just(found)


@schemathesis.hook
def flatmap_headers(_ctx: Any, found: Any) -> st.SearchStrategy[Any]:
    if found and "Upload-Metadata" in found:
        good = [_encoded(sku=sku, filename="kettle.mp4") for sku in SKUS]
        return st.sampled_from([found, *({**found, "Upload-Metadata": one} for one in good)])
    return st.just(found)


@schemathesis.hook
def flatmap_body(_ctx: Any, found: Any) -> st.SearchStrategy[Any]:
    if isinstance(found, dict) and isinstance(found.get("items"), list):
        known = [{"sku": sku, "quantity": 1} for sku in SKUS]
        return st.sampled_from([found, *({**found, "items": [one]} for one in known)])
    return st.just(found)
