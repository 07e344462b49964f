#!/usr/bin/env python3
"""What a careful Python program costs on the same job: reads a Batch JSONL, posts each body with aiohttp, writes rows.

    aiohttp_client.py INPUT OUTPUT --base-url URL --concurrency C [--cpu N]

One session with as many connections as requests in flight, workers that pull from one iterator: the shape that a good
asyncio program has. Exits 3 when aiohttp is not installed, so that the measurement can say so and go on.
"""
import argparse
import asyncio
import json
import os
import resource
import sys
import time

try:
    import aiohttp
except ImportError:
    sys.exit(3)


async def worker(session, base_url, lines, out, counts):
    for line in lines:
        row = json.loads(line)
        reply = {"id": "batch_req_" + row["custom_id"], "custom_id": row["custom_id"], "response": None, "error": None}
        try:
            async with session.post(base_url + row["url"], json=row["body"]) as response:
                body = await response.json()
                reply["response"] = {"status_code": response.status, "request_id": response.headers.get("x-request-id"),
                                     "body": body}
                if response.status != 200:
                    counts["failures"] += 1
        except (aiohttp.ClientError, asyncio.TimeoutError, ValueError) as error:
            reply["error"] = {"code": type(error).__name__, "message": str(error)}
            counts["failures"] += 1
        counts["requests"] += 1
        out.write(json.dumps(reply) + "\n")


async def run(args):
    counts = {"requests": 0, "failures": 0}
    connector = aiohttp.TCPConnector(limit=args.concurrency, keepalive_timeout=30)
    timeout = aiohttp.ClientTimeout(total=120)
    with open(args.input, encoding="utf-8") as lines, open(args.output, "w", encoding="utf-8") as out:
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
            source = iter(lines)
            await asyncio.gather(*(worker(session, args.base_url, source, out, counts) for _ in range(args.concurrency)))
    return counts


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("input")
    parser.add_argument("output")
    parser.add_argument("--base-url", required=True)
    parser.add_argument("--concurrency", type=int, required=True)
    parser.add_argument("--cpu", type=int, default=-1)
    args = parser.parse_args()
    if args.cpu >= 0:
        os.sched_setaffinity(0, {args.cpu})
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    start = time.monotonic()
    counts = asyncio.run(run(args))
    seconds = time.monotonic() - start
    usage = resource.getrusage(resource.RUSAGE_SELF)
    cpu = usage.ru_utime + usage.ru_stime
    print(json.dumps({"client": "aiohttp", "requests": counts["requests"], "failures": counts["failures"],
                      "seconds": round(seconds, 3), "cpu_us": round(cpu * 1e6 / max(1, counts["requests"]), 2),
                      "rate": round(counts["requests"] / seconds), "rss_kb": usage.ru_maxrss}))


if __name__ == "__main__":
    main()
