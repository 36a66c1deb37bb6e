#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""HTTPS targets that say who asked, and a proxy with a password, for tests of what is sent and what is shared.

https_server.py FOLDER makes certificates in FOLDER (openssl): ca.pem, alice.pem and bob.pem with their keys, other_ca.pem; the server's is for target.test.
It prints four ports of 127.0.0.1 and serves until its standard input ends: HTTPS that takes any or no client certificate, HTTPS that wants one, HTTPS of TLS 1.2
only, and a proxy (GET and CONNECT) for user "poller" with password "p@ss word". Paths: /who, /redirect (to /who), /away (to another name for this server), /move (away).
"""
import asyncio
import base64
import os
import pathlib
import ssl
import subprocess
import sys

PLAIN = "text/plain; version=0.0.4; charset=utf-8"


def openssl(folder, *args):
    subprocess.run(["openssl", *args], cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def make_certificates(folder):
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")
    for name in ("ca", "other_ca"):
        openssl(folder, "req", "-x509", *key, "-subj", "/CN=" + name, "-keyout", name + ".key", "-out", name + ".pem")
    for name in ("target.test", "alice", "bob"):
        (folder / "ext").write_text("subjectAltName=DNS:%s\n" % name)
        openssl(folder, "req", *key, "-subj", "/CN=" + name, "-keyout", name + ".key", "-out", name + ".csr")
        openssl(folder, "x509", "-req", "-in", name + ".csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
                "-extfile", "ext", "-out", name + ".pem")


def context(folder, verify=ssl.CERT_OPTIONAL, newest=None):
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(folder / "target.test.pem", folder / "target.test.key")
    made.load_verify_locations(folder / "ca.pem")
    made.verify_mode = verify
    if newest is not None:
        made.maximum_version = newest

    def on_name(sock, name, _):
        sock.gravel_sni = name
    made.sni_callback = on_name
    return made


class Server:
    def __init__(self):
        self.connections = 0
        self.proxied = 0

    async def serve(self, reader, writer):
        self.connections += 1
        number = self.connections
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                await self.answer(writer, number, head)
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass
        finally:
            writer.close()

    async def answer(self, writer, number, head):
        path = head[0].split(" ")[1]
        headers = {k.lower(): v.strip() for k, v in (line.split(":", 1) for line in head[1:] if ":" in line)}
        where = {"/redirect": "/who", "/away": "https://localhost:%s/who" % headers["host"].split(":")[-1]}.get(path)
        tls = writer.get_extra_info("ssl_object")
        peer = (tls.getpeercert() or {}) if tls else {}
        common = [v for part in peer.get("subject", ()) for k, v in part if k == "commonName"]
        facts = {"connection": number, "cn": common[0] if common else "", "sni": getattr(tls, "gravel_sni", None) or "",
                 "host": headers.get("host", ""), "authorization": headers.get("authorization", ""), "x_a": headers.get("x-a", ""),
                 "x_empty": "yes" if "x-empty" in headers else "no", "encoding": headers.get("accept-encoding", ""),
                 "version": tls.version() if tls else "", "proxied": self.proxied}
        body = "who{%s} 1\n" % ",".join('%s="%s"' % item for item in facts.items())
        status = "302 Found\r\nLocation: " + where if where else "200 OK"
        writer.write(("HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s" % (status, PLAIN, len(body), body)).encode())
        await writer.drain()

    async def proxy(self, reader, writer):
        wanted = "Basic " + base64.b64encode(b"poller:p@ss word").decode()
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            method, target, _ = head[0].split(" ")
            if "Proxy-Authorization: " + wanted not in head:
                writer.write(b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n")
                return await writer.drain()
            self.proxied += 1
            if method != "CONNECT":
                return await self.answer(writer, -1, [head[0].replace("http://", "/", 1)] + head[1:])
            # Names are the proxy's to resolve: all are this machine.
            back, forth = await asyncio.open_connection("127.0.0.1", int(target.rsplit(":", 1)[1]))
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            await asyncio.gather(self.pump(reader, forth), self.pump(back, writer))
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    @staticmethod
    async def pump(source, sink):
        while True:
            data = await source.read(65536)
            if not data:
                break
            sink.write(data)
            await sink.drain()
        sink.close()


async def main(folder):
    make_certificates(folder)
    server = Server()
    listeners = [await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=c)
                 for c in (context(folder), context(folder, ssl.CERT_REQUIRED), context(folder, newest=ssl.TLSVersion.TLSv1_2))]
    listeners.append(await asyncio.start_server(server.proxy, "127.0.0.1", 0))
    print(" ".join(str(one.sockets[0].getsockname()[1]) for one in listeners), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.buffer.read)


if __name__ == "__main__":
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda *_: None)
    loop.run_until_complete(main(pathlib.Path(sys.argv[1])))
    os._exit(0)
