"""A real control plane that audits into a list, with clients at addresses of their own.

What a single machine cannot give is made up here and nowhere else: a kubelet that lets sessions through,
and clients on 127.0.0.2 and up, which Linux takes for this machine as well.
"""

import base64
import datetime
import http.client
import http.server
import json
import os
import socket
import ssl
import subprocess
import threading
import time
import uuid

HERE = os.path.dirname(os.path.abspath(__file__))
COMPONENTS = os.path.join(HERE, "..", "components")
KUBECTL = "kubectl/v1.33.4 (linux/amd64) kubernetes/74cdb42"


def cache_bin():
    """Where `scripts/tools.sh kube` puts etcd and kube-apiserver."""
    return os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "vedette", "bin")


def free_ports(number):
    sockets = [socket.socket() for _ in range(number)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


class Quiet(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass


def serve(handler, context=None):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


class Receiver:
    """Takes what the audit webhook posts, as it is."""

    def __init__(self):
        self.posts, self.lock = [], threading.Lock()
        posts, lock = self.posts, self.lock

        class Handler(Quiet):
            def do_POST(self):
                if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
                    body = b""
                    while size := int(self.rfile.readline().split(b";")[0], 16):
                        body += self.rfile.read(size)
                        self.rfile.readline()
                    self.rfile.readline()
                else:
                    body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                with lock:
                    posts.append(body)
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

        self.port = serve(Handler).server_port

    def lines(self):
        """One list a line. A raw newline is no part of a JSON string, so taking it out changes nothing."""
        with self.lock:
            return [post.strip().replace(b"\n", b"") for post in self.posts]

    def stages(self):
        """The stages that were told of each request."""
        stages = {}
        for line in self.lines():
            for event in json.loads(line)["items"]:
                stages.setdefault(event["auditID"], []).append(event["stage"])
        return stages


class Kubelet(Quiet):
    """Switches protocols as a kubelet does, and says nothing until the other side hangs up."""

    def session(self):
        upgrade = self.headers.get("Upgrade")
        self.send_response(101 if upgrade else 200)
        if upgrade:
            self.send_header("Connection", "Upgrade")
            self.send_header("Upgrade", upgrade)
            offered = self.headers.get("X-Stream-Protocol-Version") or "v4.channel.k8s.io"
            self.send_header("X-Stream-Protocol-Version", offered.split(",")[0])
            self.end_headers()
            self.wfile.flush()
            hear_out(self.connection, 60)
        else:
            self.send_header("Content-Length", "6")
            self.end_headers()
            self.wfile.write(b"ready\n")
        self.close_connection = True

    do_GET = do_POST = session


class Plane:
    """etcd, kube-apiserver, a kubelet. `with` ends what it started."""

    def __init__(self, folder, bin):
        self.dir, self.receiver, self.processes = folder, Receiver(), []
        webhook = f"{folder}/webhook.kubeconfig"
        with open(webhook, "w") as out:
            json.dump(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "current-context": "webhook",
                    "clusters": [{"name": "webhook", "cluster": {"server": f"http://127.0.0.1:{self.receiver.port}/audit"}}],
                    "users": [{"name": "apiserver", "user": {}}],
                    "contexts": [{"name": "webhook", "context": {"cluster": "webhook", "user": "apiserver"}}],
                },
                out,
            )
        ports = free_ports(3)
        subprocess.run(
            ["bash", f"{COMPONENTS}/control-plane.sh", "prepare", folder],
            check=True,
            env={
                **os.environ,
                "KUBE_BIN": bin,
                "PORTS": " ".join(map(str, ports)),
                "AUDIT_POLICY": f"{HERE}/audit-policy.yaml",
                "AUDIT_WEBHOOK_CONFIG": webhook,
            },
        )
        self.port = ports[2]
        try:
            self.start(f"{bin}/etcd", "etcd.args", lambda: plain(ports[0], "/health"))
            self.start(f"{bin}/kube-apiserver", "apiserver.args", lambda: self.admin("ready").raw("GET", "/readyz")[0] == 200)
        except BaseException:
            self.stop()
            raise
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(f"{folder}/pki/apiserver.crt", f"{folder}/pki/apiserver.key")
        self.kubelet_port = serve(Kubelet, context).server_port

    def start(self, program, arguments, ready):
        name = os.path.basename(program)
        with open(f"{self.dir}/{arguments}") as file, open(f"{self.dir}/{name}.log", "w") as log:
            process = subprocess.Popen([program, *file.read().splitlines()], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.processes.append(process)
        for _ in range(900):
            try:
                if ready():
                    return
            except (OSError, http.client.HTTPException):
                pass
            if process.poll() is not None:
                break
            time.sleep(0.2)
        raise SystemExit(f"{name} does not become ready; see {self.dir}/{name}.log")

    def stop(self):
        for process in reversed(self.processes):
            process.terminate()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def admin(self, agent=KUBECTL):
        return Client(self, "127.0.0.1", agent, certificate=f"{self.dir}/pki/admin")

    def person(self, name, address, agent=KUBECTL, groups=()):
        """A client with a certificate of its own, made the first time."""
        base = f"{self.dir}/pki/{name}"
        if not os.path.exists(f"{base}.crt"):
            subject = "".join(f"/O={group}" for group in groups) + f"/CN={name}"
            subprocess.run(
                [
                    "openssl",
                    "req",
                    "-new",
                    "-newkey",
                    "ec",
                    "-pkeyopt",
                    "ec_paramgen_curve:prime256v1",
                    "-nodes",
                    "-keyout",
                    f"{base}.key",
                    "-subj",
                    subject,
                    "-out",
                    f"{base}.csr",
                ],
                check=True,
                capture_output=True,
            )
            with open(f"{base}.ext", "w") as out:
                out.write("keyUsage=digitalSignature\nextendedKeyUsage=clientAuth\n")
            subprocess.run(
                [
                    "openssl",
                    "x509",
                    "-req",
                    "-in",
                    f"{base}.csr",
                    "-CA",
                    f"{self.dir}/pki/ca.crt",
                    "-CAkey",
                    f"{self.dir}/pki/ca.key",
                    "-CAcreateserial",
                    "-days",
                    "30",
                    "-extfile",
                    f"{base}.ext",
                    "-out",
                    f"{base}.crt",
                ],
                check=True,
                capture_output=True,
            )
        return Client(self, address, agent, certificate=base)

    def bearer(self, token, address, agent):
        return Client(self, address, agent, token=token)


def plain(port, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    connection.request("GET", path)
    return connection.getresponse().status == 200


class Client:
    """One credential at one address."""

    def __init__(self, plane, address, agent, certificate=None, token=None):
        self.plane, self.address = plane, address
        self.headers = {"User-Agent": agent, "Accept": "application/json"}
        if token:
            self.headers["Authorization"] = f"Bearer {token}"
        self.context = ssl.create_default_context(cafile=f"{plane.dir}/pki/ca.crt")
        if certificate:
            self.context.load_cert_chain(f"{certificate}.crt", f"{certificate}.key")

    def as_user(self, user, *groups):
        """The same client, impersonating."""
        other = Client.__new__(Client)
        other.__dict__.update(self.__dict__, headers={**self.headers, "Impersonate-User": user})
        if groups:
            other.headers["Impersonate-Group"] = groups[0]
        return other

    def raw(self, method, path, body=None, headers=(), seconds=0):
        """Where protocols are switched, hangs up after `seconds`."""
        connection = http.client.HTTPSConnection(
            "127.0.0.1", self.plane.port, context=self.context, timeout=60, source_address=(self.address, 0)
        )
        try:
            data = None if body is None else json.dumps(body).encode()
            connection.request(method, path, data, {**self.headers, **dict(headers)})
            answer = connection.getresponse()
            if answer.status == 101:
                hear_out(connection.sock, seconds)
                return answer.status, b""
            return answer.status, answer.read()
        finally:
            connection.close()


def hear_out(sock, seconds):
    """Listens until the other side hangs up, `seconds` at most."""
    end = time.monotonic() + seconds
    try:
        while (left := end - time.monotonic()) > 0:
            sock.settimeout(left)
            if not sock.recv(65536):
                break
    except OSError:
        pass


def upgrade(kind, protocol):
    """The headers that ask for a session: kubectl's WebSocket, or SPDY as older clients do."""
    if kind == "spdy":
        return {"Connection": "Upgrade", "Upgrade": "SPDY/3.1", "X-Stream-Protocol-Version": protocol}
    key = base64.b64encode(b"vedette-incident").decode()
    return {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": key,
        "Sec-WebSocket-Protocol": protocol,
    }


def audit_id(incident, number):
    """A request's own id: the same in every run."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"vedette/incidents/{incident}/{number}"))


def milliseconds(text):
    """`7d3h`, `40m12.5s`, `-6m` as milliseconds."""
    sign, text, total, digits = (-1, text[1:], 0.0, "") if text.startswith("-") else (1, text, 0.0, "")
    for letter in text:
        if letter in "dhms":
            total += float(digits) * {"d": 86400, "h": 3600, "m": 60, "s": 1}[letter]
            digits = ""
        else:
            digits += letter
    return round(sign * datetime.timedelta(seconds=total).total_seconds() * 1000)
