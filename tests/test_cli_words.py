#!/usr/bin/env python3
"""The command line itself: help, versions, what is refused and how, the exit code of each, and the docs made from the tables."""
import ctypes
import json
import os
import pathlib
import re
import resource
import subprocess
import sys

from cli_support import KEY, LEAT, LIMIT_S, ROOT, Cli, main


class Words(Cli):
    def test_help_and_version(self):
        self.assertRegex(self.ends(0, "--version").out, r"^leat \d+\.\d+\.\d+\n$")
        for args in (["--help"], ["help"], ["-h"]):
            self.assertIn("Commands:", self.ends(0, *args).out)
        for command in ("run", "check", "mock"):
            text = self.ends(0, "help", command).out
            self.assertEqual(text, self.ends(0, command, "--help").out)
            self.assertTrue(all(len(line) <= 96 for line in text.splitlines()))
        self.assertIn("--max-requests-per-minute, --rpm N", self.ends(0, "help", "run").out)

    def test_unknown_words(self):
        self.says(2, "what shall it do?")
        self.says(2, "'rnu' is not a command; did you mean 'run'", "rnu")
        self.says(2, "'walk' is not a command; 'leat help' lists them", "walk")
        self.says(2, "'walk' is not a command", "help", "walk")
        self.says(2, "did you mean --output-file?", "run", "--ouput-file", "x")
        self.says(2, "did you mean --model?", "run", "--modle=x")

    def test_numbers(self):
        self.says(2, "--rpm takes a number above 0, up to 1000000000, not 'fast'", "run", "--rpm", "fast")
        self.says(2, "--max-concurrency takes a whole number from 1 to 100000, not '0'", "run", "-j", "0")
        self.says(2, "--request-timeout takes seconds (decimals allowed) from 0.001", "run", "--request-timeout", "1s")
        self.says(2, "--port takes a whole number from 0 to 65535, not '65536'", "mock", "--port", "65536")
        self.says(2, "--error-rate takes a number from 0 to 1, not '2'", "mock", "--error-rate", "2")
        for command, option in (("run", "rpm"), ("run", "max-output-tokens-per-minute"), ("mock", "tpm"), ("mock", "max-concurrency")):
            self.says(2, " 0 would let nothing through: leave it out for no limit", command, "--" + option, "0")
        self.says(2, "--sync takes one of none, group, row, not 'always'", "run", "--sync", "always")

    def test_a_name_is_given_once(self):
        self.batch("in.jsonl", 1)
        self.says(2, "--output-file is given twice", "run", "in.jsonl", "-o", "a", "--base-url", "mock:", "--output-file", "b")
        self.assertFalse((self.dir / "b").exists())
        self.ends(0, "run", "in.jsonl", "-o", "a", "-j", "3", "--base-url", "mock:", "-j", "5")  # A script's default, changed.

    def test_the_classes_are_listed(self):
        words = " ".join(self.ends(0, "run", "--help").out.split())
        self.assertIn("One of filtered, empty, truncated,", words)
        ended = self.says(2, "there is no class of that name", "run", "x", "-o", "y", "--retry-failed=zzzzzzzzzzzz")
        if "did you mean" not in ended.err:
            self.assertIn("'leat run --help' lists them", ended.err)

    def test_limits_in_one_form(self):
        self.batch("in.jsonl", 1)
        line = ["run", "in.jsonl", "-o", "out.jsonl", "--base-url", "mock:"]
        for wrong, why in (("requests", "not of that form"), ("requests=10", "not of that form"),
                           ("requests=ten/day", "not a number above 0"), ("bytes=0/minute", "not a number above 0"),
                           ("bytes=5/day", "there is no such limit"), ("words=5/minute", "there is no such limit"),
                           ("requests=5/hour", "there is no such limit")):
            self.says(2, f"--limit '{wrong}': {why}", *line, "--limit", wrong)
        self.says(2, "the limit of requests a minute was given before", *line, "--rpm", "5", "--limit", "requests=5/minute")
        self.says(2, "--min-concurrency has no effect without --adaptive", *line, "--min-concurrency", "2")
        self.says(2, "--min-concurrency 9 is more than --max-concurrency 8", *line, "--adaptive", "-j8",
                  "--min-concurrency", "9")
        self.ends(0, *line, "--adaptive", "--limits", "manual", "--overwrite")
        self.ends(0, *line, "--overwrite", "--rpd", "1000", "--limit", "bytes=1e6/minute", "--limit", "tokens=1e9/day")

    def test_endpoints(self):
        self.batch("in.jsonl", 1)
        line = ["run", "in.jsonl", "-o", "out.jsonl"]
        for wrong, why in (("rpm=5", "no URL comes first"), (",http://h", "no URL comes first"),
                           ("http://h,rpm=0", "not a number above 0"), ("http://h,speed=5", "no such setting of an endpoint"),
                           ("http://h,jobs=0", "not a whole number from 1"), ("http://h,words=1/day", "there is no such limit"),
                           ("http://h,rpm=5,requests=6/minute", "was given before"),
                           ("http://h,key-file=a,key-env=PATH", "it has a key-env and a key-file"),
                           ("http://h,key-env=NOT_THERE_AT_ALL", "the environment has no variable of that name")):
            self.says(2, why, *line, "--endpoint", wrong)
        said = self.says(2, "a key does not belong on a command line", *line, "--endpoint", f"http://h,key={KEY}")
        self.assertNotIn(KEY, said.err)
        self.says(2, "--endpoint names the URL", *line, "--endpoint", "mock:", "--base-url", "mock:")
        self.ends(0, *line, "--endpoint", "mock:,rpm=6000,tokens=1e9/day,jobs=3", "--rpd", "10")

    def test_what_excludes_each_other(self):
        self.batch("in.jsonl", 1)
        for one, other in ((["--max-attempts", "3"], ["--max-retries", "2"]), (["--resume"], ["--overwrite"]),
                           (["--force-resume"], ["--overwrite"]), (["--retry-failed"], ["--overwrite"]),
                           (["--key-env", "PATH"], ["--key-file", "f"])):
            self.says(2, "exclude each other", "run", "in.jsonl", "-o", "out.jsonl", *one, *other)
        self.says(2, "cannot be resumed", "run", "in.jsonl", "-o", "-", "--resume")
        self.assertFalse((self.dir / "out.jsonl").exists())

    def test_what_is_missing(self):
        self.batch("in.jsonl", 1)
        self.says(2, "nothing to read", "run", "-o", "out.jsonl")
        self.says(2, "no output", "run", "in.jsonl")
        self.says(2, "--output-file needs a value", "run", "in.jsonl", "-o")
        self.write("a.txt", "text")
        self.says(2, "no model", "run", "--template", "{{text}}", "a.txt", "-o", "out.jsonl", "--base-url", "http://127.0.0.1:9")
        self.says(2, "is neither a text with {{text}} nor a file", "run", "--template", "prompt.txt", "a.txt", "-o", "o")
        self.says(2, "is not JSON", "run", "--extra-body", "{'a':1}", "a.txt", "-o", "o")
        self.says(2, "must be a JSON object", "run", "--extra-body", "[1]", "a.txt", "-o", "o")
        self.says(2, "has no effect with --format batch", "run", "--model", "m", "in.jsonl", "-o", "o", "--base-url", "mock:")
        self.says(2, "there is no class of that name; did you mean timeout?", "run", "in.jsonl", "-o", "o", "--retry-failed=timout")
        self.says(2, "have not failed", "run", "in.jsonl", "-o", "o", "--retry-failed=ok")
        self.says(2, "mock takes options only", "mock", "8080")

    def test_no_key(self):
        self.batch("in.jsonl", 1)
        ended = self.says(2, "no key", "run", "in.jsonl", "-o", "out.jsonl", "--base-url", "https://llm.invalid/v1")
        self.assertIn("OPENAI_API_KEY", ended.err)
        self.assertFalse((self.dir / "out.jsonl").exists())
        self.says(2, "plain http to another machine", "run", "in.jsonl", "-o", "out.jsonl", "--base-url", "http://llm.invalid/v1",
                  env={"OPENAI_API_KEY": KEY})

    def test_a_key_does_not_belong_on_the_command_line(self):
        self.batch("in.jsonl", 1)
        for args in (["--key", KEY], ["--key=" + KEY], ["--api-key", KEY], ["--token=" + KEY], ["--api-kye=" + KEY],
                     ["-H", "Authorization: Bearer " + KEY], ["--header", "X-Api-Key: " + KEY], ["--key-env", KEY]):
            ended = self.ends(2, "run", "in.jsonl", "-o", "out.jsonl", *args)
            self.assertNotIn(KEY, ended.out + ended.err)
            self.assertTrue(ended.err.startswith("leat run: "))
        self.says(2, "there is no --key: what stands on a command line can be read by every user", "run", "--key", KEY)

    def test_a_key_file_open_to_others_is_refused(self):
        self.batch("in.jsonl", 1)
        self.write("key", KEY + "\n")
        os.chmod(self.dir / "key", 0o644)
        args = ["run", "in.jsonl", "-o", "out.jsonl", "--key-file", "key", "--base-url", "https://llm.invalid/v1"]
        ended = self.ends(2, *args)
        self.assertIn("key", ended.err)
        self.assertNotIn(KEY, ended.err)

    def test_too_many_descriptors(self):
        self.batch("in.jsonl", 1)

        def before():
            # Root may raise the limit: PR_CAPBSET_DROP (24) of CAP_SYS_RESOURCE (24) makes it like everybody.
            ctypes.CDLL(None).prctl(24, 24, 0, 0, 0)
            resource.setrlimit(resource.RLIMIT_NOFILE, (200, 200))
        ended = self.ends(8, "run", "in.jsonl", "-o", "out.jsonl", "--base-url", "mock:", "-j", "100", before=before)
        self.assertIn("needs 337 open files, since with mock: both ends of each connection are here, but", ended.err)
        self.assertIn("--max-concurrency 34 is possible", ended.err)
        self.ends(0, "run", "in.jsonl", "-o", "out.jsonl", "--base-url", "mock:", "-j", "34", before=before)

    def test_no_control_characters_reach_the_terminal(self):
        ended = self.ends(2, "run", "--sync", "\x1b[31mred\x07\n")
        self.assertNotRegex(ended.err.rstrip("\n"), r"[\x00-\x1f\x7f]")
        self.assertIn("\\x1b[31mred", ended.err)

    def test_standard_output_that_is_full(self):
        with open("/dev/full", "w") as full:
            self.says(8, "cannot be written", "help", stdout=full)
            self.batch("in.jsonl", 1)
            self.says(8, "cannot be written", "check", "in.jsonl", stdout=full)


class Docs(Cli):
    def test_the_docs_have_the_tables_of_the_program(self):
        made = self.ends(0, "help", "--markdown").out
        page = (ROOT / "docs/cli.md").read_text(encoding="utf-8")
        found = re.search(r"<!-- made by: leat help --markdown -->\n(.*)<!-- end -->", page, re.S)
        self.assertIsNotNone(found)
        self.assertEqual(found.group(1).strip(), made.strip(), "run scripts/make_docs")

    def test_the_man_page_is_that_of_the_program(self):
        made = self.ends(0, "help", "--man").out
        self.assertEqual((ROOT / "man/leat.1").read_text(encoding="utf-8"), made, "run scripts/make_docs")

    def test_the_docs_have_the_faults_of_the_endpoint(self):
        told = [line for line in self.ends(0, "mock", "--list-faults").out.split("\n\n")[0].splitlines()]
        page = (ROOT / "docs/mock.md").read_text(encoding="utf-8")
        found = re.search(r"<!-- made by: leat mock --list-faults -->\n(.*?)<!-- end -->", page, re.S)
        rows = re.findall(r"^\| `(\S+)` \| (.*) \|$", found.group(1), re.M)
        self.assertEqual([" ".join(row) for row in rows], [" ".join(line.split(None, 1)) for line in told], "run scripts/make_docs")

    def test_the_man_page_of_the_endpoint_is_its_page_of_the_docs(self):
        made = subprocess.run([sys.executable, "-B", ROOT / "scripts/mock_man.py"], check=True, capture_output=True, timeout=LIMIT_S)
        self.assertEqual((ROOT / "man/leat-mock.1").read_bytes(), made.stdout, "run scripts/make_docs")

    def test_the_examples_of_the_endpoint_work(self):
        done = subprocess.run([sys.executable, "-B", ROOT / "scripts/check_readme.py", pathlib.Path(LEAT).resolve().parents[2],
                               ROOT / "docs/mock.md"], capture_output=True, text=True, timeout=LIMIT_S)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


    def test_every_test_that_the_guarantees_name_exists(self):
        page = (ROOT / "docs/guarantees.md").read_text(encoding="utf-8")
        named = re.findall(r"`(\w+\.(?:c|py))(?:: (\w+))?`", page)
        self.assertGreater(len(named), 50)
        for file, case in named:
            self.assertIn(case or "", (ROOT / "tests" / file).read_text(encoding="utf-8"), f"{file}: {case}")

    def test_every_promise_names_a_test(self):
        page = (ROOT / "docs/guarantees.md").read_text(encoding="utf-8")
        for line in page.splitlines():
            if line.startswith("| ") and not line.startswith(("| promise", "|---")):
                self.assertRegex(line, r"`(test_|kill_run|limit_proof)\w*\.(c|py)", line)


class Mock(Cli):
    def test_counters_at_the_end(self):
        mock = self.mock()
        self.batch("in.jsonl", 20)
        self.ends(0, "run", "in.jsonl", "-o", "out.jsonl", "--base-url", mock.url)
        stats = self.mock_end(mock)
        self.assertEqual(stats["answered"], 20)
        self.assertEqual(stats["refused_429"], 0)

    def test_duration_and_limits(self):
        ended = self.ends(0, "mock", "--duration", "0.1")
        url, stats = ended.out.splitlines()
        self.assertTrue(url.startswith("http://127.0.0.1:"))
        self.assertEqual(json.loads(stats)["requests"], 0)

    def test_a_port_that_is_taken(self):
        mock = self.mock()
        port = mock.url.split(":")[2].split("/")[0]
        ended = self.ends(8, "mock", "--port", port)
        self.assertIn(port, ended.err)


if __name__ == "__main__":
    main()
