"""How a client may ask: addresses, parameters, media types, encodings and conditions. What is not taken is refused as a
problem, and nothing is left out in silence."""

import gzip
import json
from http import HTTPStatus
from typing import Any

import pytest
from django.test import Client
from drf_spectacular.generators import SchemaGenerator

from shop.catalogue.importing.importer import Options, import_file
from shop.catalogue.models import Product
from shop.management.commands.prepare import DEMO
from tests.integration.api.conftest import Api, problem


class TestParameters:
    @pytest.mark.usefixtures("shop")
    @pytest.mark.parametrize("name", ["page_size", "ordering", "format", "Search", "page[]", "\x00"])
    def test_one_that_is_not_known_is_refused(self, client: Client, name: str) -> None:
        found = problem(client.get("/api/products/", {"page": "1", name: "x"}), 400)  # type: ignore[arg-type]
        assert found["errors"] == {
            name: ["There is no such parameter; those here are search, category, page."]
        }

    @pytest.mark.usefixtures("shop")
    def test_one_that_is_given_twice_too(self, api: Api) -> None:
        found = problem(api.get("/api/products/?page=1&page=1&search=mug"), 400)
        assert found["errors"] == {"page": ["It is given more than once."]}

    @pytest.mark.usefixtures("shop")
    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("GET", "/api/products/MUG/"),
            ("HEAD", "/api/products/MUG/"),
            ("GET", "/api/orders/token/"),
            ("POST", "/api/orders/"),
            ("POST", "/api/orders/token/cancel/"),
        ],
    )
    def test_everywhere(self, api: Api, method: str, path: str) -> None:
        answer = api.raw(method, f"{path}?dry_run=1", b"{}", "application/json", **{"Idempotency-Key": "k"})
        assert answer.status_code == 400
        if method != "HEAD":
            assert problem(answer, 400)["errors"] == {
                "dry_run": ["There is no such parameter; none can be given here."]
            }

    def test_a_method_that_is_not_taken_comes_first(self, api: Api) -> None:
        problem(api.raw("DELETE", "/api/products/?force=1", b"", "application/json"), 405)


@pytest.mark.usefixtures("shop")
class TestAccept:
    @pytest.mark.parametrize(
        "accept",
        [
            "",
            "Application/JSON",
            "application/json; charset=utf-8",
            "application/json;q=0.1, text/html",
            "text/html;q=0.9, application/*;q=0.1",
            "*/*;q=0, application/json",
        ],
    )
    def test_json_is_allowed(self, api: Api, accept: str) -> None:
        assert api.get("/api/products/", Accept=accept).status_code == 200

    @pytest.mark.parametrize(
        "accept",
        [
            "text/*",
            "application/json;q=0",
            "*/*, application/json;q=0.0",
            "*/*;q=0",
            "json",
            "application/xml",
        ],
    )
    def test_json_is_forbidden(self, api: Api, accept: str) -> None:
        problem(api.get("/api/products/", Accept=accept), 406)


class TestEncoding:
    @pytest.mark.usefixtures("shop")
    @pytest.mark.parametrize("encoding", ["gzip", "GZIP", "br", "identity, gzip"])
    def test_a_compressed_order(self, api: Api, body: dict[str, Any], encoding: str) -> None:
        sent = gzip.compress(json.dumps(body).encode())
        headers = {"Idempotency-Key": "k", "Content-Encoding": encoding}
        answer = api.raw("POST", "/api/orders/", sent, "application/json", **headers)
        assert problem(answer, 415)["type"].endswith("/api/problems/compressed-body/")
        assert answer["Accept-Encoding"] == "identity"

    @pytest.mark.usefixtures("shop")
    def test_identity_is_none(self, api: Api, body: dict[str, Any]) -> None:
        headers = {"Idempotency-Key": "k", "Content-Encoding": "identity"}
        sent = json.dumps(body).encode()
        assert api.raw("POST", "/api/orders/", sent, "application/json", **headers).status_code == 201

    def test_a_compressed_report_of_a_provider(self, api: Api) -> None:
        sent = gzip.compress(b"{}")
        answer = api.raw(
            "POST", "/webhooks/payments/", sent, "application/json", **{"Content-Encoding": "gzip"}
        )
        problem(answer, 415)


@pytest.mark.usefixtures("shop")
class TestConditions:
    @pytest.mark.parametrize("path", ["/api/products/", "/api/products/MUG/", "/api/products/?search=mug"])
    def test_who_has_it_already_gets_nothing(self, api: Api, path: str) -> None:
        first = api.get(path)
        etag = first["ETag"]
        for known in (etag, f"W/{etag}", f'"other", {etag}', "*"):
            again = api.get(path, **{"If-None-Match": known})
            assert (again.status_code, again.content, again["ETag"]) == (304, b"", etag)
        Product.objects.update(price_minor=7)
        changed = api.get(path, **{"If-None-Match": etag})
        assert changed.status_code == 200
        assert changed["ETag"] != etag

    def test_an_order_too_and_no_cache_keeps_it(self, api: Api, body: dict[str, Any]) -> None:
        path = json.loads(api.order(body).content)["token"]
        first = api.get(f"/api/orders/{path}/")
        assert first["Cache-Control"] == "no-store"
        assert api.get(f"/api/orders/{path}/", **{"If-None-Match": first["ETag"]}).status_code == 304
        api.post(f"/api/orders/{path}/cancel/")
        assert api.get(f"/api/orders/{path}/", **{"If-None-Match": first["ETag"]}).status_code == 200

    def test_head_names_it(self, api: Api) -> None:
        asked = api.raw("HEAD", "/api/products/", b"", "application/json")
        assert (asked.status_code, asked["ETag"]) == (200, api.get("/api/products/")["ETag"])

    def test_another_one_is_wanted(self, api: Api) -> None:
        problem(api.get("/api/products/", **{"If-Match": '"other"'}), 412)


class TestAddresses:
    @pytest.mark.parametrize(
        "path",
        [
            "/api/%0A",
            "/api/orders/%0A/",
            "/api/orders/token%0A/",
            "/api/nothing%0D%0A/more",
            "/api/problems/%0A/",
            "/webhooks/",
            "/webhooks/%0A",
            "/webhooks/nobody/",
        ],
    )
    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_line_ends_and_nothing(self, api: Api, path: str, method: str) -> None:
        assert problem(api.raw(method, path, b"", "application/json"), 404)["type"] == "about:blank"

    @pytest.mark.parametrize("path", ["/api/products/", "/api/nothing/", "/webhooks/payments/"])
    @pytest.mark.parametrize("host", ["elsewhere.example", "a_b", "[::1", "localhost:x"])
    def test_another_host(self, api: Api, path: str, host: str) -> None:
        found = problem(api.get(path, Host=host), HTTPStatus.BAD_REQUEST)
        assert "Host" in found["detail"]
        assert host not in found["detail"]

    def test_a_page_under_another_host_is_a_page(self, client: Client) -> None:
        answer = client.get("/", headers={"Host": "elsewhere.example"})
        assert (answer.status_code, answer["Content-Type"]) == (400, "text/html; charset=utf-8")

    @pytest.mark.parametrize("path", ["/webhooks/payments", "/webhooks/payments/"])
    def test_the_webhook_is_there_with_and_without_its_slash(self, api: Api, path: str) -> None:
        found = problem(api.raw("POST", path, b"{}", "application/json"), 400)
        assert found["type"].endswith("/api/problems/bad-signature/")

    @pytest.mark.parametrize(
        "path", ["/api/orders/", "/api/products/", "/api/problems/invalid-request/", "/webhooks/payments/"]
    )
    def test_trace(self, api: Api, path: str) -> None:
        answer = api.raw("TRACE", path, b"", "application/json")
        problem(answer, 405)
        assert "TRACE" not in answer["Allow"]


def test_the_orders_of_the_schema_are_taken(db: None, api: Api) -> None:
    """By a shop with the demo catalogue; and what the examples say of the answer is so."""
    import_file(DEMO, Options())
    schema = SchemaGenerator().get_schema(public=True)  # type: ignore[no-untyped-call]
    placing = schema["paths"]["/api/orders/"]["post"]
    assert placing["security"] == []
    [example] = placing["responses"]["201"]["content"]["application/json"]["examples"].values()
    orders = placing["requestBody"]["content"]["application/json"]["examples"].values()
    assert len(orders) == 2
    for order in orders:
        answer = api.order(order["value"])
        assert answer.status_code == 201, answer.content
        placed = json.loads(answer.content)
        assert {name: placed[name] for name in ("status", "total", "currency")} == {
            name: example["value"][name] for name in ("status", "total", "currency")
        }
