"""nginx takes the configuration that the containers get, as it takes the laptop's."""

import subprocess
from pathlib import Path

from stack.nginx import TEMPLATE, binary, render
from tests.unit.deploy import composition

TEMPLATES = "/etc/nginx/templates/"


def test_nginx_accepts_what_the_compose_file_fills_in(tmp_path: Path) -> None:
    nginx = composition.services(composition.filled_in())["nginx"]
    values = {**nginx["environment"], "NGINX_LISTEN": "127.0.0.1:8000", "NGINX_TEMP": str(tmp_path)}
    for mount in nginx["volumes"]:
        source, target, _ = mount.split(":")
        if not target.startswith(TEMPLATES):
            continue
        rendered = tmp_path / target.removeprefix(TEMPLATES).removesuffix(".template")
        rendered.parent.mkdir(exist_ok=True)
        rendered.write_text(render(composition.path_of(source).read_text(), values))
    assert "${NGINX_" not in (tmp_path / "nginx.conf").read_text()
    assert "server web:8001 resolve" in (tmp_path / "nginx.conf").read_text()
    tried = subprocess.run(
        [binary(), "-e", "stderr", "-t", "-c", tmp_path / "nginx.conf"], capture_output=True, text=True
    )
    assert tried.returncode == 0, tried.stderr


def test_the_filter_lets_every_name_of_the_template_through() -> None:
    """The image's entrypoint fills in only what its filter names, and an unknown name stays as it is."""
    nginx = composition.services(composition.filled_in())["nginx"]["environment"]
    names = [name for name in nginx if name.startswith("NGINX_") and "ENVSUBST" not in name]
    assert (
        nginx["NGINX_ENVSUBST_FILTER"]
        == f"^NGINX_({'|'.join(name.removeprefix('NGINX_') for name in names)})$"
    )
    assert "${NGINX_" not in render(TEMPLATE.read_text(), nginx)
