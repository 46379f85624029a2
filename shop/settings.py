"""Django's settings: first those that come from outside, then those that follow from them or never change.

What comes from outside is declared once, with its type, its limits and the words that explain it: the line above a
declaration and the declaration make .env.example (`./dev manage env_example` writes it anew). All processes share this
file, so that a setting means the same everywhere.
"""

from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import dj_database_url
import dj_email_url
from csp.constants import NONE, SELF
from pydantic import AfterValidator
from whitenoise.compress import Compressor

from shop import admin_menu, logs, storing
from shop.environment import (
    HTTP,
    URL,
    ComposeOnly,
    Names,
    begins_with,
    must_be,
    needed_if,
    read,
    sender,
    time_zone,
    variable,
)

BASE_DIR = Path(__file__).resolve().parent.parent
_SELLER = "Stampede Ltd\n1 Crowd Street\nLondon EC1A 1AA\nGB VAT 000 0000 00"
_LONG = must_be("16 characters or more", ".{16,}")
_GATEWAY = AfterValidator(lambda name: name or "sandbox")
_WITH_STRIPE = needed_if("PAYMENT_GATEWAY", lambda gateway: gateway == "stripe")
_WITHOUT_STRIPE = needed_if("PAYMENT_GATEWAY", lambda gateway: gateway != "stripe")

# Settings of a server: `cp .env.example .env`, fill in what is empty, and keep .env to yourself (chmod 600).
# docker-compose.yml reads it, and so can systemd (EnvironmentFile=) where there is no Docker. With the secrets filled
# in it runs a shop to try on one machine, with the providers of the sandbox instead of real ones.
# A line that begins with "#" and a name shows the default, or an example where there is none.

# -- The shop

# Signs sessions and forms. 50 characters or more: openssl rand -hex 32
SECRET_KEY: str = variable(..., must_be("50 characters or more", ".{50,}"), sets="")
# Where people find the shop. With https:// cookies are sent over TLS alone and plain requests are redirected.
SHOP_URL: str = variable(..., URL, sets="http://127.0.0.1:8000")
# The names it answers to, with commas. "nginx" is for the webhooks of the sandbox: leave it out where there is none.
ALLOWED_HOSTS: Names = variable("", sets="127.0.0.1,localhost,nginx")
# Shows errors with all their details to everybody: never on a server.
DEBUG: bool = variable(False)
# Cookies over TLS alone, redirects and HSTS; follows SHOP_URL if not given.
SECURE: bool = variable(lambda given: given["SHOP_URL"].startswith("https://"), shown="true")
# Prices are in this currency (ISO 4217).
CURRENCY: str = variable("GBP", must_be("three capital letters, such as GBP", "[A-Z]{3}"))
# Name, address and tax number for invoices; \n ends a line.
SELLER: str = variable(
    _SELLER, must_be("a name with an address", ".+", lambda text: text.replace("\\n", "\n"))
)
# The tax number and country (ISO 3166) once more for machines: they make each invoice an e-invoice (Factur-X).
# Without a number invoices are PDFs alone. A SELLER of your own has none until you give it here.
SELLER_VAT_ID: str = variable(
    lambda given: "GB000000000" if given["SELLER"] == _SELLER else "",
    must_be("empty, or a country code with a number, such as GB123456789", "([A-Z]{2}[0-9A-Z+*]{2,16})?"),
    shown="GB000000000",
)
SELLER_COUNTRY: str = variable("GB", must_be("two capital letters, such as GB", "[A-Z]{2}"))
# Days and hours on documents and at the desk are those of this time zone, such as Europe/London.
TIME_ZONE: str = variable("UTC", AfterValidator(time_zone))
# The least important lines that are logged: DEBUG, INFO, WARNING or ERROR
LOG_LEVEL: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = variable("INFO")
# Lines for programs ("json", an object each) or for people ("console")
LOG_FORMAT: Literal["json", "console"] = variable("json")

# How many orders to be paid at the door are taken within a day for one e-mail address, one phone or one postal address;
# 0: any number.
CASH_ORDERS_A_DAY: int = variable(5, ge=0)
# For how long goods are set aside for a buyer whose bank asks for a confirmation, in minutes.
PAYMENT_HOLD_MINUTES: int = variable(30, ge=5, le=1440)

# -- Databases

# Letters and digits only, because they stand in URLs: openssl rand -hex 24
POSTGRES_PASSWORD: ComposeOnly = variable(sets="")
VALKEY_PASSWORD: ComposeOnly = variable(sets="")
# Servers of your own instead of the two in docker-compose.yml: start it with `--scale postgres=0 --scale valkey=0`.
DATABASE_URL: str = variable(
    ...,
    begins_with("postgresql", "postgres"),
    shown="postgresql://stampede:password@db.example.com:5432/stampede",
)
BROKER_URL: str = variable(
    ..., begins_with("redis", "rediss", "unix"), shown="rediss://:password@broker.example.com:6379/0"
)
# ... and then this must be false, because they are outside.
DATA_NETWORK_INTERNAL: ComposeOnly = variable("true")

# -- Payments, e-mail, SMS, carrier: those of the sandbox here

# "sandbox", "stripe", or the dotted path of a class that has the same methods (orders/payments/gateway.py)
PAYMENT_GATEWAY: str = variable("sandbox", _GATEWAY)
# Where the payment provider is. For every gateway but stripe.
PAYMENTS_URL: str = variable("", URL, _WITHOUT_STRIPE, sets="http://sandbox-payments:8006")
# What it signs its webhooks with (to SHOP_URL/webhooks/payments/). 16 characters or more.
PAYMENTS_WEBHOOK_SECRET: str = variable("", _LONG, _WITHOUT_STRIPE, sets="")
# For stripe: its secret key, or a restricted one that may write PaymentIntents and Refunds, and read Charges and
# Disputes.
STRIPE_API_KEY: str = variable(
    "", must_be("a key that begins with sk_ or rk_", r"(sk|rk)_\w{5,}"), _WITH_STRIPE, shown="sk_test_…"
)
# The signing secret of the endpoint SHOP_URL/webhooks/payments/, which is to hear of payment_intent.*, charge.* and
# refund.*
STRIPE_WEBHOOK_SECRET: str = variable("", _LONG, _WITH_STRIPE, shown="whsec_…")
# Where the API of Stripe is; another address is for tests.
STRIPE_API_BASE: str = variable("https://api.stripe.com", URL)
# smtp://, submission:// (port 587 with STARTTLS) or smtps://user:password@host:port
EMAIL_URL: str = variable(
    ..., begins_with("smtp", "submission", "smtps", "console", "dummy"), sets="smtp://sandbox-mailbox:8005"
)
MAIL_FROM: str = variable(..., AfterValidator(sender), sets="Stampede <orders@stampede.example>")
# "sandbox" or the dotted path of a class, for SMS and for parcels
SMS_GATEWAY: str = variable("sandbox", _GATEWAY)
SMS_URL: str = variable(..., URL, sets="http://sandbox-sms:8007")
CARRIER_GATEWAY: str = variable("sandbox", _GATEWAY)
CARRIER_URL: str = variable(..., URL, sets="http://sandbox-carrier:8008")

# -- Videos and files

# Threads of each encoder; 0 divides the processors among the processes of a pool.
MEDIA_THREADS: int = variable(0, ge=0, le=64)
# The longest stretch of video, in seconds, that one worker encodes at a time. One that is killed loses no more.
MEDIA_SEGMENT_SECONDS: int = variable(8, ge=2, le=60)
# How many processes may encode at once, each with an ffmpeg of its own: the processors that videos may have.
MEDIA_PROCESSES: ComposeOnly = variable("2")
# The memory for all of them together; an ffmpeg at work on a large picture may want one gigabyte.
MEDIA_MEMORY: ComposeOnly = variable("3G")
# The largest video that is taken (bytes, 20 GiB), and for how many hours the encoders may have work before no more is.
VIDEO_MAX_BYTES: int = variable(20 * 1024**3, ge=1024**2)
VIDEO_BACKLOG_HOURS: int = variable(12, ge=1)
# An object storage (S3) for uploads and videos, instead of the volume "media" here: the name of its bucket. Let the
# world read what begins with "public/" in it, and nothing else.
MEDIA_BUCKET: str = variable("", shown="stampede-media")
# Where the root of the bucket is for browsers; its own address, or that of a CDN in front of it.
MEDIA_PUBLIC_URL: str = variable("", URL, needed_if("MEDIA_BUCKET", bool), shown="https://media.example.com")
# The address of an object storage that is not from Amazon.
MEDIA_ENDPOINT: str = variable(
    "",
    must_be("empty, or a URL that begins with http:// or https://", f"({HTTP})?"),
    shown="https://s3.example.com",
)
MEDIA_REGION: str = variable("", shown="eu-west-2")
# Credentials; empty where the machine itself has a role.
MEDIA_ACCESS_KEY: str = variable("")
MEDIA_SECRET_KEY: str = variable("")

# -- The operator's desk

# The password of the login "admin" for Flower.
FLOWER_PASSWORD: ComposeOnly = variable(sets="")
# Links in the menu of the operator's desk, where not empty. Both listen on the loopback of the server alone.
FLOWER_URL: str = variable("", sets="http://127.0.0.1:8003")
MAILBOX_URL: str = variable("", sets="http://127.0.0.1:8004")

# -- Docker

# Remove this line when the providers are real.
COMPOSE_PROFILES: ComposeOnly = variable(sets="sandbox")
# Where nginx listens on the server: address and port. Whatever ends TLS stands before it, and alone reaches it.
SHOP_BIND: ComposeOnly = variable("127.0.0.1:8000")
# An image that was built elsewhere.
STAMPEDE_IMAGE: ComposeOnly = variable("stampede:latest")
# Given to `prepare`, it makes the login "admin" with this password if there is none.
DEMO_ADMIN_PASSWORD: ComposeOnly = variable("")

# -- Without Docker (the image sets them)

# Where invoices are kept, and where static files are collected to.
MEDIA_ROOT: str = variable(shown="/srv/media")
STATIC_ROOT: str = variable(shown="/srv/static")
# Where the relay serves its figures for Prometheus; not set, nowhere. Never where strangers reach it.
METRICS_LISTEN: str = variable(
    "", must_be("empty, or a host with a port", r"(\S+:\d{1,5})?"), shown="127.0.0.1:8009"
)

variables = read(globals())

CSRF_TRUSTED_ORIGINS = [SHOP_URL]

INSTALLED_APPS = [
    "unfold",
    # The simple config: only the web process imports the admin's modules (shop/urls.py), workers start without them.
    "django.contrib.admin.apps.SimpleAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django.contrib.humanize",
    "django_htmx",
    "csp",
    "axes",
    "shop",  # before REST framework's tokens: its drf_create_token is ours
    "rest_framework",
    "rest_framework.authtoken",  # programs that upload
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "shop.cart",
    "shop.catalogue",
    "shop.videos",
    "orders",
    "workers",
]
MIDDLEWARE = [
    "shop.logs.request_id",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "shop.security.ContentSecurityPolicyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "shop.security.believe_the_browser",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "shop.outage.OutageMiddleware",
    "axes.middleware.AxesMiddleware",
]
ROOT_URLCONF = "shop.urls"
WSGI_APPLICATION = "shop.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "shop" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "shop.context.storefront",
            ]
        },
    },
    {
        "BACKEND": "django.template.backends.jinja2.Jinja2",
        "APP_DIRS": True,
        "OPTIONS": {"environment": "orders.notifications.templates.environment"},
    },
]

_database = dj_database_url.parse(DATABASE_URL)
DATABASES = {
    "default": {
        **_database,
        "ENGINE": "orders.database",
        # A connection lives as long as its thread: a new one for each request costs more than the request itself.
        "CONN_MAX_AGE": None,
        "OPTIONS": {
            # A server that does not answer must be noticed within seconds, not when TCP gives up. What both sides do
            # when the other's host vanishes later is in orders.database.vanishing.
            "connect_timeout": 3,
            # orders.sql keeps its statements prepared; the ORM's own go on without.
            "prepare_threshold": 2,
            **_database.get("OPTIONS", {}),  # what DATABASE_URL asks for, such as ?sslmode=require
        },
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}Validator"}
    for name in ("UserAttributeSimilarity", "MinimumLength", "CommonPassword", "NumericPassword")
]

# After ten wrong passwords a name is locked for where they came from, and nobody else: whoever knows a name must not be
# able to lock its owner out. Counted in the database, because each web process has a cache of its own.
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_RESET_ON_SUCCESS = True
AXES_CLIENT_IP_CALLABLE = "shop.signing_in.visitor"
AXES_LOCKOUT_CALLABLE = "shop.signing_in.locked_out"
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False
AXES_SENSITIVE_PARAMETERS = [
    "password"
]  # not name and address: who is locked out is what the log is read for

LANGUAGE_CODE = "en-gb"

STATIC_URL = "/static/"
MEDIA_URL = "/media/"
STORAGES: dict[str, dict[str, Any]] = {
    **storing.storages(globals()),
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
# Source maps too: only who debugs loads them, and to compress them took longer than all else together.
WHITENOISE_SKIP_COMPRESS_EXTENSIONS = (*Compressor.SKIP_COMPRESS_EXTENSIONS, "map")

# Nothing is loaded from elsewhere. The admin gets a policy of its own in shop.security, and so do videos in a bucket.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        **{part: [NONE] for part in ("default-src", "base-uri", "frame-ancestors")},
        **{part: [SELF] for part in ("script-src", "style-src", "font-src", "connect-src", "manifest-src")},
        "form-action": [SELF],
        "img-src": [SELF, "data:"],
        "media-src": [SELF, "blob:"],  # what hls.js puts together in the page is a blob
    }
}
SECURE_REFERRER_POLICY = "same-origin"  # an order page's token must not travel to other sites
# nginx in front says how the visitor came; nobody else reaches the web process.
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_SSL_REDIRECT = SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE
SECURE_REDIRECT_EXEMPT = [r"^(healthz|livez)$"]  # health checks speak plain HTTP, behind nginx
SECURE_HSTS_SECONDS = 31_536_000 if SECURE else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = SECURE

UNFOLD = admin_menu.unfold(flower_url=FLOWER_URL, mailbox_url=MAILBOX_URL)
# `orders` may import neither: what tells the operator in a sentence what an order is waiting for,
ORDER_EXPLAINED_BY = "workers.why.sentence"
# what an address may look like that the desk corrects,
ADDRESS_CHECKED_BY = "shop.checkout.correcting.checked"
# and what makes the short-lived links to printouts.
FILES_LINKED_BY = "shop.downloads.link_to"

globals().update(dj_email_url.parse(EMAIL_URL))
if EMAIL_URL.startswith(("smtp", "submission")):
    EMAIL_BACKEND = "orders.notifications.pipelining.PipeliningBackend"
EMAIL_TIMEOUT = 10  # seconds
DEFAULT_FROM_EMAIL = MAIL_FROM

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [],  # guests; who has the token of an order, which nobody can guess, sees it
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "UNAUTHENTICATED_USER": None,
    "EXCEPTION_HANDLER": "shop.api.problems.answer",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Stampede",
    "DESCRIPTION": "Browse the catalogue, place an order with an idempotency key, follow it to its end.",
    "VERSION": "1.0.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "shop.api.schema.for_guests",
    ],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    # Or Swagger UI shows the badge of a validator on the internet, and tells it of our schema.
    "SWAGGER_UI_SETTINGS": {"deepLinking": True, "validatorUrl": None},
}

LOGGING = logs.configuration(LOG_LEVEL, LOG_FORMAT)
