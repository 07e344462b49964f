"""What the tests of the program share: running it, endpoints to ask, and rows to look at. Standard library only.

A test file is called as: test_cli_x.py LEAT CLI_FAULT [unittest arguments]
"""
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent
LEAT, CLI_FAULT = sys.argv[1:3] if len(sys.argv) > 2 else ("leat", "cli_fault")
KEY = "sk-test-7d1f0c2b9a8e4d63"
LIMIT_S = 100  # generous: sanitizers on a busy machine


def restore_signals():
    """A test may be started with Ctrl-C ignored (in the background); what it starts must not be."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def environment(**more):
    env = {k: v for k, v in os.environ.items() if not re.match(r"(OPENAI|AZURE_OPENAI|ANTHROPIC|GEMINI|GOOGLE)_", k) and not k.lower().endswith("_proxy")}
    env.update({k: v for k, v in more.items() if v is not None})
    return env


class Ended:
    def __init__(self, process, out, err):
        self.code, self.out, self.err = process.returncode, out, err


class Cli(unittest.TestCase):
    """A fresh folder for each test, which is the current one of what it starts."""

    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="leat-cli-"))
        self.started = []

    def tearDown(self):
        for process in self.started:
            if process.poll() is None:
                process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream:
                    stream.close()
        shutil.rmtree(self.dir, ignore_errors=True)

    def start(self, *args, env=None, program=None, before=None, **options):
        def prepare():
            restore_signals()
            if before:
                before()
        options.setdefault("stdin", subprocess.DEVNULL)
        process = subprocess.Popen([program or LEAT, *map(str, args)], cwd=self.dir, env=environment(**(env or {})),
                                   stdout=options.pop("stdout", subprocess.PIPE), stderr=options.pop("stderr", subprocess.PIPE),
                                   preexec_fn=prepare, text=True, errors="surrogateescape", **options)
        self.started.append(process)
        return process

    def leat(self, *args, input=None, **options):
        if input is not None:
            options["stdin"] = subprocess.PIPE
        process = self.start(*args, **options)
        out, err = process.communicate(input, timeout=LIMIT_S)
        return Ended(process, out or "", err or "")

    def ends(self, code, *args, **options):
        """Runs it and expects this exit code; gives what it said."""
        ended = self.leat(*args, **options)
        self.assertEqual(ended.code, code, f"leat {' '.join(map(str, args))}\n{ended.out}\n{ended.err}")
        return ended

    def says(self, code, sentence, *args, **options):
        """The same for a failure: the sentence stands on standard error."""
        ended = self.ends(code, *args, **options)
        self.assertIn(sentence, ended.err)
        return ended

    # ---- endpoints ----

    def mock(self, *args):
        """Starts 'leat mock'; gives the process, with its base URL in .url."""
        process = self.start("mock", *args, stderr=None)
        process.url = process.stdout.readline().strip()
        self.assertTrue(process.url.startswith("http://127.0.0.1:"), process.url)
        return process

    def mock_end(self, process):
        """Stops it and gives its counters."""
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=LIMIT_S)
        self.assertEqual(process.returncode, 0)
        return json.loads(out)

    def fault(self, kind):
        process = self.start(kind, program=CLI_FAULT, stdin=subprocess.PIPE, stderr=None)
        process.url = process.stdout.readline().strip()
        process.ca = process.stdout.readline().strip()
        self.assertTrue(process.url.startswith("http"), process.url)
        return process

    def fault_end(self, process):
        """Stops it and gives how many requests arrived."""
        out, _ = process.communicate("", timeout=LIMIT_S)
        return int(out)

    # ---- files ----

    def write(self, name, text):
        path = self.dir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return name

    def batch_line(self, key, text="One sentence. Another sentence.", **more):
        body = {"model": "leat-extract", "messages": [{"role": "user", "content": text}]}
        body.update(more)
        return json.dumps({"custom_id": key, "method": "POST", "url": "/v1/chat/completions", "body": body})

    def batch(self, name, count, **more):
        return self.write(name, "".join(self.batch_line(f"doc-{i}", f"Text {i}. It is short.", **more) + "\n"
                                        for i in range(count)))

    def rows(self, name="out.jsonl"):
        """All rows by id; none twice, none torn. A run that has written nothing leaves no output."""
        if not (self.dir / name).exists():
            return {}
        text = (self.dir / name).read_text(encoding="utf-8")
        self.assertTrue(text == "" or text.endswith("\n"))
        rows = [json.loads(line) for line in text.splitlines()]
        by_id = {row["custom_id"]: row for row in rows}
        self.assertEqual(len(by_id), len(rows), "an id stands in the output twice")
        return by_id

    def classes(self, name="out.jsonl"):
        count = {}
        for row in self.rows(name).values():
            cls = row["leat"]["class"]
            count[cls] = count.get(cls, 0) + 1
        return count

    def wait_for(self, what, condition):
        end = time.monotonic() + LIMIT_S
        while not condition():
            self.assertLess(time.monotonic(), end, f"waited in vain: {what}")
            time.sleep(0.01)

    def wait_rows(self, count, name="out.jsonl"):
        path = self.dir / name
        self.wait_for(f"{count} rows", lambda: path.exists() and path.read_bytes().count(b"\n") >= count)


class Endpoint(Cli):
    """Runs on a batch against an endpoint."""

    def args(self, url, *more, count=3):
        self.batch("in.jsonl", count)
        return ["run", "in.jsonl", "-o", "out.jsonl", "--base-url", url, *more]

    def env(self):
        return {"OPENAI_API_KEY": KEY}

    def said(self, process, words):
        """Reads what the process says until these words come."""
        lines = []
        for line in process.stderr:
            lines.append(line)
            if words in line:
                return
        self.fail(f"never said: {words}\n{''.join(lines)}")

    def requests_said(self, ended):
        return int(re.search(r"requests: +([\d,]+)", ended.err)[1].replace(",", ""))


def main():
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
