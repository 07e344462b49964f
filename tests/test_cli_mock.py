#!/usr/bin/env python3
"""`leat mock` as a tool of its own: scripts, limits of keys and times, its log, and how it ends."""
import json
import os
import resource
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request

from cli_support import Cli, LEAT, LIMIT_S, ROOT, main

CHECK = ROOT / "tests/check_mock_log.py"


class Mock(Cli):
    def ask(self, mock, key=None, text="One. Two.", **more):
        """(status, headers, body as text) of a chat."""
        body = {"model": "m", "messages": [{"role": "user", "content": text}], **more}
        request = urllib.request.Request(mock.url + "/chat/completions", json.dumps(body).encode(), {"Content-Type": "application/json"})
        if key:
            request.add_header("Authorization", "Bearer " + key)
        try:
            with urllib.request.urlopen(request, timeout=LIMIT_S) as reply:
                return reply.status, reply.headers, reply.read().decode()
        except urllib.error.HTTPError as refused:
            return refused.code, refused.headers, refused.read().decode()

    def check(self, code, *args):
        done = subprocess.run([sys.executable, "-B", CHECK, "log.jsonl", *args], cwd=self.dir, capture_output=True, text=True,
                              timeout=LIMIT_S)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done

    def log(self):
        return [json.loads(line) for line in (self.dir / "log.jsonl").read_text().splitlines()]


class Limits(Mock):
    def test_each_key_has_its_own(self):
        self.write("script", '{"rpm":2}\n{"key":"sk-large","rpm":4}\n{"key":"sk-slow","in_flight":1}\n')
        mock = self.mock("--script", "script", "--log", "log.jsonl")
        asked = {key: [self.ask(mock, key)[0] for _ in range(5)] for key in (None, "sk-small", "sk-large")}
        self.assertEqual(asked, {None: [200, 200, 429, 429, 429], "sk-small": [200, 200, 429, 429, 429],
                                 "sk-large": [200, 200, 200, 200, 429]})
        self.mock_end(mock)
        self.assertNotIn("sk-", (self.dir / "log.jsonl").read_text())

    def test_the_log_shows_that_the_limit_was_kept(self):
        mock = self.mock("--rpm", "40", "--tpm", "900", "--log", "log.jsonl", "--error-rate", "0.2")
        # One key asks for little and is stopped by its requests, the other one for much and is stopped by its tokens.
        threads = [threading.Thread(target=lambda key, most: [self.ask(mock, key, max_tokens=most) for _ in range(40)],
                                    args=(f"sk-{n % 2}", 1 + n % 2 * 60)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.mock_end(mock)
        seen = json.loads(self.check(0, "--rpm", "40", "--tpm", "900").stdout)
        self.assertEqual(seen["requests"], 160)
        self.assertEqual(seen["keys"], 2)
        self.assertEqual((seen["requests_max"], seen["decisions"]["limited_requests"]), (40, 40))
        self.assertGreater(seen["decisions"]["limited_tokens"], 60)
        # The checker sees what is wrong: one less would have been passed, and one more would have let another in.
        self.assertIn("accepted over a limit", self.check(1, "--rpm", str(seen["requests_max"] - 1), "--tpm", "900").stderr)
        self.assertIn("was refused", self.check(1, "--rpm", "1000", "--tpm", "100000").stderr)

    def test_input_and_output_have_limits_of_their_own(self):
        mock = self.mock("--itpm", "200", "--otpm", "100", "--log", "log.jsonl")
        first = [self.ask(mock, "sk-in", "One. Two.", max_tokens=1)[0] for _ in range(30)]
        second = [self.ask(mock, "sk-out", "One. Two.", max_tokens=30)[0] for _ in range(5)]
        self.assertEqual(second, [200, 200, 200, 429, 429])
        self.assertEqual((first[0], first[-1]), (200, 429))
        self.assertIn("input tokens per min (TPM): Limit 200", self.ask(mock, "sk-in", max_tokens=1)[2])
        self.assertIn("output tokens per min (TPM): Limit 100, Used 90", self.ask(mock, "sk-out", max_tokens=30)[2])
        self.mock_end(mock)
        seen = json.loads(self.check(0, "--itpm", "200", "--otpm", "100").stdout)
        self.assertEqual(seen["output_max"], 90)
        self.assertGreater(seen["input_max"], 180)
        self.check(1, "--itpm", str(seen["input_max"] - 1), "--otpm", "100")
        self.check(1, "--itpm", "2000", "--otpm", "1000")

    def test_a_limit_that_changes_at_a_time(self):
        mock = self.mock("--rpm", "100000", "--limit-at", "0.3s=rpm:3", "--log", "log.jsonl")
        self.assertEqual(self.ask(mock)[1]["x-ratelimit-limit-requests"], "100000")
        self.wait_for("the new limit", lambda: self.ask(mock)[1]["x-ratelimit-limit-requests"] == "3")
        self.assertEqual(self.ask(mock)[0], 429)  # what came before counts in the new window
        self.mock_end(mock)
        self.check(0, "--rpm", "100000", "--limit-at", "0.3s=rpm:3")
        self.check(1, "--rpm", "100000", "--limit-at", "0s=rpm:3")

    def test_a_key_may_have_one_in_flight(self):
        self.write("script", '{"key":"sk-slow","in_flight":1}\n{"fault":"slow","key":"sk-slow","seconds":3600,"request":1}\n')
        mock = self.mock("--script", "script")
        body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "x"}]})
        held = self.start("-sN", "-o", "/dev/null", "-H", "Authorization: Bearer sk-slow", "-d", body, mock.url + "/chat/completions",
                          program="curl")
        stats = mock.url.replace("/v1", "/stats")
        self.wait_for("a request in flight", lambda: json.load(urllib.request.urlopen(stats))["in_flight"] == 1)
        status, headers, _ = self.ask(mock, "sk-slow")
        self.assertEqual((status, headers["Retry-After"]), (503, "1"))
        self.assertEqual(self.ask(mock, "sk-other")[0], 200)
        self.assertEqual(self.mock_end(mock)["refused_503"], 1)
        held.wait(LIMIT_S)


class Times(Mock):
    def test_times_are_spread_around_their_median(self):
        mock = self.mock("--first-token-ms", "300", "--first-token-sigma", "0.7", "--tokens-per-second", "20", "--tokens-sigma", "0.7",
                         "--log", "log.jsonl")
        for stream in (False, True):
            threads = [threading.Thread(target=self.ask, args=(mock,), kwargs={"stream": stream, "max_tokens": 4}) for _ in range(24)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        self.mock_end(mock)
        took = [row["ms"] for row in self.log()]
        self.assertEqual(len(took), 48)
        # Medians: 300 ms to the first of four tokens, and 50 ms for each other. One in a million has all on one side.
        self.assertLess(min(took), 400)
        self.assertGreater(max(took), 500)
        self.assertGreater(min(took), 10)


class Crowd(Mock):
    def test_ten_thousand_requests_wait_at_once(self):
        count = 10000
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard < count + 1000:
            self.skipTest(f"{hard} descriptors are too few")
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        mock = self.mock("--latency-ms", "3600000")
        body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "x"}]}).encode()
        request = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
        port = int(mock.url.rsplit(":", 1)[1].removesuffix("/v1"))
        sockets = []
        self.addCleanup(lambda: [sock.close() for sock in sockets])
        for _ in range(count):
            sockets.append(socket.create_connection(("127.0.0.1", port), timeout=LIMIT_S))
            sockets[-1].sendall(request)
        stats = mock.url.replace("/v1", "/stats")
        self.wait_for("all of them", lambda: json.load(urllib.request.urlopen(stats))["in_flight"] == count)
        self.assertEqual(self.mock_end(mock)["in_flight_peak"], count)


class Script(Mock):
    def test_faults_at_requests(self):
        self.write("script", '# the second is refused, the third is cut\n{"fault":"status","status":429,"request":2,"retry_after":"7.5"}\n'
                             '{"fault":"cut","request":3}\n')
        mock = self.mock("--script", "script", "--log", "log.jsonl")
        self.assertEqual(self.ask(mock)[0], 200)
        status, headers, _ = self.ask(mock)
        self.assertEqual((status, headers["Retry-After"]), (429, "7.5"))
        with self.assertRaises(Exception):
            self.ask(mock)
        self.assertEqual(self.ask(mock)[0], 200)
        self.mock_end(mock)
        self.assertEqual([(row["decision"], row.get("fault"), row["end"]) for row in self.log()],
                         [("accepted", None, "sent"), ("fault", "status", "sent"), ("cut", "cut", "cut"), ("accepted", None, "sent")])

    def test_what_is_wrong_is_told(self):
        self.write("script", '{"fault":"cut"}\n{"fault":"cut","reqest":1}\n')
        self.says(2, "Line 2 of the script: there is no member 'reqest'", "mock", "--script", "script")
        self.says(3, "cannot read nowhere", "mock", "--script", "nowhere")
        self.says(2, "did you mean status?", "mock", "--fault", "statis:0.5")
        self.says(2, "--fault takes NAME or NAME:SHARE", "mock", "--fault", "status:2")
        self.says(2, "--latency-sigma has no effect without --latency-ms", "mock", "--latency-sigma", "0.5")
        self.says(2, "--error-status has no effect without --error-rate", "mock", "--error-status", "502")
        self.says(8, "The log no/where cannot be opened: ", "mock", "--log", "no/where")
        self.says(2, "--limit-at takes SECONDS=LIMITS", "mock", "--limit-at", "rpm:3")
        self.says(2, "--limit-at takes SECONDS=LIMITS", "mock", "--limit-at", "3=rpm:0")
        self.says(2, "--limit-at takes SECONDS=LIMITS", "mock", "--limit-at", "3=rps:1")

    def test_all_faults_are_listed_and_can_be_ordered(self):
        names = [line.split()[0] for line in self.ends(0, "mock", "--list-faults").out.split("\n\n")[0].splitlines()]
        self.assertGreater(len(names), 50)
        args = [word for name in names for word in ("--fault", name + ":0")]
        mock = self.mock(*args)
        self.assertEqual(self.ask(mock)[0], 200)
        self.mock_end(mock)


class Ending(Mock):
    def test_it_ends_with_its_standard_input(self):
        mock = self.start("mock", "--stop-with-stdin", stdin=subprocess.PIPE)
        mock.url = mock.stdout.readline().strip()
        mock.stdin.write("what is said there is dropped\n")
        mock.stdin.flush()
        self.assertEqual(self.ask(mock)[0], 200)
        out, err = mock.communicate(timeout=LIMIT_S)
        self.assertEqual((mock.returncode, json.loads(out)["requests"], err), (0, 1, ""))

    def test_it_ends_when_its_parent_is_killed(self):
        # A parent that holds the other end of the pipe is killed; nobody tells the endpoint but the kernel.
        code = ("import os, subprocess, sys\n"
                "mock = subprocess.Popen([sys.argv[1], 'mock', '--stop-with-stdin'], stdin=subprocess.PIPE)\n"
                "os.kill(os.getpid(), 9)\n")
        parent = self.start("-c", code, os.path.abspath(LEAT), program=sys.executable)
        out, _ = parent.communicate(timeout=LIMIT_S)  # until the endpoint has closed it, too
        self.assertEqual(json.loads(out.splitlines()[-1])["requests"], 0)


if __name__ == "__main__":
    main()
