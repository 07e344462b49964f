#!/usr/bin/env python3
"""What the endpoint says about its limits in the middle of a run, as the endpoint sees what comes of it."""
import http.server
import json
import threading
import time

from cli_support import Cli, main

FAST, SLOW = 6000, 600  # a minute
SLOW_FROM, SLOW_TO, COUNT = 100, 140, 440

REPLY = json.dumps({"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [
    {"index": 0, "message": {"role": "assistant", "content": "Fine."}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12}}).encode()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        with self.server.lock:
            self.server.arrivals.append(time.monotonic())
            number = len(self.server.arrivals)
        limit = SLOW if SLOW_FROM <= number < SLOW_TO else FAST
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(REPLY)))
        self.send_header("x-ratelimit-limit-requests", str(limit))
        self.end_headers()
        self.wfile.write(REPLY)

    def log_message(self, *_):
        pass


class Limits(Cli):
    def endpoint(self):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.lock, server.arrivals = threading.Lock(), []
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return server

    def run_against(self, server, *args):
        self.batch("in.jsonl", COUNT)
        return self.ends(0, "run", "in.jsonl", "-o", "out.jsonl", "--base-url",
                         f"http://127.0.0.1:{server.server_address[1]}/v1", "-j", "8", *args)

    def test_a_limit_that_changes_in_the_middle(self):
        server = self.endpoint()
        ended = self.run_against(server, "--rpm", str(FAST))
        at = server.arrivals
        self.assertEqual(len(at), COUNT)
        # Those that were on their way when it was told, and then the new pace: any second has its limit and one, as far as the
        # endpoint's own clock is right. Eight may be on their way.
        slow = at[SLOW_FROM + 8:SLOW_TO]
        self.assertGreater(slow[-1] - slow[0], 0.5 * len(slow) * 60 / SLOW)
        # Back up: at the slow pace the rest would take half a minute.
        self.assertLess(at[-1] - at[SLOW_TO + 8], 0.7 * (COUNT - SLOW_TO) * 60 / SLOW)
        self.assertEqual(ended.err.count("the endpoint allows 600 requests a minute"), 1)

    def test_limits_by_hand(self):
        server = self.endpoint()
        ended = self.run_against(server, "--rpm", str(FAST), "--limits", "manual")
        at = server.arrivals
        self.assertLess(at[-1] - at[0], 0.7 * COUNT * 60 / SLOW)
        self.assertNotIn("the endpoint allows", ended.err)


if __name__ == "__main__":
    main()
