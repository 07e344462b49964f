#!/usr/bin/env python3
"""Each fault that `leat mock` can play, as its bytes come over the socket."""
import email.utils
import gzip
import json
import socket
import time
import zlib

from cli_support import Cli, LIMIT_S, main

TEXT = "Zw\u00f6lf cats sl\u00e9pt on the \U0001f408 mat."
CHAT = "/v1/chat/completions"


class Answer:
    """The bytes of an answer, cut into its parts; `times` are those of the reads."""

    def __init__(self, raw, times, was_reset):
        self.raw, self.times, self.was_reset = raw, times, was_reset
        head, _, self.rest = raw.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        self.status = int(lines[0].split()[1]) if lines[0].startswith("HTTP/") else None
        self.header = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}

    def body(self):
        """(body, whether it is whole)"""
        if self.header.get("transfer-encoding") != "chunked":
            size = int(self.header.get("content-length", len(self.rest)))
            return self.rest[:size], len(self.rest) >= size
        body, rest = b"", self.rest
        while True:
            size, found, rest = rest.partition(b"\r\n")
            if not found:
                return body, False
            if int(size, 16) == 0:
                return body, True
            body += rest[:int(size, 16)]
            rest = rest[int(size, 16) + 2:]

    def json(self):
        body, is_whole = self.body()
        assert is_whole, self.raw
        return json.loads(body)

    def chunks(self):
        """The data of the events of a stream, '[DONE]' as it is."""
        body, _ = self.body()
        text = body.decode().replace("\r\n", "\n").replace("\r", "\n")
        return [block.partition("data:")[2].strip() for block in text.split("\n\n") if "data:" in block]


class Faults(Cli):
    def serve(self, fault, *args, **more):
        self.write("script", json.dumps({"fault": fault, **more}))
        self.process = self.mock("--script", "script", "--log", "log.jsonl", *args)
        self.port = int(self.process.url.rsplit(":", 1)[1].removesuffix("/v1"))

    def request(self, path=CHAT, body=None, stream=False, headers=""):
        if body is None:
            body = {"model": "m", "messages": [{"role": "user", "content": TEXT}], "max_tokens": 90}
        if stream:
            body = {**body, "stream": True}
        text = json.dumps(body).encode()
        return f"POST {path} HTTP/1.1\r\nHost: x\r\n{headers}Content-Length: {len(text)}\r\n\r\n".encode() + text

    def ask(self, enough=None, **request):
        """Sends a request and reads until the server ends the connection, the answer is whole, or `enough` says so."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=LIMIT_S) as sock:
            sock.sendall(self.request(**request))
            return self.read(sock, enough)

    def read(self, sock, enough=None):
        raw, times, was_reset = b"", [], False
        while True:
            answer = Answer(raw, times, was_reset)
            if raw and (enough(answer) if enough else b"\r\n\r\n" in raw and self.is_whole(answer)):
                return answer
            try:
                piece = sock.recv(1 << 16)
            except ConnectionResetError:
                return Answer(raw, times, True)
            if not piece:
                return answer
            raw += piece
            times.append(time.monotonic())

    def is_whole(self, answer):
        has_end = "content-length" in answer.header or answer.header.get("transfer-encoding") == "chunked"
        return has_end and "x-raw" not in answer.header and answer.body()[1]

    def one(self, fault, *args, seconds=None, enough=None, **request):
        """The answer of an endpoint that plays the fault on all requests; the endpoint is ended."""
        self.serve(fault, *args, **({} if seconds is None else {"seconds": seconds}))
        answer = self.ask(enough=enough, **request)
        self.counters = self.mock_end(self.process)
        return answer


class Statuses(Faults):
    def test_refusals(self):
        for fault, status, code, header in (
                ("rate-limit", 429, "rate_limit_exceeded", ("retry-after", "1")),
                ("rate-limit-bare", 429, "rate_limit_exceeded", None),
                ("rate-limit-negative", 429, "rate_limit_exceeded", ("retry-after", "-5")),
                ("rate-limit-fraction", 429, "rate_limit_exceeded", ("retry-after", "1.5")),
                ("rate-limit-huge", 429, "rate_limit_exceeded", ("retry-after", "86400000")),
                ("rate-limit-past", 429, "rate_limit_exceeded", ("retry-after", "Thu, 01 Jan 2015 00:00:00 GMT")),
                ("rate-limit-ms", 429, "rate_limit_exceeded", ("retry-after-ms", "1200")),
                ("rate-limit-text", 429, "rate_limit_exceeded", None),
                ("quota", 429, "insufficient_quota", None), ("quota-day", 429, "rate_limit_exceeded", None),
                ("overloaded", 529, None, None), ("unavailable", 503, None, None), ("capacity", 498, "capacity_exceeded", None),
                ("loading", 503, None, None), ("key-revoked", 401, "invalid_api_key", None), ("no-model", 404, "model_not_found", None),
                ("too-long", 400, "context_length_exceeded", None), ("filtered-400", 400, "content_filter", None),
                ("error-200", 200, "server_error", None), ("status", 500, None, None)):
            answer = self.one(fault)
            self.assertEqual((answer.status, answer.json()["error"]["code"]), (status, code), fault)
            if header:
                self.assertEqual(answer.header[header[0]], header[1], fault)
            else:
                self.assertFalse({"retry-after", "retry-after-ms"} & set(answer.header), fault)
        self.assertIn("try again in 1.289s", self.one("rate-limit-text").json()["error"]["message"])

    def test_a_date(self):
        answer = self.one("rate-limit-date", seconds=30)
        until = email.utils.parsedate_to_datetime(answer.header["retry-after"]).timestamp()
        now = email.utils.parsedate_to_datetime(answer.header["date"]).timestamp()
        self.assertIn(until - now, (30, 31, 32))

    def test_other_forms_have_their_own(self):
        gemini = {"contents": [{"parts": [{"text": TEXT}]}]}
        error = self.one("rate-limit", seconds=2.5, path="/v1beta/models/g:generateContent", body=gemini).json()["error"]
        self.assertEqual((error["status"], error["details"][0]["retryDelay"]), ("RESOURCE_EXHAUSTED", "2.500s"))
        version = "anthropic-version: 1\r\n"
        self.assertEqual(self.one("overloaded", path="/v1/messages", headers=version).json()["error"]["type"], "overloaded_error")
        self.assertEqual(self.one("rate-limit", seconds=3, path="/v1/messages", headers=version).header["retry-after"], "3")

        azure = "/openai/deployments/d/chat/completions?api-version=1"
        self.assertEqual(self.one("filtered-400", path=azure).json()["error"]["innererror"]["code"], "ResponsibleAIPolicyViolation")
        details = self.one("quota-day", path="/v1beta/models/g:generateContent", body=gemini).json()["error"]["details"]
        self.assertIn("PerDay", details[0]["violations"][0]["quotaId"])

    def test_what_is_no_answer_of_an_endpoint(self):
        page = self.one("html-error")
        self.assertEqual((page.status, page.header["content-type"][:9], page.body()[0][:9]), (502, "text/html", b"<!DOCTYPE"))
        self.assertEqual(self.one("html").status, 200)
        moved = self.one("redirect")
        self.assertEqual((moved.status, moved.header["location"]), (302, "/health"))

    def test_limits_that_mean_nothing(self):
        answer = self.one("rate-limit-nonsense")
        self.assertEqual((answer.status, answer.header["x-ratelimit-remaining-requests"]), (200, "-1"))


class Texts(Faults):
    def test_choices(self):
        self.assertEqual(self.one("no-choice").json()["choices"], [])
        self.assertTrue(all(chunk == "[DONE]" or json.loads(chunk)["choices"] == [] for chunk in self.one("no-choice", stream=True).chunks()))
        for fault, text, reason in (("empty", "", "stop"), ("filtered", "", "content_filter"), ("length", TEXT, "length"),
                                    ("loop", " so" * 90, "length")):
            choice = self.one(fault).json()["choices"][0]
            self.assertEqual((choice["message"]["content"], choice["finish_reason"]), (text, reason), fault)

    def test_usage(self):
        self.assertNotIn("usage", self.one("no-usage").json())
        usage = json.loads(self.one("usage-unasked", stream=True).chunks()[-2])
        self.assertEqual((usage["choices"], usage["usage"]["prompt_tokens"] > 0), ([], True))

    def test_usage_in_each_chunk(self):
        told = [json.loads(chunk).get("usage") for chunk in self.one("usage-each", stream=True).chunks()[:-1]]
        counts = [usage["completion_tokens"] for usage in filter(None, told)]
        self.assertEqual(counts, sorted(counts))
        self.assertGreater(counts[-1], 5)

    def test_filtered_in_other_forms(self):
        gemini = {"contents": [{"parts": [{"text": TEXT}]}]}
        path = "/v1beta/models/g:generateContent"
        candidate = self.one("filtered", path=path, body=gemini).json()["candidates"][0]
        self.assertEqual((candidate["finishReason"], "content" in candidate), ("SAFETY", False))
        self.assertEqual(self.one("no-choice", path=path, body=gemini).json()["candidates"], [])
        version = "anthropic-version: 1\r\n"
        self.assertEqual(self.one("filtered", path="/v1/messages", headers=version).json()["stop_reason"], "refusal")
        self.assertEqual(self.one("no-choice", path="/v1/messages", headers=version).json()["content"], [])
        whole = self.one("filtered", path="/v1/responses", body={"model": "m", "input": TEXT}).json()
        self.assertEqual(whole["incomplete_details"], {"reason": "content_filter"})

    def test_bytes_that_are_no_text(self):
        for stream in (False, True):
            body, _ = self.one("bad-utf8", stream=stream).body()
            self.assertIn(b"\xff\xfe\xc0", body)
            self.assertTrue(self.one("bom", stream=stream).body()[0].startswith(b"\xef\xbb\xbf"))
        with self.assertRaises(ValueError):
            self.one("broken-json").json()
        wrong = 0
        for chunk in self.one("broken-json", stream=True).chunks()[:-1]:
            try:
                json.loads(chunk)
            except ValueError:
                wrong += 1
        self.assertEqual(wrong, 1)

    def test_vectors(self):
        embed = {"path": "/v1/embeddings", "body": {"model": "m", "dimensions": 2, "input": ["a", "b", "c"]}}
        self.assertEqual([item["index"] for item in self.one("embed-reordered", **embed).json()["data"]], [2, 1, 0])
        self.assertEqual([item["index"] for item in self.one("embed-short", **embed).json()["data"]], [0, 1])


class Streams(Faults):
    def folded(self, answer):
        chunks = answer.chunks()
        return "".join(json.loads(chunk)["choices"][0]["delta"].get("content", "") for chunk in chunks if chunk != "[DONE]")

    def test_how_events_are_written(self):
        for fault, has, has_not in (("crlf", b"}\r\n\r\n", b"}\n\n"), ("cr", b"}\r\r", b"\n"), ("no-space", b"data:{", b"data: "),
                                    ("comments", b": still here\ndata: {", b"\n\ndata: {")):
            answer = self.one(fault, stream=True)
            body, is_whole = answer.body()
            self.assertTrue(is_whole and has in body and has_not not in body, (fault, body[:300]))
            self.assertEqual(self.folded(answer), TEXT)
        body, _ = self.one("multi-line", stream=True).body()
        self.assertIn(b'data: {\ndata: "id"', body)
        joined = [json.loads(block.replace("data: ", "")) for block in body.decode().split("\n\n")[:-2]]
        self.assertEqual("".join(chunk["choices"][0]["delta"].get("content", "") for chunk in joined), TEXT)

    def test_how_they_end(self):
        chunks = self.one("no-finish", stream=True).chunks()
        self.assertTrue(all(json.loads(chunk)["choices"][0]["finish_reason"] is None for chunk in chunks))
        chunks = self.one("no-done", stream=True).chunks()
        self.assertEqual(json.loads(chunks[-1])["choices"][0]["finish_reason"], "stop")
        answer = self.one("stream-error", stream=True)
        self.assertTrue(answer.body()[1])
        self.assertEqual(json.loads(answer.chunks()[-1])["error"]["code"], "server_error")
        self.assertEqual(self.one("stream-error").status, 500)

    def test_errors_in_the_streams_of_other_forms(self):
        gemini = {"contents": [{"parts": [{"text": TEXT}]}]}
        path = "/v1beta/models/g:streamGenerateContent"
        self.assertEqual(self.one("stream-error", path=path, body=gemini).json()[-1]["error"]["status"], "INTERNAL")
        self.assertEqual(json.loads(self.one("stream-error", path=path + "?alt=sse", body=gemini).chunks()[-1])["error"]["code"], 500)
        body, _ = self.one("stream-error", path="/v1/messages", stream=True, headers="anthropic-version: 1\r\n").body()
        name, data = body.decode().strip().split("\n\n")[-1].split("\n")
        self.assertEqual((name, json.loads(data[6:])["type"]), ("event: error", "error"))
        body, _ = self.one("stream-error", path="/api/chat").body()
        self.assertIn("error", json.loads(body.splitlines()[-1]))

    def test_times(self):
        for stream in (False, True):
            start = time.monotonic()
            answer = self.one("keepalive", seconds=0.3, stream=stream)
            self.assertGreater(time.monotonic() - start, 0.3)
            body, is_whole = answer.body()
            self.assertTrue(is_whole)
            self.assertTrue(body.startswith(b": still here\n\n" if stream else b"\n"))
        start = time.monotonic()
        self.assertEqual(self.folded(self.one("slow", seconds=0.3, stream=True)), TEXT)
        self.assertGreater(time.monotonic() - start, 0.3)
        start = time.monotonic()
        answer = self.one("dribble", seconds=1, stream=True)
        self.assertEqual(self.folded(answer), TEXT)
        self.assertGreater(len(answer.times), 10)  # reads, where a stream comes in one or two otherwise
        self.assertGreater(time.monotonic() - start, 0.9)
        answer = self.one("buffered", "--tokens-per-second", "50", stream=True)
        self.assertEqual(self.folded(answer), TEXT)
        self.assertLess(len(answer.times), 6)

    def test_those_that_stop(self):
        answer = self.one("silent", seconds=0.3, stream=True)
        self.assertFalse(answer.body()[1])
        self.assertGreater(len(answer.chunks()), 2)
        answer = self.one("open-end", seconds=3600, stream=True, enough=lambda answer: b"[DONE]\n\n" in answer.raw)
        self.assertFalse(answer.body()[1])  # the last chunk is held back; the endpoint's end has ended the wait
        start = time.monotonic()
        answer = self.one("hang", seconds=0.3)
        self.assertEqual(answer.raw, b"")
        self.assertGreater(time.monotonic() - start, 0.3)


class Wire(Faults):
    def test_compressed(self):
        answer = self.one("gzip")
        self.assertEqual(answer.header["content-encoding"], "gzip")
        self.assertEqual(json.loads(gzip.decompress(answer.body()[0]))["choices"][0]["message"]["content"], TEXT)
        inflated = gzip.decompress(self.one("gzip", stream=True).body()[0])
        self.assertTrue(inflated.startswith(b"data: {") and inflated.endswith(b"data: [DONE]\n\n"))
        with self.assertRaises((zlib.error, gzip.BadGzipFile, EOFError)):
            gzip.decompress(self.one("gzip-corrupt").body()[0])
        body, _ = self.one("bomb").body()
        self.assertLess(len(body), 1 << 20)
        self.assertEqual(len(gzip.decompress(body)), 64 << 20)

    def test_heads(self):
        hints = self.one("early-hints")
        self.assertEqual([line for line in hints.raw.split(b"\r\n") if line.startswith(b"HTTP/")],
                         [b"HTTP/1.1 100 Continue", b"HTTP/1.1 103 Early Hints", b"HTTP/1.1 200 OK"])
        old = self.one("http10")
        self.assertTrue(old.raw.startswith(b"HTTP/1.0 200 OK") and "content-length" not in old.header)
        self.assertEqual(json.loads(old.rest)["choices"][0]["message"]["content"], TEXT)
        self.assertEqual(len(self.one("huge-header", enough=lambda answer: False).header["x-huge"]), 128 << 10)
        both = self.one("length-both", enough=lambda answer: False)
        self.assertTrue({"content-length", "transfer-encoding"} <= set(both.header))
        less = self.one("length-less", enough=lambda answer: False)
        self.assertAlmostEqual(len(less.rest), 2 * int(less.header["content-length"]), delta=1)
        self.assertFalse(self.one("garbage", enough=lambda answer: False).raw.startswith(b"HTTP/"))

    def test_without_end(self):
        answer = self.one("flood", enough=lambda answer: len(answer.raw) > 5 << 20)
        self.assertNotIn("content-length", answer.header)

    def test_ends(self):
        for stream in (False, True):
            for fault, was_reset in (("cut", False), ("cut-reset", True)):
                answer = self.one(fault, stream=stream)
                self.assertEqual((answer.status, answer.body()[1], answer.was_reset, self.counters["cut"]), (200, False, was_reset, 1), fault)
        for fault, was_reset in (("close", False), ("reset", True)):
            answer = self.one(fault)
            self.assertEqual((answer.raw, answer.was_reset, self.counters["cut"]), (b"", was_reset, 1), fault)
            self.assertEqual([json.loads(line)["end"] for line in (self.dir / "log.jsonl").read_text().splitlines()][-1], "cut")

    def test_a_race_on_a_kept_connection(self):
        self.serve("reset", request=2)
        with socket.create_connection(("127.0.0.1", self.port), timeout=LIMIT_S) as sock:
            sock.sendall(self.request())
            self.assertEqual(self.read(sock).status, 200)
            sock.sendall(self.request())
            answer = self.read(sock)
            self.assertEqual((answer.raw, answer.was_reset), (b"", True))
        self.assertEqual(self.ask().status, 200)


class All(Faults):
    def test_a_run_gets_a_row_for_each_document(self):
        # What ends a run, as it should, and what lasts is left out.
        out = {"status", "quota", "quota-day", "key-revoked", "flood", "hang", "silent", "redirect", "html", "no-model", "bomb",
               "rate-limit-huge", "rate-limit-ms", "open-end"}
        names = [line.split()[0] for line in self.ends(0, "mock", "--list-faults").out.split("\n\n")[0].splitlines()]
        self.write("script", "\n".join(json.dumps({"fault": name, "rate": 0.01, "seconds": 0.1}) for name in names if name not in out))
        mock = self.mock("--script", "script")
        self.batch("in.jsonl", 120)
        ended = self.leat("run", "in.jsonl", "-o", "out.jsonl", "--base-url", mock.url, "-j", "32")
        self.assertIn(ended.code, (0, 1), ended.err)
        self.assertEqual(len(self.rows()), 120)
        self.assertGreater(self.classes()["ok"], 60)

    def test_each_fault_leaves_the_endpoint_well(self):
        # All faults one after the other at one endpoint, in one piece and streamed; then it answers as if nothing had been.
        names = [line.split()[0] for line in self.ends(0, "mock", "--list-faults").out.split("\n\n")[0].splitlines()]
        self.assertGreater(len(names), 50)
        lines = [json.dumps({"fault": name, "seconds": 0.05, "request": [2 * i + 1, 2 * i + 2]}) for i, name in enumerate(names)]
        self.write("script", "\n".join(lines))
        self.process = self.mock("--script", "script", "--log", "log.jsonl")
        self.port = int(self.process.url.rsplit(":", 1)[1].removesuffix("/v1"))
        for name in names:
            for stream in (False, True):
                self.ask(stream=stream, enough=(lambda answer: len(answer.raw) > 1 << 20) if name == "flood" else None)
        self.assertEqual(self.ask().json()["choices"][0]["message"]["content"], TEXT)
        stats = self.mock_end(self.process)
        self.assertEqual(stats["requests"], 2 * len(names) + 1)
        played = [json.loads(line).get("fault") for line in (self.dir / "log.jsonl").read_text().splitlines()]
        self.assertEqual(sorted(filter(None, played)), sorted(names * 2))


if __name__ == "__main__":
    main()
