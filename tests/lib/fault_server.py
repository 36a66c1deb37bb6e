#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A scrape target that misbehaves in every way we know, one way for each path.

Run it and it prints its port (127.0.0.1) and serves until its standard input ends:  fault_server.py [--size BYTES]
Or import FaultServer and run it inside an asyncio program. `/` lists the paths. Standard library only.
"""
import argparse
import asyncio
import gzip
import json
import os
import socket
import struct
import sys
import zlib

GOOD = b"# HELP good_total A good counter.\n# TYPE good_total counter\ngood_total 1\n"
HTML = b"<!DOCTYPE html>\n<html><body><h1>It works!</h1></body></html>\n"
PLAIN = "text/plain; version=0.0.4; charset=utf-8"


def big_body(size):
    lines, n, i = [], 0, 0
    while n < size:
        line = b'big_metric_seconds{cpu="%d",mode="idle",device="sd%d"} %d.25\n' % (i, i % 7, i * 3)
        lines.append(line)
        n += len(line)
        i += 1
    return b"".join(lines)


def gzip_bomb(mib):
    """A gzip of so many MiB of zero bytes: one compressed piece, repeated."""
    piece = b"\0" * (1 << 20)
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = squeeze.compress(piece) + squeeze.flush(zlib.Z_FULL_FLUSH)
    crc = 0
    for _ in range(mib):
        crc = zlib.crc32(piece, crc)
    head = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
    return head + block * mib + b"\x03\0" + struct.pack("<II", crc, mib << 20)


def zstd_raw(body):
    """One zstd frame with one raw block: what needs no compressor. Up to 255 bytes (RFC 8878, 3.1.1)."""
    assert len(body) < 256
    block = struct.pack("<I", 1 | len(body) << 3)[:3]
    return b"\x28\xb5\x2f\xfd\x20" + bytes([len(body)]) + block + body


class FaultServer:
    def __init__(self, size=4 << 20):
        self.connections = 0  # accepted in all
        self.open = 0
        self.requests = {}  # by path, without the query
        self.last_headers = {}
        self.big = big_body(size)
        self.bomb = gzip_bomb(1024)
        self.port = 0
        self.server = None

    async def start(self, port=0):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", port, backlog=4096)
        self.port = self.server.sockets[0].getsockname()[1]

    async def serve(self, reader, writer):
        self.connections += 1
        self.open += 1
        try:
            while await self.one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            self.open -= 1
            writer.close()

    async def one(self, reader, writer):
        """Answer one request; whether the connection stays."""
        head = await reader.readexactly(1)
        if head == b"\x16":  # TLS: answer as servers of plain HTTP do
            writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
            return False
        head += await reader.readuntil(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        path = lines[0].split(" ")[1].split("?")[0]
        self.last_headers = dict(line.split(": ", 1) for line in lines[1:] if ": " in line)
        self.requests[path] = self.requests.get(path, 0) + 1
        name = path.strip("/").split("/")[0].replace("-", "_")
        handler = getattr(self, "do_" + name, None)
        if handler is None:
            return await self.answer(writer, b"no such path\n", status="404 Not Found")
        return await handler(writer)

    async def answer(self, writer, body, status="200 OK", kind=PLAIN, headers=(), length=None):
        head = ["HTTP/1.1 " + status, "Content-Type: " + kind]
        head.append("Content-Length: %d" % (len(body) if length is None else length))
        head.extend(headers)
        writer.write(("\r\n".join(head) + "\r\n\r\n").encode("latin-1") + body)
        await writer.drain()
        return length is None

    # Well-behaved
    async def do_(self, writer):
        names = sorted(n[3:].replace("_", "-") for n in dir(self) if n.startswith("do_") and n != "do_")
        return await self.answer(writer, "".join("/%s\n" % n for n in names).encode())

    async def do_good(self, writer):
        return await self.answer(writer, GOOD)

    async def do_big(self, writer):
        return await self.answer(writer, self.big)

    async def do_empty(self, writer):
        return await self.answer(writer, b"")

    async def do_gzip(self, writer):
        return await self.answer(writer, gzip.compress(GOOD), headers=["Content-Encoding: gzip"])

    async def do_big_gzip(self, writer):
        return await self.answer(writer, gzip.compress(self.big[:1000000]), headers=["Content-Encoding: gzip"])

    async def do_large_gzip(self, writer):
        return await self.answer(writer, gzip.compress(self.big, 6), headers=["Content-Encoding: gzip"])

    async def do_large_slow(self, writer):
        """/big in a hundred pieces over a second."""
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(self.big))
        step = len(self.big) // 100
        for i in range(0, len(self.big), step):
            writer.write(self.big[i : i + step])
            await writer.drain()
            await asyncio.sleep(0.01)
        return True

    async def do_large_truncated(self, writer):
        return await self.answer(writer, self.big, length=len(self.big) + 100)

    async def do_large_bad_gzip(self, writer):
        body = bytearray(gzip.compress(self.big, 6))
        for i in range(len(body) // 2, len(body) // 2 + 60):
            body[i] ^= 0x5A
        return await self.answer(writer, bytes(body), headers=["Content-Encoding: gzip"])

    async def do_large_short_gzip(self, writer):
        body = gzip.compress(self.big, 6)
        return await self.answer(writer, body[: len(body) // 2], headers=["Content-Encoding: gzip"])

    async def do_zstd(self, writer):
        return await self.answer(writer, zstd_raw(GOOD), headers=["content-encoding: zstd"])

    async def do_chunked(self, writer):
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for i in range(0, len(GOOD), 7):
            piece = GOOD[i : i + 7]
            writer.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        return True

    async def do_http10(self, writer):
        """No length: the body ends with the connection."""
        writer.write(b"HTTP/1.0 200 OK\r\n\r\n" + GOOD)
        await writer.drain()
        return False

    async def do_redirect(self, writer):
        return await self.answer(writer, b"over there", "302 Found", headers=["Location: /good"])

    async def do_slow_good(self, writer):
        await asyncio.sleep(0.3)
        return await self.answer(writer, GOOD)

    # What counts what came
    async def do_stats(self, writer):
        stats = {
            "connections": self.connections,
            "open": self.open,
            "requests": self.requests,
            "headers": self.last_headers,
        }
        return await self.answer(writer, json.dumps(stats).encode(), kind="application/json")

    async def do_echo(self, writer):
        """The request's headers, one a line."""
        text = "".join("%s: %s\n" % item for item in sorted(self.last_headers.items()))
        return await self.answer(writer, text.encode("latin-1"))

    # Good HTTP, bad content
    async def do_html(self, writer):
        return await self.answer(writer, HTML, kind="text/html")

    async def do_half_line(self, writer):
        return await self.answer(writer, GOOD + b'good_total{part="')

    # Statuses
    async def do_500(self, writer):
        return await self.answer(writer, b"boom\n", "500 Internal Server Error")

    async def do_404(self, writer):
        return await self.answer(writer, b"gone\n", "404 Not Found")

    async def do_204(self, writer):
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        await writer.drain()
        return True

    async def do_endless_500(self, writer):
        return await self.endless(writer, b"HTTP/1.1 500 Internal Server Error\r\n\r\n", b"boom\n")

    # Redirects
    async def do_redirect_loop(self, writer):
        return await self.answer(writer, b"", "302 Found", headers=["Location: /redirect-loop"])

    async def do_redirect_close(self, writer):
        return await self.answer(writer, b"", "302 Found", headers=["Location: /close"])

    async def do_redirect_file(self, writer):
        return await self.answer(writer, b"", "302 Found", headers=["Location: file:///etc/hostname"])

    # Too much
    async def endless(self, writer, head, piece):
        writer.write(head)
        while True:
            writer.write(piece * (65536 // len(piece)))
            await writer.drain()

    async def do_endless(self, writer):
        return await self.endless(writer, b"HTTP/1.1 200 OK\r\n\r\n", b"endless_total 1\n")

    async def do_endless_headers(self, writer):
        return await self.endless(writer, b"HTTP/1.1 200 OK\r\n", b"X-Filler: " + b"x" * 500 + b"\r\n")

    async def do_bomb(self, writer):
        return await self.answer(writer, self.bomb, headers=["Content-Encoding: gzip"])

    async def do_claims_4gb(self, writer):
        return await self.answer(writer, b"good_total 1\n", length=1 << 32)

    # Too little
    async def do_hang(self, writer):
        await asyncio.sleep(3600)

    async def do_close(self, writer):
        return False

    async def do_reset(self, writer):
        """Close with RST."""
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
        return False

    async def do_truncated(self, writer):
        return await self.answer(writer, GOOD, length=len(GOOD) + 100)

    async def do_trickle(self, writer):
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"a")
            await writer.drain()
            await asyncio.sleep(0.05)

    async def do_drip(self, writer):
        """A byte a second."""
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"a")
            await writer.drain()
            await asyncio.sleep(1)

    async def do_trickle_headers(self, writer):
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            writer.write(b"X-A: 1\r\n")
            await writer.drain()
            await asyncio.sleep(0.05)

    # Damaged
    async def do_bad_gzip(self, writer):
        body = bytearray(gzip.compress(self.big[:100000]))
        for i in range(200, 260):
            body[i] ^= 0x5A
        return await self.answer(writer, bytes(body), headers=["Content-Encoding: gzip"])

    async def do_short_gzip(self, writer):
        """A gzip stream cut in its middle, of which the length is right."""
        body = gzip.compress(self.big[:100000])
        return await self.answer(writer, body[: len(body) // 2], headers=["Content-Encoding: gzip"])

    async def do_unknown_encoding(self, writer):
        return await self.answer(writer, GOOD, headers=["Content-Encoding: br"])

    async def do_not_http(self, writer):
        writer.write(b"220 mail.example ESMTP\r\n")
        await writer.drain()
        return False


async def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--size", type=int, default=4 << 20, help="bytes of /big")
    args = parser.parse_args()
    server = FaultServer(args.size)
    await server.start(args.port)
    print(server.port, flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.buffer.read)


if __name__ == "__main__":
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda *_: None)
    loop.run_until_complete(main())
    os._exit(0)  # the handlers that hang must not keep the process
