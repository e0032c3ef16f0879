"""Ask the web server of a large month for all its pages: one by one, twenty at once, and with a large upload.

Part of `scripts/bench --only web`. The load runs beside the server on the same machine, as the two share it.
"""

from __future__ import annotations

import asyncio
import pathlib
import random
import re
import statistics
import subprocess
import time
import urllib.parse

PASSWORD = "correct horse battery"


class Server:
    """A running `focus-billing web`, and who signed in."""

    def __init__(self, binary: pathlib.Path, home: pathlib.Path):
        subprocess.run([binary, "users", "add", "bench", "--email", "bench@example.edu", "--role", "admin",
                        "--keep-password"], cwd=home, input=PASSWORD + "\n", text=True, check=True,
                       capture_output=True)
        self.log = open(home / "web.log", "w+", encoding="utf-8")
        self.process = subprocess.Popen([binary, "web", "--port", "0"], cwd=home, stdout=subprocess.DEVNULL,
                                        stderr=self.log)
        self.port = self.wait_for_port(home / "web.log")
        self.cookies: dict[str, str] = {}

    def wait_for_port(self, log: pathlib.Path) -> int:
        while True:
            found = re.search(r"is at http://[^:]+:(\d+)", log.read_text(encoding="utf-8"))
            if found:
                return int(found[1])
            if self.process.poll() is not None:
                raise SystemExit(f"the server did not start:\n{log.read_text(encoding='utf-8')}")
            time.sleep(0.05)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()

    def memory(self, name: str) -> float:
        """`VmRSS` now or `VmHWM` at most, in MB, as the operating system counts it."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text(encoding="utf-8")
        return int(re.search(rf"{name}:\s+(\d+) kB", status)[1]) / 1024


class Visitor:
    """One connection that is kept open."""

    def __init__(self, server: Server):
        self.server, self.streams = server, None

    async def ask(self, path: str, form: dict[str, str] | None = None) -> tuple[int, dict[str, str], bytes]:
        if self.streams is None:
            self.streams = await asyncio.open_connection("127.0.0.1", self.server.port, limit=1 << 24)
        reader, writer = self.streams
        cookies = "; ".join(f"{name}={value}" for name, value in self.server.cookies.items())
        head = f"Host: 127.0.0.1:{self.server.port}\r\nCookie: {cookies}\r\n"
        body = b""
        if form is None:
            head = f"GET {path} HTTP/1.1\r\n{head}\r\n"
        else:
            body = urllib.parse.urlencode(form).encode()
            head = (f"POST {path} HTTP/1.1\r\n{head}Content-Type: application/x-www-form-urlencoded\r\n"
                    f"Content-Length: {len(body)}\r\n\r\n")
        writer.write(head.encode() + body)
        return await self.read(reader)

    async def read(self, reader: asyncio.StreamReader) -> tuple[int, dict[str, str], bytes]:
        lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {}
        for line in filter(None, lines[1:]):
            name, value = line.split(": ", 1)
            if name.lower() == "set-cookie":
                key, kept = value.split(";", 1)[0].split("=", 1)
                self.server.cookies[key] = kept
            headers[name.lower()] = value
        if headers.get("transfer-encoding") == "chunked":
            body = b""
            while size := int(await reader.readline(), 16):
                body += await reader.readexactly(size)
                await reader.readline()
            await reader.readline()
        else:
            body = await reader.readexactly(int(headers.get("content-length", 0)))
        return int(lines[0].split()[1]), headers, body


def token(html: bytes) -> str:
    return re.search(rb'name="csrf" value="([^"]+)"', html)[1].decode()


async def sign_in(visitor: Visitor) -> None:
    status, _, _ = await visitor.ask("/sign-in", {"next": "/", "name": "bench", "password": PASSWORD})
    assert status == 303, status


FILES = re.compile(r"\.(csv|parquet|zip)|/(pdf|html|export|anchor)\b|/files/|/api/|/assets/|/health|/metrics|/help/")


async def pages(visitor: Visitor) -> dict[str, tuple[float, int]]:
    """Every page that links lead to, a few of a kind: seconds of the first visit and bytes."""
    found, waiting, kinds = {}, ["/"], {}
    while waiting:
        path = waiting.pop(0)
        kind = re.sub(r"[^/?=&]*[0-9@%][^/?=&]*", "…", path.split("#")[0])
        if path in found or FILES.search(path) or kinds.get(kind, 0) >= 3:
            continue
        kinds[kind] = kinds.get(kind, 0) + 1
        begun = time.perf_counter()
        status, _, body = await visitor.ask(path)
        if status != 200:
            raise SystemExit(f"{path} answers with {status}")
        found[path] = (time.perf_counter() - begun, len(body))
        links = re.findall(r'<a [^>]*href="(/[^"#]*)"(?![^>]*download)', body.decode())
        waiting += [link.replace("&amp;", "&").replace("&#38;", "&") for link in links]
    return found


async def at_once(server: Server, paths: list[str], requests: int, in_flight: int) -> dict[str, list[float]]:
    """Seconds of each request, by page."""
    order, times = random.Random(7).choices(paths, k=requests), {}

    async def visit() -> None:
        visitor = Visitor(server)
        while order:
            path = order.pop()
            begun = time.perf_counter()
            status, _, _ = await visitor.ask(path)
            times.setdefault(path, []).append(time.perf_counter() - begun)
            if status != 200:
                raise SystemExit(f"{path} answers with {status}")

    await asyncio.gather(*(visit() for _ in range(in_flight)))
    return times


def share(times: list[float], percent: int) -> float:
    return 1000 * statistics.quantiles(times, n=100)[percent - 1]


async def ask_all(server: Server, period: str) -> None:
    visitor = Visitor(server)
    await sign_in(visitor)
    found = await pages(visitor)
    first = sorted((seconds, path) for path, (seconds, _) in found.items())
    largest = max((size, path) for path, (_, size) in found.items())
    print(f"  {len(found)} pages, one by one for the first time: median {1000 * first[len(first) // 2][0]:.0f} ms, "
          f"slowest {', '.join(f'{path} {1000 * seconds:.0f} ms' for seconds, path in first[-1:-4:-1])}")
    print(f"  largest page {largest[0] / 1000:.0f} kB ({largest[1]})")
    begun = time.perf_counter()
    by_page = await at_once(server, list(found), 4000, 20)
    wall = time.perf_counter() - begun
    times = [seconds for of_page in by_page.values() for seconds in of_page]
    slow = sorted(((statistics.median(of_page), path) for path, of_page in by_page.items()), reverse=True)[:5]
    print(f"  20 in flight, {len(times)} requests over all pages: p50 {share(times, 50):.0f} ms, "
          f"p95 {share(times, 95):.0f} ms, p99 {share(times, 99):.0f} ms, slowest {1000 * max(times):.0f} ms, "
          f"{len(times) / wall:.0f} a second, none failed")
    print(f"  slowest there, by median: {', '.join(f'{path} {1000 * seconds:.0f} ms' for seconds, path in slow)}")
    times = []
    for n in range(40):
        sort = ["cost", "-cost", "pi_email", "-project_id"][n % 4]
        query = urllib.parse.urlencode({"period": period, "text": f"{n:02}a", "sort": sort})
        begun = time.perf_counter()
        status, _, _ = await visitor.ask(f"/charges?{query}")
        assert status == 200, (query, status)
        times.append(time.perf_counter() - begun)
    print(f"  find and sort over all charges, never asked before: p50 {share(times, 50):.0f} ms, "
          f"p95 {share(times, 95):.0f} ms")


async def upload(server: Server, source: pathlib.Path) -> None:
    """A large file through the form, to the end of its preview, with what the server's memory does meanwhile."""
    visitor, other = Visitor(server), Visitor(server)
    await sign_in(visitor)
    _, _, page = await visitor.ask("/imports/new")
    edge = "bench-edge-of-parts"
    start = (f'--{edge}\r\nContent-Disposition: form-data; name="csrf"\r\n\r\n{token(page)}\r\n--{edge}\r\n'
             f'Content-Disposition: form-data; name="files"; filename="cloud_2025-01.csv"\r\n\r\n').encode()
    end = f"\r\n--{edge}--\r\n".encode()
    size = len(start) + source.stat().st_size + len(end)
    reader, writer = visitor.streams
    cookies = "; ".join(f"{name}={value}" for name, value in server.cookies.items())
    writer.write(f"POST /imports/uploads HTTP/1.1\r\nHost: localhost\r\nCookie: {cookies}\r\nContent-Length: {size}\r\n"
                 f"Content-Type: multipart/form-data; boundary={edge}\r\n\r\n".encode() + start)
    before, peak, slowest, begun = server.memory("VmRSS"), 0.0, 0.0, time.perf_counter()

    async def healthy() -> float:
        asked = time.perf_counter()
        status, _, _ = await other.ask("/health")
        assert status == 200
        return time.perf_counter() - asked

    with open(source, "rb") as rows:
        while piece := rows.read(1 << 20):
            writer.write(piece)
            await writer.drain()
            peak = max(peak, server.memory("VmRSS"))
    writer.write(end)
    status, headers, _ = await visitor.read(reader)
    assert status == 303, status
    sent = time.perf_counter() - begun
    received = peak
    while True:
        slowest, peak = max(slowest, await healthy()), max(peak, server.memory("VmRSS"))
        _, _, page = await visitor.ask(headers["location"])
        if b"the work goes on" not in page:
            break
        await asyncio.sleep(0.1)
    assert b"Keep this delivery" in page, page
    print(f"  upload of {source.stat().st_size / 1e6:.0f} MB: sent in {sent:.1f} s, looked at after "
          f"{time.perf_counter() - begun:.1f} s; memory {before:.0f} MB before, {received:.0f} MB while it arrived, "
          f"{peak:.0f} MB at most; /health at most {1000 * slowest:.0f} ms meanwhile")


def run(binary: pathlib.Path, home: pathlib.Path, period: str, large: pathlib.Path) -> None:
    server = Server(binary, home)
    try:
        asyncio.run(ask_all(server, period))
        asyncio.run(upload(server, large))
    finally:
        server.stop()
