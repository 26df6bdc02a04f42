"""What AWS would run as services, in one container: MariaDB that wants TLS, Redis by TLS, two Memcached behind a configuration endpoint."""

from __future__ import annotations

import subprocess
from pathlib import Path

from machines import NETWORK, SERVICES, Podman

NAME = "trust-aws-services"
ENDPOINT = '''
import socketserver
BODY = b"1\\n" + b" ".join(b"HOST|HOST|" + port for port in (b"11212", b"11213")) + b"\\n"
class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        while self.rfile.readline().strip() == b"config get cluster":
            self.wfile.write(b"CONFIG cluster 0 " + str(len(BODY)).encode() + b"\\r\\n" + BODY + b"\\r\\nEND\\r\\n")
socketserver.ThreadingTCPServer.allow_reuse_address = True
socketserver.ThreadingTCPServer(("0.0.0.0", 11211), Handler).serve_forever()
'''.replace("HOST", SERVICES)
SCRIPT = """\
set -eu
export DEBIAN_FRONTEND=noninteractive
apt-get update -q >/dev/null; apt-get install -qy --no-install-recommends mariadb-server redis-server memcached openssl python3 >/dev/null
systemctl stop redis-server memcached
cat > /etc/mysql/mariadb.conf.d/99-test.cnf <<END
[mariadbd]
bind_address = 0.0.0.0
ssl_ca = /srv/tls/ca.pem
ssl_cert = /srv/tls/server.pem
ssl_key = /srv/tls/server.key
require_secure_transport = ON
END
systemctl restart mariadb
mariadb -e "CREATE DATABASE boxoffice CHARACTER SET utf8mb4; CREATE USER boxoffice@'%' IDENTIFIED BY '$DATABASE'; GRANT ALL ON boxoffice.* TO boxoffice@'%'"
redis-server --daemonize yes --port 0 --tls-port 6379 --bind 0.0.0.0 --requirepass "$REDIS" --tls-auth-clients no --protected-mode no \
  --tls-ca-cert-file /srv/tls/ca.pem --tls-cert-file /srv/tls/server.pem --tls-key-file /srv/tls/server.key
for port in 11212 11213; do memcached -d -u nobody -l 0.0.0.0 -p $port; done
systemd-run --quiet --unit=endpoint python3 /srv/endpoint.py
"""


def certificates(folder: Path, names: list[str]) -> None:
    """ca.pem, and server.pem with server.key for all of the names."""
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    run(folder, "req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=test authority", "-days", "2",
        "-addext", "keyUsage=critical,keyCertSign,cRLSign")  # Python 3.13 asks for it
    run(folder, "req", *key, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=services")
    (folder / "names").write_text("subjectAltName=" + ",".join(f"DNS:{name}" for name in names) + "\n", encoding="utf-8")
    signed = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "names", "-days", "2"]
    run(folder, "x509", "-req", "-in", "server.csr", *signed, "-out", "server.pem")


def run(folder: Path, *words: str) -> None:
    subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)


def start(podman: Podman, image: str) -> None:
    """The bare machine: the network of the stack is there from now on."""
    podman("run", "--detach", "--name", NAME, "--network", NETWORK, "--ip", SERVICES, "--systemd", "always", "--cap-add", "NET_ADMIN,NET_RAW",
           "--label", NETWORK, image)  # fmt: skip


def serve(podman: Podman, folder: Path, database: str, redis: str) -> None:
    podman("exec", NAME, "mkdir", "-p", "/srv/tls")
    for name in ("ca.pem", "server.pem", "server.key"):
        podman("cp", str(folder / name), f"{NAME}:/srv/tls/{name}")
    podman("exec", NAME, "chmod", "-R", "a+rX", "/srv/tls")
    podman("exec", "--interactive", NAME, "sh", "-c", "cat > /srv/endpoint.py", given=ENDPOINT)
    podman("exec", "--env", f"DATABASE={database}", "--env", f"REDIS={redis}", NAME, "sh", "-c", SCRIPT)
