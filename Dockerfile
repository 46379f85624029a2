# One image for every process of the shop; docker-compose.yml says which of them a container is.
#
# Python is the version that the tests run on: what was tried is what is served.
ARG PYTHON=3.11

FROM python:${PYTHON}-slim AS packages
WORKDIR /build
COPY requirements.txt deploy/requirements.in ./
# uv comes in the version and with the hashes of the lock, as in ./dev. It then installs what a server needs, and
# checks the hash of every file, of dependencies too, against the same lock.
RUN sed -n '/^uv==/,/[^\\]$/p' requirements.txt >uv.txt \
    && pip install --no-cache-dir --no-deps --require-hashes --only-binary=:all: -r uv.txt \
    && uv venv --python /usr/local/bin/python /opt/venv \
    && uv pip install --no-cache --python /opt/venv --only-binary=:all: --compile-bytecode \
        -r requirements.in -c requirements.txt

FROM python:${PYTHON}-slim
LABEL org.opencontainers.image.title="Stampede" org.opencontainers.image.licenses="Apache-2.0"

# The folders are what volumes are mounted on: a new volume takes over their owner.
RUN useradd --system --uid 10001 --user-group --no-create-home --home-dir /tmp --shell /usr/sbin/nologin stampede \
    && install -d -o stampede -g stampede /srv/static /srv/media /srv/ledgers

COPY --from=packages /opt/venv /opt/venv
# Dead letters say which code gave up: docker compose build --build-arg VERSION=$(git describe --tags --always --dirty)
ARG VERSION=
ENV STAMPEDE_VERSION=${VERSION}

ENV PATH=/opt/venv/bin:$PATH \
    PYTHONPATH=/srv/stampede \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DJANGO_SETTINGS_MODULE=shop.settings \
    HOME=/tmp \
    TZ=UTC \
    STATIC_ROOT=/srv/static \
    MEDIA_ROOT=/srv/media

WORKDIR /srv/stampede
COPY manage.py ./
COPY deploy deploy
COPY sandbox sandbox
COPY orders orders
COPY workers workers
COPY shop shop
# Static files are not collected here but by `manage.py prepare`, into a volume: after an upgrade, pages that are still
# open in a browser find the old files there beside the new ones.
RUN python -m compileall -q .

USER stampede
STOPSIGNAL SIGTERM
CMD ["granian", "--interface", "wsgi", "shop.wsgi:application", "--host", "0.0.0.0", "--port", "8001", "--no-ws", "--respawn-failed-workers", "--workers", "2", "--blocking-threads", "4", "--log-level", "warning"]
