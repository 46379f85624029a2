"""schemathesis asks a running shop, behind nginx, all that its schema allows and much that it forbids.

It holds each answer against the schema: status, headers, body, media type; that what is wrong is refused and what is
right is taken; that no login is left out, and no method is taken that is not described. `API_CASES=200` asks more of
each operation than the few that every run has time for: 2,000 cases in all.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import orjson
import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.utils import timezone

from orders.models import Order
from shop.api import tokens
from shop.catalogue.importing.importer import Options, import_file
from shop.catalogue.models import Product
from shop.management.commands.prepare import DEMO
from shop.videos.models import Upload, Video
from stack.layout import ROOT
from stack.nginx import AWAY, TEMPLATE, binary, render
from stack.ports import Ports
from tests.waiting import wait_until

HERE = Path(__file__).parent
CASES = int(os.environ.get("API_CASES", "4"))


@pytest.fixture
def shop_url(transactional_db: None, tmp_path: Path) -> Iterator[str]:
    """A web process and nginx before it, with the database of the test."""
    ports = Ports.free()
    found = connection.get_connection_params()
    database = "postgresql://{user}:{password}@{host}:{port}/{dbname}".format(**{"password": "", **found})
    url = f"http://127.0.0.1:{ports.shop}"
    media = tmp_path / "media"
    media.mkdir()
    environment = {
        **os.environ,
        "DATABASE_URL": database,
        "SHOP_URL": url,
        "MEDIA_ROOT": str(media),
        "VIDEO_BACKLOG_HOURS": "1000000",  # nobody works on what is uploaded
        "VIDEO_MAX_BYTES": str(1024**2),  # or hundreds of announcements are more than a disk has room for
    }
    values = {
        "NGINX_USER": "user root root;" if tmp_path.owner() == "root" else "",
        "NGINX_LISTEN": f"127.0.0.1:{ports.shop}",
        "NGINX_WEB": f"127.0.0.1:{ports.web}",
        "NGINX_LIVE": f"127.0.0.1:{ports.live}",
        "NGINX_TEMP": str(tmp_path),
        "NGINX_AWAY": str(AWAY),
        "NGINX_MEDIA": str(media / "public"),
        "NGINX_FILES": str(media),
    }
    (tmp_path / "nginx.conf").write_text(render(TEMPLATE.read_text(), values))
    web = [
        sys.executable,
        "-m",
        "granian",
        "--interface",
        "wsgi",
        "shop.wsgi:application",
        "--host",
        "127.0.0.1",
    ]
    commands: list[list[object]] = [
        [*web, "--port", ports.web, "--no-ws", "--blocking-threads", 4, "--log-level", "warning"],
        [binary(), "-e", "stderr", "-p", tmp_path, "-c", tmp_path / "nginx.conf"],
    ]
    with ExitStack() as stopping, (tmp_path / "log").open("wb") as log:
        for command in commands:
            process = subprocess.Popen(
                [str(part) for part in command],
                cwd=ROOT,
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
            stopping.callback(process.wait)
            stopping.callback(process.terminate)
        wait_until(lambda: _answers(f"{url}/healthz"), "the shop to answer")
        yield url


def _answers(url: str) -> bool:
    return subprocess.run(["curl", "-sf", url], stdout=subprocess.DEVNULL).returncode == 0


def test_schemathesis_finds_nothing(shop_url: str, tmp_path: Path) -> None:
    import_file(DEMO, Options())
    Product.objects.update(picture="")  # static files are not collected here
    example = orjson.loads((ROOT / "shop/api/examples.json").read_bytes())["order_request"]
    Client().post(
        "/api/orders/", example, content_type="application/json", headers={"Idempotency-Key": "first"}
    )
    kettle = Product.objects.get(sku="KI-1010")
    film = {"product": kettle, "filename": "kettle.mp4", "size": 1_000_000}
    upload = Upload.objects.create(**film, expires_at=timezone.now() + timedelta(days=1))
    video = Video.objects.create(**film, source="none")
    known = [Order.objects.get().token, str(upload.token), str(video.token)]
    token = tokens.draw(User.objects.create_superuser("ada", password="irrelevant"))
    done = subprocess.run(
        [
            *(Path(sys.executable).parent / "schemathesis", "--config-file", HERE / "fuzzing.toml"),
            *("run", f"{shop_url}/api/schema/", "--checks", "all", "--max-examples", str(CASES)),
            *("--header", f"Authorization: Token {token}", "--continue-on-failure", "--no-color"),
        ],
        cwd=tmp_path,
        env={
            **os.environ,
            "FUZZED_TOKENS": ",".join(known),
            "PYTHONPATH": str(ROOT),
            "SCHEMATHESIS_HOOKS": "tests.integration.api.fuzzing_hooks",
        },
        capture_output=True,
        text=True,
    )
    sys.stdout.write(done.stdout)  # shown with -rP
    assert done.returncode == 0, done.stdout + done.stderr
    found = re.search(r"(\d+) generated", done.stdout)
    assert found is not None
    assert int(found[1]) >= 300
