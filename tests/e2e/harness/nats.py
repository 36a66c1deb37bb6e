# SPDX-License-Identifier: Apache-2.0
"""A NATS client of a few lines, to publish what no honest poller would and to look at the stream."""
import json
import socket


class NatsClient:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.file = self.socket.makefile("rb")
        assert self.file.readline().startswith(b"INFO ")
        self.inbox = 0
        options = {"verbose": False, "pedantic": False, "headers": True, "no_responders": True, "name": "test"}
        self.socket.sendall(b"CONNECT " + json.dumps(options).encode() + b"\r\n")
        self.flush()

    def close(self):
        self.file.close()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def flush(self):
        self.socket.sendall(b"PING\r\n")
        while True:
            line = self.file.readline()
            assert line, "nats-server closed the connection"
            assert not line.startswith(b"-ERR"), line
            if line.startswith(b"PONG"):
                return
            if line.startswith((b"MSG", b"HMSG")):
                self.file.read(int(line.split()[-1]) + 2)

    def publish(self, subject, data=b"", headers=None):
        """headers: None for none, a dict, or bytes that are sent as they are."""
        if headers is None:
            head = b"PUB %s %d\r\n" % (subject.encode(), len(data))
            self.socket.sendall(head + data + b"\r\n")
        else:
            if isinstance(headers, dict):
                lines = "".join("%s: %s\r\n" % item for item in headers.items())
                headers = ("NATS/1.0\r\n" + lines + "\r\n").encode("utf-8")
            head = b"HPUB %s %d %d\r\n" % (subject.encode(), len(headers), len(headers) + len(data))
            self.socket.sendall(head + headers + data + b"\r\n")
        self.flush()

    def request(self, subject, data=b""):
        """One request; the payload of the answer as JSON."""
        self.inbox += 1
        inbox = "_INBOX.test.%d.%d" % (id(self), self.inbox)
        self.socket.sendall(b"SUB %s %d\r\nUNSUB %d 1\r\n" % (inbox.encode(), self.inbox, self.inbox))
        self.socket.sendall(b"PUB %s %s %d\r\n%s\r\n" % (subject.encode(), inbox.encode(), len(data), data))
        while True:
            line = self.file.readline()
            assert line, "nats-server closed the connection"
            if line.startswith(b"MSG"):
                body = self.file.read(int(line.split()[-1]) + 2)[:-2]
                return json.loads(body)
            if line.startswith(b"HMSG"):
                self.file.read(int(line.split()[-1]) + 2)
                raise LookupError("nobody answers on %s" % subject)

    def stream(self, name):
        answer = self.request("$JS.API.STREAM.INFO." + name, json.dumps({"subjects_filter": ">"}).encode())
        if "error" in answer:
            raise LookupError(answer["error"]["description"])
        return answer

    def last_message(self, stream, subject):
        """The last stored message of a subject: {"subject", "seq", "hdrs", "data", "time"}, the first two of the latter in base64."""
        answer = self.request("$JS.API.STREAM.MSG.GET." + stream, json.dumps({"last_by_subj": subject}).encode())
        if "error" in answer:
            raise LookupError(answer["error"]["description"])
        return answer["message"]
