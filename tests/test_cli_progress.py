#!/usr/bin/env python3
"""What a run says of itself while it works: how much is done, of how much, and how many requests are on their way."""
import json
import os

from cli_support import Cli, main


class Progress(Cli):
    def events(self, *args, input=None):
        """Runs against an endpoint that takes its time; gives the progress events, the last one after the end."""
        mocked = self.mock("--latency-ms", "150")
        ended = self.ends(0, "run", *args, "-o", "out.jsonl", "--base-url", mocked.url, "-j", "4", "--progress", "json", input=input)
        events = [e for e in map(json.loads, ended.err.splitlines()) if e["event"] == "progress"]
        self.assertGreaterEqual(len(events), 2)
        for event in events:
            self.assertLessEqual(event["in_flight"], 4)
            self.assertGreaterEqual(event["done"], event["rows"])
        self.assertEqual(events[-1]["in_flight"], 0)
        self.assertEqual(events[-1]["fraction"], 1)
        return events

    def test_the_share_is_that_of_finished_documents(self):
        """The whole input is read at once; that is no progress."""
        self.batch("in.jsonl", 60)
        events = self.events("in.jsonl")
        for event in events[:-1]:
            self.assertLess(abs(event["fraction"] - event["done"] / 60), 0.05, event)
        self.assertEqual((events[-1]["done"], events[-1]["total"]), (60, 60))

    def test_folders_are_counted(self):
        for i in range(60):
            self.write(f"docs/{i % 7}/{i}.txt", f"Document {i}. It says little.")
        events = self.events("docs", "--template", "{{text}}", "--model", "m")
        for event in events:
            self.assertEqual(event["total"], 60)
            self.assertAlmostEqual(event["fraction"], event["done"] / 60, places=2)

    def test_what_was_done_before_counts(self):
        text = (self.dir / self.batch("in.jsonl", 80)).read_text()
        self.write("in.jsonl", "".join(text.splitlines(keepends=True)[:40]))
        self.ends(0, "run", "in.jsonl", "-o", "out.jsonl", "--base-url", "mock:")
        self.write("in.jsonl", text)
        for event in self.events("in.jsonl"):
            self.assertEqual(event["done"], 40 + event["rows"])

    def test_programs_get_json_whatever_happens(self):
        """The last line is the summary, with exit code and reason; nothing on standard error is anything else than JSON."""
        self.batch("in.jsonl", 3)
        self.write("stranger", "dear diary\n")
        good = ["run", "in.jsonl", "-o", "out.jsonl", "--base-url", "mock:"]
        cases = [(2, ["run"], "nothing to read"), (2, ["run", "in.jsonl"], "no output"), (2, [*good, "--rpn", "7"], "--rpn"),
                 (2, [*good, "--rpm", "many"], "takes a number"), (2, ["run", "in.jsonl", "-o", "o", "--base-url", "https://a.invalid"], "key"),
                 (3, ["run", "in.jsonl", "-o", "stranger", "--base-url", "mock:"], "was not made by leat"),
                 (8, ["run", "in.jsonl", "-o", "no/where", "--base-url", "mock:"], "no/where"),
                 (5, ["run", "in.jsonl", "-o", "o", "--base-url", "http://127.0.0.1:9", "--max-attempts", "1"], "nobody listens"),
                 (0, good, None)]
        for option in (["--progress", "json"], ["--progress=json"]):
            for code, args, words in cases:
                with self.subTest(args=args):
                    events = [json.loads(line) for line in self.ends(code, *args, *option).err.splitlines()]
                    self.assertEqual((events[-1]["event"], events[-1]["exit_code"]), ("summary", code))
                    self.assertEqual([e["event"] for e in events].count("summary"), 1)
                    if words:
                        self.assertIn(words, events[-1]["error"])
                    else:
                        self.assertIsNone(events[-1]["error"])
        for args in (["rum"], [""], ["help", "rum"]):
            told = [json.loads(line) for line in self.ends(2, *args, "--progress", "json").err.splitlines()]
            self.assertEqual([e["event"] for e in told], ["error", "summary"])
            self.assertEqual((told[1]["exit_code"], told[1]["error"]), (2, told[0]["text"]))

    def test_a_check_has_a_summary_too(self):
        self.write("in.jsonl", self.batch_line("a") + "\n" + self.batch_line("a") + "\n" + "no JSON\n" + self.batch_line("b") + "\n")
        self.batch("good.jsonl", 2)
        cases = [(3, ["in.jsonl"], (4, 1, 1), "a run would refuse"), (2, ["in.jsonl", "--rpn", "7"], (0, 0, 0), "--rpn"),
                 (3, ["nowhere.jsonl"], (0, 0, 0), "nowhere.jsonl"), (0, ["good.jsonl"], (2, 0, 0), None)]
        for code, args, counts, words in cases:
            with self.subTest(args=args):
                ended = self.ends(code, "check", *args, "--progress", "json")
                last = [json.loads(line) for line in ended.err.splitlines()][-1]
                self.assertEqual((last["event"], last["exit_code"]), ("summary", code))
                self.assertEqual((last["documents"], last["not_usable"], last["ids_seen_twice"]), counts)
                if words:
                    self.assertIn(words, last["error"])
                else:
                    self.assertIsNone(last["error"])

    def trace(self, name):
        """The spans of a timeline: (id of the task, name, begin, end, args), from whole JSON."""
        spans, opened = [], {}
        events = [e for e in json.loads((self.dir / name).read_text()) if e["ph"] in "be"]
        for e in sorted(events, key=lambda e: e["ts"]):
            key = (e["id"], e["name"])
            if e["ph"] == "b":
                opened.setdefault(key, []).append(e)
            else:
                begin = opened[key].pop()
                spans.append((e["id"], e["name"], begin["ts"], e["ts"], begin["args"]))
        self.assertFalse([k for k, v in opened.items() if v])
        return spans

    def test_a_timeline(self):
        """Each document has its span, with its attempts and its wait for the limiter inside."""
        self.batch("in.jsonl", 12)
        mocked = self.mock("--latency-ms", "30", "--error-rate", "0.4", "--seed", "3")
        args = ["run", "in.jsonl", "-o", "out.jsonl", "--base-url", mocked.url, "-j", "2", "--rpm", "600", "--max-attempts", "50",
                "--trace", "t.json"]
        self.ends(0, *args)
        spans = self.trace("t.json")
        requests = self.mock_end(mocked)["requests"]
        documents = {s[1]: s for s in spans if s[1].startswith("doc-")}
        self.assertEqual(set(documents), {f"doc-{i}" for i in range(12)})
        attempts = [s for s in spans if s[1] == "attempt"]
        self.assertEqual(len(attempts), requests)
        self.assertEqual(sum(s[4]["attempts"] for s in documents.values()), requests)
        for name in ("attempt", "limiter wait", "wait to try again"):
            inside = [s for s in spans if s[1] == name]
            self.assertTrue(inside, name)
            for s in inside:
                self.assertEqual(len([d for d in documents.values() if d[0] == s[0] and d[2] <= s[2] and s[3] <= d[3]]), 1, s)
        self.assertEqual((self.dir / "t.json").stat().st_mode & 0o777, 0o600)
        # Again: nothing is asked, and an old timeline may go; what is none may not.
        self.ends(0, *args)
        self.assertEqual(json.loads((self.dir / "t.json").read_text()), [])
        self.ends(0, *args)
        before = (self.dir / "in.jsonl").read_bytes()
        self.says(2, "holds something else than a timeline", *args[:-1], "in.jsonl")
        self.assertEqual((self.dir / "in.jsonl").read_bytes(), before)
        os.symlink("new.jsonl", self.dir / "link")
        for name, code, words in (("new.jsonl", 2, "is the output, or belongs to it"), ("link", 8, "--trace: cannot write link"),
                                  ("new.jsonl.leat", 2, "is the output, or belongs to it")):
            self.says(code, words, "run", "in.jsonl", "-o", "new.jsonl", "--base-url", "mock:", "--trace", name)
            self.assertFalse((self.dir / "new.jsonl").exists() or (self.dir / "new.jsonl.leat").exists())
        self.says(8, "--trace: cannot write no/where", *args[:-1], "no/where")

    def test_waiting_is_told(self):
        """Nothing is in flight for a while: the reason is said."""
        self.batch("in.jsonl", 4)
        ended = self.ends(0, "run", "in.jsonl", "-o", "out.jsonl", "--base-url", "mock:", "--rpm", "30", "--progress", "json")
        events = [e for e in map(json.loads, ended.err.splitlines()) if e["event"] == "progress"]
        self.assertTrue(any(e["waits_for_limit"] for e in events), events)
        mocked = self.mock("--rpm", "1")
        process = self.start("run", "in.jsonl", "-o", "more.jsonl", "--base-url", mocked.url, "--progress", "json")
        for line in process.stderr:
            event = json.loads(line)
            if event["event"] == "progress" and (event["told_to_wait_s"] or event["waits_for_limit"]):
                break
        self.assertEqual(event["event"], "progress")
        self.assertEqual(event["in_flight"], 0)

    def test_tokens_are_a_limit_too(self):
        self.batch("in.jsonl", 4)
        ended = self.ends(0, "run", "in.jsonl", "-o", "out.jsonl", "--base-url", "mock:", "--tpm", "100000")
        self.assertRegex(ended.err, r"[\d.]+ % of the limit used")

    def test_a_pipe_has_no_share_until_its_end(self):
        text = (self.dir / self.batch("in.jsonl", 60)).read_text()
        events = self.events("-", input=text)
        self.assertEqual((events[-1]["done"], events[-1]["total"]), (60, 60))


if __name__ == "__main__":
    main()
