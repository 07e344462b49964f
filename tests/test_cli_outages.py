#!/usr/bin/env python3
"""An endpoint that is not there, goes away, comes back, or answers nothing but errors: the run waits for it, and ends with one sentence."""
import http.server
import json
import signal
import socket
import threading
import time

from cli_support import Ended, Endpoint, main


class Outage(Endpoint):
    def test_nobody_listens(self):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{s.getsockname()[1]}/v1"
            ended = self.says(5, "leat run: the endpoint was not reached: nobody listens at ", *self.args(url))
            self.assertIn("leat run: no answer yet, trying for 5 s: nobody listens", ended.err)
            self.assertIn("the same command goes on from here", ended.err)
            self.assertEqual(self.rows(), {})
        mocked = self.mock()
        self.ends(0, *self.args(mocked.url))
        self.assertEqual(self.classes(), {"ok": 3})

    def test_an_endpoint_that_goes_away(self):
        """What was in flight may have its row; a document that found nobody has none."""
        mocked = self.mock("--latency-ms", "20")
        process = self.start(*self.args(mocked.url, "-j", "4", "--max-retries", "0", "--outage-time", "1", count=3000))
        self.wait_rows(50)
        mocked.kill()
        _, err = process.communicate(timeout=100)
        self.assertEqual(process.returncode, 5, err)
        self.assertIn("leat run: the endpoint went away: the run pauses and tries again for 1 s (nobody listens at ", err)
        self.assertIn("leat run: the endpoint went away and was not back within 1 s: nobody listens at ", err)
        self.assertIn("the same command goes on from here", err)
        self.assertLessEqual(set(self.classes()), {"ok", "reset"})
        self.assertLessEqual(len(self.rows()) - self.classes()["ok"], 4)
        mocked = self.mock()
        self.ends(0, *self.args(mocked.url, "-j", "4", "--retry-failed", count=3000))
        self.assertEqual(self.classes(), {"ok": 3000})

    def test_an_endpoint_that_is_restarted(self):
        """It costs no document its row, and nobody has to do anything."""
        for jobs in ("1", "32"):
            mocked, out = self.mock("--latency-ms", "5"), f"out{jobs}.jsonl"
            port = mocked.url.removesuffix("/v1").rsplit(":", 1)[1]
            args = self.args(mocked.url, "-j", jobs, "--outage-time", "100", "--progress", "json", count=1500)
            process = self.start(*[out if a == "out.jsonl" else a for a in args])
            self.wait_rows(50, out)
            mocked.kill()
            mocked.wait()
            self.said(process, "the endpoint went away")
            self.said(process, '"endpoint_away":true')
            again = self.mock("--port", port)
            self.said(process, "the endpoint is back after ")
            _, err = process.communicate(timeout=100)
            self.assertEqual(process.returncode, 0, err)
            self.assertEqual(self.classes(out), {"ok": 1500})
            self.assertNotIn('"endpoint_away":true', err.splitlines()[-1])
            self.assertLessEqual(self.mock_end(again)["requests"], 1500)

    def test_an_outage_ends_while_many_wait_for_the_limiter(self):
        """The 200 that asked the limiter before the outage go first, 5 a second: the run does not wait for its probe behind them."""
        mocked = self.mock()
        process = self.start(*self.args(mocked.url, "-j", "200", "--rpm", "300", "--outage-time", "1", count=1000))
        self.wait_rows(5)
        mocked.kill()
        self.said(process, "the endpoint went away: the run pauses")
        began = time.monotonic()
        _, err = process.communicate(timeout=100)
        self.assertLess(time.monotonic() - began, 15)
        self.assertEqual(process.returncode, 5, err)
        self.assertIn("the endpoint went away and was not back within 1 s", err)
        self.assertEqual(set(self.classes()), {"ok"})

    def test_several_endpoints_that_go_away(self):
        """All of them at once, and one that never took its key: the run pauses when the last one is out, and comes to its end."""
        one, two, denies = self.mock(), self.mock(), self.mock("--key", "another")
        args = [a for a in self.args(one.url, "-j", "64", "--rpm", "1200", "--outage-time", "1", count=3000)
                if a not in ("--base-url", one.url)]
        process = self.start(*args, *(a for m in (one, two, denies) for a in ("--endpoint", m.url)))
        self.wait_rows(50)
        one.kill()
        two.kill()
        self.said(process, "the endpoint went away: the run pauses")
        began = time.monotonic()
        _, err = process.communicate(timeout=100)
        self.assertLess(time.monotonic() - began, 20)
        self.assertEqual(process.returncode, 5, err)
        self.assertIn("the endpoint went away and was not back within 1 s", err)
        self.assertLessEqual(set(self.classes()), {"ok", "reset"})

    def test_an_endpoint_that_comes_back_is_told(self):
        one, two = self.mock("--latency-ms", "20"), self.mock("--latency-ms", "20")
        port = two.url.removesuffix("/v1").rsplit(":", 1)[1]
        args = [a for a in self.args(one.url, "-j", "8", "--progress", "json", count=6000) if a not in ("--base-url", one.url)]
        process = self.start(*args, "--endpoint", one.url, "--endpoint", two.url)
        self.wait_rows(50)
        two.kill()
        two.wait()
        self.said(process, f"endpoint 2, {two.url[:-3]}, is out: ")
        again = self.mock("--port", port)
        self.said(process, f"endpoint 2, {two.url[:-3]}, is back")
        _, err = process.communicate(timeout=100)
        self.assertEqual(process.returncode, 0, err)
        told = [e for e in map(json.loads, err.splitlines()) if e["event"] == "summary"][0]["endpoints"]
        self.assertEqual([e["out"] for e in told], [False, False])
        self.assertGreaterEqual(self.mock_end(again)["answered"], 1)
        self.assertEqual(sum(e["good"] for e in told), 6000)

    def test_an_interrupt_ends_the_wait_for_an_endpoint(self):
        mocked = self.mock("--latency-ms", "5")
        process = self.start(*self.args(mocked.url, "-j", "8", "--outage-time", "1000", count=2000))
        self.wait_rows(50)
        mocked.kill()
        self.said(process, "the endpoint went away")
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=100)
        self.assertEqual(process.returncode, 130, err)
        self.assertIn("the same command goes on from here", err)
        self.assertLessEqual(set(self.classes()), {"ok", "reset"})

    def test_errors_for_all_stop_the_run(self):
        """A proxy that has nobody behind it, all night: no rows, few requests, one sentence."""
        mocked = self.mock("--error-rate", "1", "--error-status", "502")
        ended = self.ends(5, *self.args(mocked.url, "--outage-time", "1", count=1000))
        self.assertIn("leat run: the last 128 requests all failed: the run pauses and tries one at a time for 1 s (HTTP 502", ended.err)
        self.assertIn("leat run: the endpoint has not answered well once within 1 s: HTTP 502", ended.err)
        self.assertEqual(self.rows(), {})
        self.assertLessEqual(self.mock_end(mocked)["requests"], 128 + 64 + 6)
        mocked = self.mock()
        self.ends(0, *self.args(mocked.url, count=1000))
        self.assertEqual(self.classes(), {"ok": 1000})

    def test_what_was_in_flight_is_possibly_billed(self):
        """An endpoint that dies has what was in flight over kept connections: each of these may be billed."""
        mocked = self.mock("--latency-ms", "400")
        process = self.start(*self.args(mocked.url, "-j", "20", "--max-attempts", "1", "--outage-time", "1", count=200))
        self.wait_rows(20)
        time.sleep(0.1)  # Most of the next twenty are sent; how many does not matter.
        mocked.kill()
        _, err = process.communicate(timeout=100)
        self.assertEqual(process.returncode, 5, err)
        lost = self.requests_said(Ended(process, "", err)) - self.classes()["ok"]
        self.assertGreater(lost, 0)
        self.assertIn(f", {lost} possibly billed without an answer", err)

    def test_documents_that_break_the_endpoint(self):
        """More of them than make a pause: they have their rows, and the run goes on behind them by itself."""
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                poison = b"poison" in self.rfile.read(int(self.headers["Content-Length"]))
                message = {"role": "assistant", "content": "Good."}
                answer = {"error": {"message": "broken"}} if poison else {"object": "chat.completion", "choices": [
                    {"index": 0, "message": message, "finish_reason": "stop"}]}
                body = json.dumps(answer).encode()
                self.send_response(500 if poison else 200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.addCleanup(server.server_close)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.shutdown)
        texts = ["first"] + ["poison"] * 23 + ["last"] * 10
        self.write("in.jsonl", "".join(self.batch_line(f"d{i}", text) + "\n" for i, text in enumerate(texts)))
        ended = self.ends(1, "run", "in.jsonl", "-o", "out.jsonl", "--base-url", f"http://127.0.0.1:{server.server_port}/v1",
                          "-j", "1", "--max-attempts", "1")
        self.assertEqual(self.classes(), {"ok": 11, "server": 23})
        self.assertIn("leat run: the last 20 requests all failed: the run pauses and tries one at a time for 60 s (HTTP 500", ended.err)
        self.assertIn("the run goes on", ended.err)

    def test_silence_and_then_nobody(self):
        """The request that tries waits in line like all others, and never holds up those who hold its place."""
        server = self.fault("hang")
        process = self.start(*self.args(server.url + "/v1", "-j", "20", "--first-byte-timeout", "0.1", "--outage-time", "5", count=200),
                             env=self.env())
        self.said(process, "the last 40 requests all failed: the run pauses")
        server.kill()
        _, err = process.communicate(timeout=100)
        self.assertEqual(process.returncode, 5, err)
        self.assertIn("the endpoint went away and was not back within 5 s: nobody listens", err)
        self.assertEqual(self.rows(), {})

    def test_a_silent_endpoint_times_out(self):
        server = self.fault("hang")
        ended = self.leat(*self.args(server.url + "/v1", "--first-byte-timeout", "0.2", "--max-retries", "0", count=1), env=self.env())
        self.assertEqual(ended.code, 5, ended.err)
        self.assertEqual(self.classes(), {"timeout": 1})
        self.assertIn("the endpoint has not answered once", ended.err)
        self.assertIn("1 possibly billed", ended.err)
        self.assertNotIn("not reached", ended.err)
        self.assertIn("--retry-failed asks the failed rows again", ended.err)


if __name__ == "__main__":
    main()
