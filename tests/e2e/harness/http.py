# SPDX-License-Identifier: Apache-2.0
"""Small HTTP helpers: a client that shows what came back as it came, curl, and a scrape target whose body a test sets."""
import http.client
import http.server
import socket
import subprocess
import threading
import time
import urllib.parse


class Response:
    def __init__(self, code, headers, body):
        self.code = code
        self.headers = headers
        self.body = body

    @property
    def text(self):
        return self.body.decode("utf-8")

    def __repr__(self):
        return "<%d %r>" % (self.code, self.body[:300])


def request(url, method="GET", body=None, headers=None, timeout=20):
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout)
    try:
        path = (parts.path or "/") + ("?" + parts.query if parts.query else "")
        if isinstance(body, str):
            body = body.encode("utf-8")
        connection.request(method, path, body=body, headers=headers or {})
        answer = connection.getresponse()
        return Response(answer.status, answer.headers, answer.read())
    except http.client.HTTPException as e:
        raise OSError("%s %s: %r" % (method, url, e)) from e
    finally:
        connection.close()


def get(url, **kwargs):
    return request(url, **kwargs)


def raw(port, data, timeout=10):
    """Send bytes, return all that comes until the server closes or nothing more comes."""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as s:
        got = b""
        try:
            s.sendall(data)
            s.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it has heard enough and closed
        while True:
            try:
                chunk = s.recv(65536)
            except OSError:
                return got
            if not chunk:
                return got
            got += chunk


def curl(*args, stdin=None):
    """Real curl; returns (status code, body)."""
    done = subprocess.run(
        ["curl", "-sS", "--max-time", "20", "-w", "\n%{http_code}", *args],
        input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 0, "curl %s: %s" % (" ".join(args), done.stderr.decode())
    body, _, code = done.stdout.rpartition(b"\n")
    return int(code), body.decode("utf-8")


class Target:
    """A scrape target in this process. body may be set at any time; seen holds (monotonic time, request headers) of each GET, clients
    and paths the address of who asked and what for."""

    def __init__(self, port, body="up_and_well 1\n", content_type="text/plain; version=0.0.4", code=200):
        self.port = port
        self.body = body
        self.code = code
        self.content_type = content_type
        self.seen = []
        self.clients = []
        self.paths = []
        target = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                target.seen.append((time.monotonic(), dict(self.headers.items())))
                target.clients.append(self.client_address)
                target.paths.append(self.path)
                data = target.body if isinstance(target.body, bytes) else target.body.encode("utf-8")
                self.send_response(target.code)
                self.send_header("Content-Type", target.content_type)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, format, *args):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 64

        self.server = Server(("127.0.0.1", port), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    @property
    def url(self):
        return "http://127.0.0.1:%d/metrics" % self.port

    @property
    def instance(self):
        return "127.0.0.1:%d" % self.port

    def close(self):
        self.server.shutdown()
        self.server.server_close()
