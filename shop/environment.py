"""Reads the environment once, checks it whole, and says everything that is wrong at once.

Whoever starts a process with half its settings learns all that is missing in one go, not one variable a try.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured
from environs import Env, EnvValidationError, ValidationError, validate

# Name, address and tax number as invoices show them, and the tax number as machines read it.
DEFAULT_SELLER = "Stampede Ltd\n1 Crowd Street\nLondon EC1A 1AA\nGB VAT 000 0000 00"
DEFAULT_SELLER_VAT_ID = "GB000000000"


@dataclass(frozen=True)
class Environment:
    """Every setting that comes from outside; URLs without a trailing slash, money in the currency's minor unit."""

    debug: bool
    secret_key: str
    allowed_hosts: list[str]
    shop_url: str
    database_url: str
    broker_url: str
    email_url: str
    mail_from: str
    currency: str
    seller: str
    seller_vat_id: str
    seller_country: str
    payment_gateway: str
    payments_url: str
    payments_webhook_secret: str
    stripe_api_key: str
    stripe_api_base: str
    stripe_webhook_secret: str
    sms_gateway: str
    sms_url: str
    carrier_gateway: str
    carrier_url: str
    media_root: str
    media_threads: int
    media_segment_seconds: int
    media_bucket: str
    media_endpoint: str
    media_region: str
    media_access_key: str
    media_secret_key: str
    media_public_url: str
    video_max_bytes: int
    video_backlog_hours: int
    static_root: str
    flower_url: str
    mailbox_url: str
    metrics_listen: str
    log_level: str
    secure: bool


def read_environment() -> Environment:
    """Read and check all variables; raises ImproperlyConfigured that lists every problem, a line each."""
    env = Env(eager=False)
    url = validate.URL(require_tld=False, schemes={"http", "https"})
    gateway = env.str("PAYMENT_GATEWAY", "sandbox") or "sandbox"
    stripe = gateway == "stripe"
    bucket = env.str("MEDIA_BUCKET", "")
    found = Environment(
        debug=env.bool("DEBUG", False),
        secret_key=env.str("SECRET_KEY", validate=validate.Length(min=50)),
        allowed_hosts=env.list("ALLOWED_HOSTS", default=[]),
        shop_url=env.str("SHOP_URL", validate=url),
        database_url=env.str("DATABASE_URL", validate=_scheme("postgres", "postgresql")),
        broker_url=env.str("BROKER_URL", validate=_scheme("redis", "rediss", "unix")),
        email_url=env.str("EMAIL_URL", validate=_scheme("smtp", "smtps", "submission", "console", "dummy")),
        mail_from=env.str("MAIL_FROM"),
        currency=env.str("CURRENCY", "GBP", validate=validate.Regexp(r"^[A-Z]{3}$")),
        # On one line where a file of variables knows no other: "\\n" stands for the end of a line.
        seller=env.str("SELLER", DEFAULT_SELLER, validate=validate.Length(min=1)).replace("\\n", "\n"),
        # Whoever names a seller names its number too, or none: the default's would be a lie.
        seller_vat_id=env.str(
            "SELLER_VAT_ID",
            "" if env.str("SELLER", "") else DEFAULT_SELLER_VAT_ID,
            validate=validate.Regexp(r"^([A-Z]{2}[0-9A-Z+*]{2,16})?$"),
        ),
        seller_country=env.str("SELLER_COUNTRY", "GB", validate=validate.Regexp(r"^[A-Z]{2}$")),
        payment_gateway=gateway,
        payments_url=env.str("PAYMENTS_URL", **_needed_unless(stripe, url)),
        payments_webhook_secret=env.str(
            "PAYMENTS_WEBHOOK_SECRET", **_needed_unless(stripe, validate.Length(min=16))
        ),
        stripe_api_key=env.str(
            "STRIPE_API_KEY", **_needed_unless(not stripe, validate.Regexp(r"^(sk|rk)_\w{5,}$"))
        ),
        stripe_api_base=env.str("STRIPE_API_BASE", "https://api.stripe.com", validate=url),
        stripe_webhook_secret=env.str(
            "STRIPE_WEBHOOK_SECRET", **_needed_unless(not stripe, validate.Length(min=16))
        ),
        sms_gateway=env.str("SMS_GATEWAY", "sandbox"),
        sms_url=env.str("SMS_URL", validate=url),
        carrier_gateway=env.str("CARRIER_GATEWAY", "sandbox"),
        carrier_url=env.str("CARRIER_URL", validate=url),
        media_root=env.str("MEDIA_ROOT"),
        media_threads=env.int("MEDIA_THREADS", 0, validate=validate.Range(min=0, max=64)),
        media_segment_seconds=env.int("MEDIA_SEGMENT_SECONDS", 8, validate=validate.Range(min=2, max=60)),
        media_bucket=bucket,
        # Empty: Amazon's own, and the credentials where its programs look for them.
        media_endpoint=env.str("MEDIA_ENDPOINT", "", validate=_empty_or(url)),
        media_region=env.str("MEDIA_REGION", ""),
        media_access_key=env.str("MEDIA_ACCESS_KEY", ""),
        media_secret_key=env.str("MEDIA_SECRET_KEY", ""),
        media_public_url=env.str("MEDIA_PUBLIC_URL", **_needed_unless(not bucket, url)),
        video_max_bytes=env.int("VIDEO_MAX_BYTES", 20 * 1024**3, validate=validate.Range(min=1024**2)),
        video_backlog_hours=env.int("VIDEO_BACKLOG_HOURS", 12, validate=validate.Range(min=1)),
        static_root=env.str("STATIC_ROOT"),
        flower_url=env.str("FLOWER_URL", ""),
        mailbox_url=env.str("MAILBOX_URL", ""),
        metrics_listen=env.str("METRICS_LISTEN", "", validate=validate.Regexp(r"^(\S+:\d{1,5})?$")),
        log_level=env.str(
            "LOG_LEVEL", "INFO", validate=validate.OneOf(["DEBUG", "INFO", "WARNING", "ERROR"])
        ),
        secure=env.bool("SECURE", (env.str("SHOP_URL", "") or "").startswith("https://")),
    )
    try:
        env.seal()
    except EnvValidationError as problems:
        found_wrong = cast(Mapping[str, list[str]], problems.error_messages)
        lines = [f"  {name}: {' '.join(reasons)}" for name, reasons in sorted(found_wrong.items())]
        raise ImproperlyConfigured(
            "The environment is not complete:\n"
            + "\n".join(lines)
            + "\n.env.example names every variable with an example; `./dev` sets them all by itself."
        ) from None
    return found


def _needed_unless(other: bool, check: Callable[[str], object]) -> dict[str, Any]:
    """How to read what one payment gateway needs: when the `other` is chosen it may be absent, and is not looked at."""
    return {"default": ""} if other else {"validate": check}


def _empty_or(check: Callable[[str], object]) -> Callable[[str], None]:
    def checked(value: str) -> None:
        if value:
            check(value)

    return checked


def _scheme(*allowed: str) -> Callable[[str], None]:
    def check(value: str) -> None:
        if urlsplit(value).scheme not in allowed:
            raise ValidationError(
                f"must be a URL that begins with {' or '.join(f'{name}://' for name in allowed)}."
            )

    return check
