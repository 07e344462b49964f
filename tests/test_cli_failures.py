#!/usr/bin/env python3
"""What can go wrong around a run: one clear sentence, the right exit code, and what was done is kept."""
import json
import os
import pathlib
import resource
import socket
import subprocess
import threading
import unittest

from cli_support import KEY, LEAT, Cli, Endpoint, main


class Refusals(Endpoint):
    def nothing_leaked(self, ended):
        """The key stands nowhere: not in what was said, not in any file."""
        self.assertNotIn(KEY, ended.out + ended.err)
        for name in os.listdir(self.dir):
            self.assertNotIn(KEY.encode(), (self.dir / name).read_bytes(), name)

    def test_tls_on_a_plain_port(self):
        mocked = self.mock()
        url = mocked.url.replace("http:", "https:")
        host = url.removesuffix("/v1")
        ended = self.says(5, f"{host} speaks no TLS: is it an http:// endpoint?", *self.args(url), env=self.env())
        self.nothing_leaked(ended)
        self.assertEqual(self.rows(), {})

    def plain_server(self, answer):
        """Reads a request and sends these bytes, again and again; ends with the test."""
        server = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(server.close)

        def serve():
            while True:
                try:
                    connection = server.accept()[0]
                except OSError:
                    return
                with connection:
                    connection.recv(65536)
                    connection.sendall(answer)
        threading.Thread(target=serve, daemon=True).start()
        return f"http://127.0.0.1:{server.getsockname()[1]}/v1"

    def test_a_cost_that_the_endpoint_names(self):
        """It counts, and not the prices."""
        body = json.dumps({"choices": [{"message": {"role": "assistant", "content": "yes"}, "finish_reason": "stop"}],
                           "usage": {"prompt_tokens": 10, "completion_tokens": 1, "cost": 0.25}}).encode()
        url = self.plain_server(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
                                % (len(body), body))
        for prices in ([], ["--price-in", "1000000"]):
            ended = self.says(4, "the cost is to be no more than 1.1: it is 1,", *self.args(url, "-j", "1", count=20), "--overwrite",
                              "--max-cost", "1.1", *prices)
            self.assertIn("; cost 1.000000\n", ended.err)
            self.assertEqual(len(self.rows()), 4)

    def test_plain_http_on_a_port_of_tls(self):
        """However the server takes it: no rows, and one sentence that names the remedy."""
        server = self.fault("tls-good")
        url = server.url.replace("https:", "http:") + "/v1"
        ended = self.says(5, "closes them without an answer: is it an https:// endpoint?", *self.args(url, count=200))
        self.assertIn("no answer yet, trying for 5 s", ended.err)
        self.assertEqual(self.rows(), {})
        html = b"<html><head><title>400 The plain HTTP request was sent to HTTPS port</title></head><body></body></html>"
        text = b"Client sent an HTTP request to an HTTPS server.\n"
        for kind, body in ((b"text/html", html), (b"text/plain", text)):
            url = self.plain_server(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s"
                                    % (kind, len(body), body))
            ended = self.says(5, "the endpoint speaks TLS: is it an https:// endpoint? (HTTP 400", *self.args(url, "-j", "1", count=200))
            self.assertIn("requests:  1\n", ended.err)
            self.assertEqual(self.rows(), {})

    def test_a_host_that_does_not_exist(self):
        ended = self.ends(5, *self.args("https://no-such-host.invalid/v1", "--max-attempts", "2"), env=self.env())
        self.assertIn("no such host (is the base URL right?): the name no-such-host.invalid", ended.err)
        self.assertEqual(self.rows(), {})
        self.assertNotIn("requests:", ended.err)
        self.nothing_leaked(ended)

    def test_certificates(self):
        """What no second attempt mends is told at once; an old TLS is tried for a while, unless one attempt was asked for."""
        for kind, attempts in (("tls-self-signed", 2), ("tls-wrong-name", 2), ("tls-expired", 2), ("tls-old", 1)):
            with self.subTest(kind):
                server = self.fault(kind)
                ca = [] if kind == "tls-self-signed" else ["--cacert", server.ca]
                ended = self.ends(5, *self.args(server.url + "/v1", *ca, "--overwrite", "--max-attempts", attempts), env=self.env())
                self.assertRegex(ended.err, r"(?i)certificate|TLS|SSL")
                self.assertNotIn("no answer yet", ended.err)
                self.nothing_leaked(ended)
                self.assertEqual(self.rows(), {})
                self.assertEqual(self.fault_end(server), 0, "a request arrived")

    def test_a_certificate_that_is_vouched_for(self):
        server = self.fault("tls-good")
        self.ends(5, *self.args(server.url + "/v1", "--max-attempts", "1"), env=self.env())
        self.ends(0, *self.args(server.url + "/v1", "--cacert", server.ca, "--overwrite"), env=self.env())
        self.assertEqual(self.fault_end(server), 3)
        self.says(2, "nowhere.pem", *self.args(server.url, "--cacert", "nowhere.pem"), env=self.env())

    def test_http2(self):
        for kind in ("http2", "http2-goaway"):
            server = self.fault(kind)
            args = self.args(server.url + "/v1", "--cacert", server.ca, "--overwrite", "-j", "2", count=30)
            ended = self.ends(0, *args, "--http2", "force", env=self.env())
            self.assertEqual(self.classes(), {"ok": 30})
        server = self.fault("tls-good")
        ended = self.ends(0, *self.args(server.url + "/v1", "--cacert", server.ca, "--overwrite"), "--http2", "on", env=self.env())
        self.assertEqual(self.classes(), {"ok": 3})
        if "HTTP/1.1" in ended.err:
            self.assertIn("libcurl", ended.err)

    def test_a_refused_key_stops_the_run(self):
        server = self.fault("echo-key")
        ended = self.ends(5, *self.args(server.url + "/v1", "-j", "2", count=50), env=self.env())
        self.assertRegex(ended.err, r"leat run: .*(401|key)")
        self.nothing_leaked(ended)
        self.assertEqual([n for n in os.listdir(self.dir) if n.startswith("out.jsonl")], [])  # Nothing written, nothing left behind.
        asked = self.fault_end(server)
        self.assertLessEqual(asked, 4)
        self.assertEqual(self.requests_said(ended), asked)
        # The documents were not answered, so they have no row, and go when the key is right.
        mocked = self.mock()
        self.ends(0, *self.args(mocked.url, count=50), env=self.env())
        self.assertEqual(self.classes(), {"ok": 50})

    def test_several_endpoints(self):
        """Two that are well and have limits and keys of their own, one that denies its key, one that is not there."""
        one, two, denies = self.mock("--rpm", "3000"), self.mock("--key", KEY), self.mock("--key", "another")
        args = [a for a in self.args(one.url, count=300) if a not in ("--base-url", one.url)]
        ended = self.ends(0, *args, "--endpoint", f"{one.url},rpm=3000,jobs=5", "--endpoint", f"{two.url},key-env=SECOND_KEY",
                          "--endpoint", f"{denies.url},key-env=SECOND_KEY", "--endpoint", "http://127.0.0.1:9/v1",
                          env={"SECOND_KEY": KEY})
        self.assertEqual(self.classes(), {"ok": 300})
        self.assertNotIn(KEY, ended.err)
        counted = [self.mock_end(m) for m in (one, two, denies)]
        self.assertEqual(counted[0]["answered"] + counted[1]["answered"], 300)
        self.assertGreater(counted[0]["answered"], 0)
        self.assertGreater(counted[1]["answered"], 0)
        self.assertEqual(counted[0]["refused_429"], 0)
        self.assertLessEqual(counted[0]["in_flight_peak"], 5)
        self.assertEqual(counted[2]["answered"], 0)
        # Who is out is told once, and the counts of each are those of the endpoints.
        for words in (f"endpoint 3, {denies.url[:-3]}, is out: ", "endpoint 4, http://127.0.0.1:9, is out: "):
            self.assertEqual(ended.err.count(words), 1, ended.err)
        for i, m in ((1, one), (2, two)):
            self.assertIn(f"  endpoint {i}: {counted[i - 1]['answered']} good, 0 failed, {m.url[:-3]}\n", ended.err)
        self.assertRegex(ended.err, r"  endpoint 3: 0 good, \d+ failed, http://127.0.0.1:\d+ \(out\)")

    def test_a_key_that_is_wrong_at_the_mock(self):
        mocked = self.mock("--key", "the right one")
        ended = self.ends(5, *self.args(mocked.url), env=self.env())
        self.assertIn("leat run: the key of the variable OPENAI_API_KEY was refused: HTTP 401: ", ended.err)
        self.assertNotIn("output:", ended.err)  # There is none.
        self.nothing_leaked(ended)

    def test_an_echoed_key_is_not_written(self):
        server = self.fault("echo-key-400")
        ended = self.ends(1, *self.args(server.url + "/v1", "--stream"), env=self.env())
        self.nothing_leaked(ended)
        self.assertIn("***", (self.dir / "out.jsonl").read_text())

    def test_a_key_from_a_file(self):
        mocked = self.mock("--key", KEY)
        self.write("key", KEY + "\n")
        os.chmod(self.dir / "key", 0o600)
        self.ends(0, *self.args(mocked.url, "--key-file", "key"))
        os.chmod(self.dir / "key", 0o640)
        ended = self.ends(2, *self.args(mocked.url, "--key-file", "key"))
        self.assertIn("leat run: ", ended.err)

    def test_a_key_from_another_variable(self):
        mocked = self.mock("--key", KEY)
        self.ends(0, *self.args(mocked.url, "--key-env", "MY_KEY"), env={"MY_KEY": KEY, "OPENAI_API_KEY": "wrong"})

    def test_a_refusal_in_the_middle_gives_up_nothing(self):
        """Each answer that the endpoint gave has its row, so nothing is billed twice."""
        mocked = self.mock("--error-rate", "0.05", "--error-status", "401", "--latency-ms", "50", "--latency-sigma", "0.3", "--seed", "2")
        asked, ended = 0, None
        for _ in range(60):
            ended = self.leat(*self.args(mocked.url, "-j", "20", count=200))
            asked += self.requests_said(ended)
            if ended.code == 0:
                break
            self.assertEqual(ended.code, 5, ended.err)
            self.assertIn("leat run: no key was sent (the variable OPENAI_API_KEY is not set): HTTP 401: ", ended.err)
        self.assertEqual(self.classes(), {"ok": 200})
        counted = self.mock_end(mocked)
        self.assertEqual(counted["answered"], 200)
        self.assertEqual(counted["requests"], asked)

    def test_a_document_that_is_forbidden_has_its_row(self):
        """While others are answered, a 403 is the document's own matter."""
        mocked = self.mock("--error-rate", "0.05", "--error-status", "403", "--latency-ms", "20", "--latency-sigma", "0.3", "--seed", "2")
        self.ends(1, *self.args(mocked.url, "-j", "20", count=200))
        counted = self.mock_end(mocked)
        self.assertEqual(self.classes(), {"ok": counted["answered"], "auth": counted["errors"]})
        self.assertEqual(counted["requests"], 200)
        self.assertGreater(counted["errors"], 0)

    def test_a_key_that_is_forbidden_stops_the_run(self):
        for count in (3, 200):
            mocked = self.mock("--error-rate", "1", "--error-status", "403")
            ended = self.ends(5, *self.args(mocked.url, "-j", "4", count=count))
            self.assertIn("leat run: the endpoint refuses one document after the other: HTTP 403", ended.err)
            self.assertEqual(self.rows(), {})
            self.assertLessEqual(self.mock_end(mocked)["requests"], 20 + 4)

    def test_a_wrong_path_makes_no_rows(self):
        mocked = self.mock()
        for count in (3, 200):
            ended = self.ends(5, *self.args(mocked.url + "/nope", "-j", "4", count=count))
            self.assertIn("leat run: the endpoint knows no such path or model (are the base URL and the model right?): HTTP 404", ended.err)
            self.assertIn("the same command goes on from here", ended.err)
            self.assertEqual(self.rows(), {})
        self.ends(0, *self.args(mocked.url, count=200))
        self.assertEqual(self.classes(), {"ok": 200})

    def test_a_model_that_one_line_names_wrongly_has_its_row(self):
        mocked = self.mock("--error-rate", "0.1", "--error-status", "404", "--seed", "1")
        self.ends(1, *self.args(mocked.url, "-j", "4", count=100))
        counted = self.mock_end(mocked)
        self.assertEqual(self.classes(), {"ok": counted["answered"], "rejected": counted["errors"]})

    def test_an_exhausted_quota_stops_the_run(self):
        server = self.fault("quota")
        ended = self.ends(5, *self.args(server.url + "/v1", "-j", "2", count=50), env=self.env())
        self.assertIn("quota", ended.err)
        self.assertLessEqual(self.fault_end(server), 4)
        self.assertEqual(self.rows(), {})

    def test_the_first_twenty_all_fail(self):
        mocked = self.mock("--error-rate", "1", "--error-status", "400")
        ended = self.ends(4, *self.args(mocked.url, "-j", "2", count=200))
        self.assertIn("the first 20 documents all failed", ended.err)
        self.assertLess(len(self.rows()), 60)

    def test_too_many_errors(self):
        self.batch("in.jsonl", 100)
        text = (self.dir / "in.jsonl").read_text() + "not JSON\n" * 50 + "".join(self.batch_line(f"z{i}") + "\n" for i in range(400))
        self.write("in.jsonl", text)
        mocked = self.mock("--latency-ms", "5")
        ended = self.ends(4, "run", "in.jsonl", "-o", "out.jsonl", "--base-url", mocked.url, "-j", "2", "--max-errors", "10")
        self.assertIn("10 rows have failed", ended.err)
        self.assertLess(len(self.rows()), 550)

    def test_some_failed(self):
        mocked = self.mock("--error-rate", "0.3", "--error-status", "400", "--seed", "7")
        ended = self.ends(1, *self.args(mocked.url, count=60))
        self.assertRegex(ended.err, r"(?m)^  failed: +\d+ rejected \(")
        self.assertRegex(ended.err, r"(?m)^  first: +HTTP 400: An ordered fault")
        self.assertEqual(len(self.rows()), 60)

    def test_errors_and_cuts_are_tried_again(self):
        mocked = self.mock("--error-rate", "0.2", "--cut-rate", "0.1", "--seed", "3")
        self.ends(0, *self.args(mocked.url, "--max-attempts", "20", count=40))
        self.assertEqual(self.classes(), {"ok": 40})

    def test_a_wait_of_an_hour_is_told(self):
        self.write("script", '{"fault":"status", "status":429, "retry_after":"3600", "request":[2,3]}\n')
        server = self.mock("--script", "script")
        ended = self.ends(1, *self.args(server.url, "-j", "1", "--throttle-time", "0.5", count=5))
        self.assertEqual(self.classes(), {"ok": 3, "throttled": 2})
        self.assertEqual(ended.err.count("the endpoint asks to wait for 36"), 1, ended.err)

    def test_answers_that_were_thrown_away_are_counted(self):
        """An empty answer is asked for once more; both are paid for."""
        self.write("script", '{"fault":"empty", "request":2}\n')
        server = self.mock("--script", "script")
        ended = self.ends(0, *self.args(server.url, "-j", "1", "--progress", "json"))
        rows = [self.rows()[f"doc-{i}"]["leat"] for i in range(3)]
        self.assertEqual([row["attempts"] for row in rows], [1, 2, 1])
        self.assertEqual(rows[1]["tokens_in"], 2 * rows[0]["tokens_in"])
        summary = json.loads(ended.err.splitlines()[-1])
        self.assertEqual(summary["tokens_in"], 4 * rows[0]["tokens_in"])

    def spent(self, ended):
        summary = json.loads(ended.err.splitlines()[-1])
        return summary["tokens_in"] + summary["tokens_out"], summary

    def test_tokens_that_may_be_spent(self):
        """The run stops at the sum, and the same command goes on from there."""
        mocked = self.mock("--latency-ms", "5")
        args = self.args(mocked.url, "-j", "8", "--progress", "json", count=100)
        one, _ = self.spent(self.ends(4, *args, "--max-total-tokens", "1"))
        self.assertEqual(len(self.rows()), 1)
        ended = self.says(4, "tokens are to be spent", *args, "--max-total-tokens", 30 * one)
        tokens, _ = self.spent(ended)
        self.assertGreater(tokens, 20 * one)
        self.assertLessEqual(tokens, 30 * one + 8 * one / 2)  # What those in flight used beyond the mean: texts differ by a digit.
        self.assertIn("the same command goes on from here", ended.err)
        kept = self.rows()
        self.ends(0, *args, "--max-total-tokens", 1000 * one)
        self.assertEqual(self.classes(), {"ok": 100})
        self.assertEqual({key: self.rows()[key] for key in kept}, kept)

    def test_a_cost_that_may_be_spent(self):
        mocked = self.mock()
        args = self.args(mocked.url, "-j", "4", "--progress", "json", count=60)
        prices = ["--price-in", "1000000", "--price-out", "2000000"]
        _, one = self.spent(self.ends(4, *args, *prices, "--max-cost", "0.5"))
        self.assertAlmostEqual(one["cost"], one["tokens_in"] + 2 * one["tokens_out"])
        ended = self.says(4, "the cost is to be no more than", *args, *prices, "--max-cost", 20 * one["cost"])
        _, summary = self.spent(ended)
        self.assertGreater(summary["cost"], 10 * one["cost"])
        self.assertLessEqual(summary["cost"], 20 * one["cost"] + 4 * one["cost"] / 2)
        ended = self.says(4, "needs prices", *args, "--max-cost", "5")  # Nobody says what an answer costs.
        self.assertEqual(self.spent(ended)[1]["requests"], 1)
        _, summary = self.spent(self.ends(0, *args, *prices))
        self.assertAlmostEqual(summary["cost"], summary["tokens_in"] + 2 * summary["tokens_out"])
        self.assertEqual(self.classes(), {"ok": 60})
        self.says(2, "--max-cost", *args, "--max-cost", "0")
        self.says(2, "--max-total-tokens", *args, "--max-total-tokens", "0")

    def test_a_limit_of_the_endpoint_is_waited_for(self):
        mocked = self.mock("-j", "3")
        self.ends(0, *self.args(mocked.url, "-j", "6", "--throttle-time", "60", count=30))
        self.assertEqual(self.classes(), {"ok": 30})

    def test_the_limit_of_open_files_is_raised_as_needed(self):
        """Many at once, from a shell that allows few files: as many as were asked for are in flight, and all succeed."""
        mocked = self.mock("--latency-ms", "3000")
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        jobs = min(1500, hard - 300)
        args = self.args(mocked.url, "-j", str(jobs), count=jobs)

        def before():
            resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
        self.ends(0, *args, before=before)
        stats = self.mock_end(mocked)
        self.assertEqual(stats["answered"], jobs)
        self.assertGreater(stats["in_flight_peak"], 256)

    def test_plain_http_to_others_is_refused(self):
        ended = self.says(2, "plain http to another machine", *self.args("http://llm.invalid/v1"), env=self.env())
        self.assertIn("--allow-http", ended.err)

    def test_an_empty_url_is_refused(self):
        """A script's variable that is not set: nothing goes to an endpoint that nobody has named."""
        self.says(2, "the value of --base-url is empty: is a variable not set?", *self.args(""), env=self.env())
        self.batch("in.jsonl", 1)
        self.says(2, "the environment variable OPENAI_BASE_URL is empty", "run", "in.jsonl", "-o", "out.jsonl",
                  env={**self.env(), "OPENAI_BASE_URL": ""})
        self.assertFalse((self.dir / "out.jsonl").exists())


class Output(Cli):
    def args(self, output, *more, count=30):
        self.batch("in.jsonl", count)
        return ["run", "in.jsonl", "-o", output, "--base-url", "mock:", *more]

    def test_a_folder_that_does_not_exist(self):
        ended = self.ends(8, *self.args("nowhere/out.jsonl"))
        self.assertIn("nowhere/out.jsonl", ended.err)
        self.assertNotIn("rows:", ended.err)

    def test_an_output_that_is_a_folder(self):
        os.mkdir(self.dir / "folder")
        ended = self.leat(*self.args("folder"))
        self.assertIn(ended.code, (2, 8), ended.err)
        self.assertIn("folder", ended.err)

    def test_a_device_that_is_full(self):
        ended = self.ends(8, *self.args("/dev/full"))
        self.assertIn("/dev/full", ended.err)
        with open("/dev/full", "w") as full:
            self.ends(8, *self.args("-"), stdout=full)

    def test_a_reader_that_goes_away(self):
        self.batch("in.jsonl", 500)
        reader, writer = os.pipe()
        process = self.start("run", "in.jsonl", "-o", "-", "--base-url", "mock:", stdout=writer)
        os.close(writer)
        os.read(reader, 100)
        os.close(reader)
        _, err = process.communicate(timeout=100)
        self.assertEqual(process.returncode, 8, err)
        self.assertRegex(err, r"leat run: .*[Bb]roken pipe")
        self.assertNotRegex(err, r"goes on|kept")

    def test_the_null_device(self):
        ended = self.ends(0, *self.args("/dev/null"))
        self.assertIn("leat run: the output is /dev/null: no row is kept, and nothing can be resumed", ended.err)

    def test_a_limit_on_the_size_of_files(self):
        """What fits is kept, whole rows only; with more room it goes on."""
        def before():
            resource.setrlimit(resource.RLIMIT_FSIZE, (20000, resource.RLIM_INFINITY))
        ended = self.ends(8, *self.args("out.jsonl", count=200), before=before)
        self.assertRegex(ended.err, r"leat run: .*out.jsonl")
        self.assertIn("the same command goes on from here", ended.err)
        kept = len(self.rows())
        self.assertIn(f"rows:      {kept} good,", ended.err)
        self.assertGreater(kept, 0)
        self.assertLess(kept, 200)
        self.ends(0, *self.args("out.jsonl", count=200))
        self.assertEqual(len(self.rows()), 200)

    @unittest.skipIf(b"__tsan_init" in pathlib.Path(LEAT).read_bytes(), "ThreadSanitizer writes a file of its own before main")
    def test_no_room_for_the_settings_leaves_nothing_behind(self):
        def before():
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
        ended = self.ends(8, *self.args("out.jsonl"), before=before)
        self.assertIn("leat run: cannot write out.jsonl.leat: ", ended.err)
        self.assertEqual(sorted(os.listdir(self.dir)), ["in.jsonl"])

    def test_a_full_disk(self):
        """The same on a small file system of its own, where one may be mounted."""
        disk = self.dir / "disk"
        disk.mkdir()
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", disk], stderr=subprocess.DEVNULL).returncode:
            self.skipTest("no right to mount a file system; the limit on file sizes is tested all the same")
        try:
            ended = self.ends(8, *self.args("disk/out.jsonl", count=400))
            self.assertRegex(ended.err, r"leat run: .*[Nn]o space")
            kept = len(self.rows("disk/out.jsonl"))
            self.assertGreater(kept, 0)
            subprocess.run(["mount", "-o", "remount,size=4m", disk], check=True)
            self.ends(0, *self.args("disk/out.jsonl", count=400))
            self.assertEqual(len(self.rows("disk/out.jsonl")), 400)
        finally:
            subprocess.run(["umount", disk], check=True)

    def test_rows_are_valid_json_in_utf8(self):
        self.ends(0, *self.args("out.jsonl"))
        for line in (self.dir / "out.jsonl").read_bytes().splitlines():
            json.loads(line.decode("utf-8"))


if __name__ == "__main__":
    main()
