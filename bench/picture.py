"""What the pictures of docs/ share: an endpoint that writes down what came and what it did, a run against it, and bars per second."""
import asyncio
import json
import pathlib
import subprocess
import tempfile
import time

REPLY = json.dumps({"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [
    {"index": 0, "message": {"role": "assistant", "content": "Fine."}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12}}).encode()
ERRORS = {429: ("Too Many Requests", "slow down", "rate_limit_exceeded"), 503: ("Service Unavailable", "overloaded", "overloaded")}
LATENCY_S = 0.3
LEFT, BASE, SECOND_WIDTH, REQUEST_HEIGHT = 60, 260, 2, 8


class Endpoint:
    """`decide(at)` gives (status, seconds for Retry-After or None); status 0 drops the connection."""

    def __init__(self):
        self.start, self.seen = None, []

    def decide(self, at):
        raise NotImplementedError

    def judge(self):
        now = time.monotonic()
        self.start = self.start or now
        status, wait = self.decide(now - self.start)
        self.seen.append((now - self.start, status))
        return status, wait

    async def serve(self, reader, writer):
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length"))
                await reader.readexactly(length)
                status, wait = self.judge()
                if status == 0:
                    break
                words, body = b"OK", REPLY
                if status != 200:
                    words, message, code = ERRORS[status]
                    words, body = words.encode(), json.dumps({"error": {"message": message, "type": "requests", "code": code}}).encode()
                else:
                    await asyncio.sleep(LATENCY_S)
                asked = b"" if wait is None else b"Retry-After: %d\r\n" % wait
                writer.write(b"HTTP/1.1 %d %s\r\n%sContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" %
                             (status, words, asked, len(body), body))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


async def measure(leat, endpoint, rpm, seconds):
    """Runs `leat run --rpm` against the endpoint for so long."""
    server = await asyncio.start_server(endpoint.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        source = pathlib.Path(folder) / "documents"
        source.write_text("".join(f"document {i}\n" for i in range(rpm * seconds // 60)))
        process = await asyncio.create_subprocess_exec(
            leat, "run", str(source), "--format", "lines", "--model", "m", "-o", str(pathlib.Path(folder) / "out.jsonl"),
            "--base-url", f"http://127.0.0.1:{port}/v1", "--rpm", str(rpm), "--progress", "none", stderr=subprocess.DEVNULL)
        await asyncio.sleep(seconds)
        process.terminate()
        await process.wait()
    server.close()


def per_second(endpoint, seconds, statuses):
    counts = [0] * seconds
    for at, status in endpoint.seen:
        if at < seconds and status in statuses:
            counts[int(at)] += 1
    return counts


def bars(counts, below, color):
    return "".join(f'<rect x="{LEFT + SECOND_WIDTH * s}" y="{BASE - REQUEST_HEIGHT * (under + n)}" width="{SECOND_WIDTH}" '
                   f'height="{REQUEST_HEIGHT * n}" fill="{color}"/>' for s, (under, n) in enumerate(zip(below, counts)) if n)


def frame(seconds, step_s, parts, labels, foot):
    """An SVG: the parts, axes, words above (at second, line, text), and a line below."""
    width = LEFT + 20 + SECOND_WIDTH * seconds
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} 320" font-family="sans-serif" font-size="12">',
           f'<rect width="{width}" height="320" fill="white"/>', *parts]
    for rate in range(0, 31, 10):
        out.append(f'<text x="{LEFT - 10}" y="{BASE + 4 - REQUEST_HEIGHT * rate}" text-anchor="end">{rate}</text>')
    for at in range(0, seconds + 1, step_s):
        out.append(f'<text x="{LEFT + SECOND_WIDTH * at}" y="{BASE + 16}" text-anchor="middle">{at} s</text>')
    for at, line, text in labels:
        out.append(f'<text x="{LEFT + SECOND_WIDTH * at}" y="{12 + 16 * line}">{text}</text>')
    out.append(f'<text x="{LEFT}" y="{BASE + 40}">{foot}</text></svg>')
    return "\n".join(out) + "\n"
