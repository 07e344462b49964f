#!/usr/bin/env python3
"""Draws docs/limits.svg: the rate of `leat run` as an endpoint saw it, second by second: under a limit, through a burst of 429s,
through a halved limit, and back.

    bench/limit_picture.py LEAT [SVG]      LEAT is the program; takes seven minutes, most of them waiting

The endpoint is a server in this script with a true sliding window of 60 s. It names no limit in its headers: only Retry-After.
"""
import asyncio
import collections
import json
import pathlib
import subprocess
import sys
import tempfile
import time

RPM, HALVED = 1200, 600
BURST, HALF, BACK, END = (80, 90), 150, 270, 400  # seconds: everything refused; the limit halved; raised again; the end
REPLY = json.dumps({"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [
    {"index": 0, "message": {"role": "assistant", "content": "Fine."}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12}}).encode()


class Endpoint:
    def __init__(self):
        self.start, self.window, self.seen = None, collections.deque(), []

    def limit(self, at):
        return HALVED if HALF <= at < BACK else RPM

    def decide(self):
        """Seconds to wait, 0 = accepted."""
        now = time.monotonic()
        self.start = self.start or now
        at = now - self.start
        while self.window and self.window[0] <= now - 60:
            self.window.popleft()
        if BURST[0] <= at < BURST[1]:
            wait = 4
        elif len(self.window) >= self.limit(at):
            over = len(self.window) - self.limit(at)
            wait = max(1, int(self.window[over] + 60 - now) + 1)
        else:
            self.window.append(now)
            wait = 0
        self.seen.append((at, wait == 0))
        return wait

    async def serve(self, reader, writer):
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length"))
                await reader.readexactly(length)
                wait = self.decide()
                status = b"429 Too Many Requests\r\nRetry-After: %d" % wait if wait else b"200 OK"
                body = b'{"error":{"message":"slow down","type":"requests","code":"rate_limit_exceeded"}}' if wait else REPLY
                await asyncio.sleep(0 if wait else 0.3)
                writer.write(b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


async def measure(leat):
    endpoint = Endpoint()
    server = await asyncio.start_server(endpoint.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        source = pathlib.Path(folder) / "documents"
        source.write_text("".join(f"document {i}\n" for i in range(RPM * END // 60)))
        process = await asyncio.create_subprocess_exec(
            leat, "run", str(source), "--format", "lines", "--model", "m", "-o", str(pathlib.Path(folder) / "out.jsonl"),
            "--base-url", f"http://127.0.0.1:{port}/v1", "--rpm", str(RPM), "--progress", "none", stderr=subprocess.DEVNULL)
        await asyncio.sleep(END)
        process.terminate()
        await process.wait()
    server.close()
    return endpoint


def bars(counts, color):
    return "".join(f'<rect x="{60 + 2 * s}" y="{260 - 8 * (below + n):.0f}" width="2" height="{8 * n}" fill="{color}"/>'
                   for s, (below, n) in enumerate(counts) if n)


def picture(endpoint):
    good, bad = [0] * END, [0] * END
    for at, accepted in endpoint.seen:
        if at < END:
            (good if accepted else bad)[int(at)] += 1
    width = 80 + 2 * END
    limit = [(0, RPM), (HALF, RPM), (HALF, HALVED), (BACK, HALVED), (BACK, RPM), (END, RPM)]
    line = " ".join(f"{60 + 2 * at},{260 - 8 * rpm / 60:.0f}" for at, rpm in limit)
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} 320" font-family="sans-serif" font-size="12">',
             f'<rect width="{width}" height="320" fill="white"/>',
             bars([(0, n) for n in good], "#4a90c2"), bars(list(zip(good, bad)), "#d04030"),
             f'<polyline points="{line}" fill="none" stroke="black" stroke-dasharray="4 3"/>']
    for rate in range(0, 31, 10):
        parts.append(f'<text x="50" y="{264 - 8 * rate}" text-anchor="end">{rate}</text>')
    for at in range(0, END + 1, 60):
        parts.append(f'<text x="{60 + 2 * at}" y="276" text-anchor="middle">{at} s</text>')
    for at, text in ((0, "requests a second, as the endpoint counted them"), (BURST[0], "all refused"), (HALF, "halved"), (BACK, "raised")):
        parts.append(f'<text x="{60 + 2 * at}" y="{12 if at == 0 else 28}">{text}</text>')
    all_, refused = len(endpoint.seen), sum(bad)
    parts.append(f'<text x="60" y="300">{all_} requests, {refused} of them refused (red); the dashed line is the limit of '
                 f'{RPM} ({HALVED}) a minute</text></svg>')
    return "\n".join(parts) + "\n", all_, refused


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    out = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else pathlib.Path(__file__).resolve().parent.parent / "docs" / "limits.svg"
    text, all_, refused = picture(asyncio.run(measure(sys.argv[1])))
    out.write_text(text)
    print(f"{out}: {all_} requests, {refused} refused")


if __name__ == "__main__":
    main()
