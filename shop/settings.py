"""Django's settings: what comes from outside is read and checked in shop.environment, the rest stands here.

Workers, relay, web and live share this one file, so that a setting means the same everywhere.
"""

from pathlib import Path
from typing import Any

import dj_database_url
import dj_email_url
from csp.constants import NONE, SELF
from whitenoise.compress import Compressor

from shop import desk, storing
from shop.environment import read_environment

BASE_DIR = Path(__file__).resolve().parent.parent
ENVIRONMENT = read_environment()

DEBUG = ENVIRONMENT.debug
SECRET_KEY = ENVIRONMENT.secret_key
ALLOWED_HOSTS = ENVIRONMENT.allowed_hosts
SHOP_URL = ENVIRONMENT.shop_url.rstrip("/")
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
    "rest_framework",
    "rest_framework.authtoken",  # programs that upload
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "shop",
    "shop.catalogue",
    "shop.videos",
    "orders",
    "workers",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "shop.security.ContentSecurityPolicyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "shop.outage.OutageMiddleware",
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

_database = dj_database_url.parse(ENVIRONMENT.database_url)
DATABASES = {
    "default": {
        **_database,
        "ENGINE": "orders.database",
        # A connection lives as long as its thread: a new one for each request costs more than the request itself.
        "CONN_MAX_AGE": None,
        "OPTIONS": {
            # A server that died must be noticed within seconds, not when TCP gives up.
            "connect_timeout": 3,
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": 15_000,  # milliseconds
            # orders.sql keeps its statements prepared; the ORM's own go on without.
            "prepare_threshold": 2,
            **_database.get("OPTIONS", {}),  # what DATABASE_URL asks for, such as ?sslmode=require
        },
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
USE_I18N = True
USE_TZ = True

STATIC_URL = "/static/"
STATIC_ROOT = ENVIRONMENT.static_root
MEDIA_ROOT = ENVIRONMENT.media_root
MEDIA_URL = "/media/"
STORAGES: dict[str, dict[str, Any]] = {
    **storing.storages(ENVIRONMENT, MEDIA_URL),
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
# Source maps too: only who debugs loads them, and to compress them took longer than all else together.
WHITENOISE_SKIP_COMPRESS_EXTENSIONS = (*Compressor.SKIP_COMPRESS_EXTENSIONS, "map")

# Threads of each encoder (0: the processors divided among a pool's processes), and how much video one task encodes.
MEDIA_THREADS = ENVIRONMENT.media_threads
MEDIA_SEGMENT_SECONDS = ENVIRONMENT.media_segment_seconds

# Nothing is loaded from elsewhere. The admin gets a policy of its own in shop.security, and so do videos in a bucket.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "media-src": [SELF, "blob:"],  # what hls.js puts together in the page is a blob
        "connect-src": [SELF],
        "manifest-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"  # an order page's token must not travel to other sites
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_HTTPONLY = True
# nginx in front says how the visitor came; nobody else reaches the web process.
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_SSL_REDIRECT = SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = ENVIRONMENT.secure
SECURE_REDIRECT_EXEMPT = [r"^(healthz|livez)$"]  # health checks speak plain HTTP inside the house
SECURE_HSTS_SECONDS = 31_536_000 if ENVIRONMENT.secure else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = ENVIRONMENT.secure

# Money: amounts are integers of this currency's minor unit.
CURRENCY = ENVIRONMENT.currency
# Who sells, as invoices say it; each invoice keeps it as it stood when it was issued.
SELLER = ENVIRONMENT.seller
# The same for machines, as EN 16931 has it; without a number an invoice carries no data beside its picture.
SELLER_VAT_ID = ENVIRONMENT.seller_vat_id
SELLER_COUNTRY = ENVIRONMENT.seller_country

# How large an uploaded video may be, and for how long the encoders may have work before more is refused.
VIDEO_MAX_BYTES = ENVIRONMENT.video_max_bytes
VIDEO_BACKLOG_HOURS = ENVIRONMENT.video_backlog_hours

# The world outside; a gateway is "sandbox" or the dotted path of a class, and for payments "stripe" too.
PAYMENT_GATEWAY = ENVIRONMENT.payment_gateway
PAYMENTS_URL = ENVIRONMENT.payments_url.rstrip("/")
PAYMENTS_WEBHOOK_SECRET = ENVIRONMENT.payments_webhook_secret
STRIPE_API_KEY = ENVIRONMENT.stripe_api_key
STRIPE_API_BASE = ENVIRONMENT.stripe_api_base.rstrip("/")
STRIPE_WEBHOOK_SECRET = ENVIRONMENT.stripe_webhook_secret
SMS_GATEWAY = ENVIRONMENT.sms_gateway
SMS_URL = ENVIRONMENT.sms_url.rstrip("/")
CARRIER_GATEWAY = ENVIRONMENT.carrier_gateway
CARRIER_URL = ENVIRONMENT.carrier_url.rstrip("/")
FLOWER_URL = ENVIRONMENT.flower_url
MAILBOX_URL = ENVIRONMENT.mailbox_url
# Where the relay serves its figures, "host:port"; "" is nowhere.
METRICS_LISTEN = ENVIRONMENT.metrics_listen
UNFOLD = desk.unfold(flower_url=FLOWER_URL, mailbox_url=MAILBOX_URL)
# Who tells the desk in a sentence what an order is waiting for: whoever drives it, and that `orders` may not import.
ORDER_EXPLAINED_BY = "workers.why.sentence"
# Makes the short-lived links through which the desk hands out printouts, and that `orders` may not import either.
FILES_LINKED_BY = "shop.downloads.link_to"

_email = dj_email_url.parse(ENVIRONMENT.email_url)
EMAIL_BACKEND = _email["EMAIL_BACKEND"]
if EMAIL_BACKEND == "django.core.mail.backends.smtp.EmailBackend":
    EMAIL_BACKEND = "orders.notifications.pipelining.PipeliningBackend"
EMAIL_HOST, EMAIL_PORT = _email["EMAIL_HOST"], _email["EMAIL_PORT"]
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = _email["EMAIL_HOST_USER"], _email["EMAIL_HOST_PASSWORD"]
EMAIL_USE_TLS, EMAIL_USE_SSL = _email["EMAIL_USE_TLS"], _email["EMAIL_USE_SSL"]
EMAIL_TIMEOUT = 10  # seconds
DEFAULT_FROM_EMAIL = ENVIRONMENT.mail_from

BROKER_URL = ENVIRONMENT.broker_url

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [],  # guests; an order is reached by its unguessable token
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.AllowAny"],
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
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    # Or Swagger UI shows the badge of a validator on the internet, and tells it of our schema.
    "SWAGGER_UI_SETTINGS": {"deepLinking": True, "validatorUrl": None},
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {"handlers": ["console"], "level": ENVIRONMENT.log_level},
    "loggers": {"stripe": {"level": "WARNING"}},  # a line for each request and one for its answer
}
