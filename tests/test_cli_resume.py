#!/usr/bin/env python3
"""Stopping and going on: the same output again, changes that are refused, signals, kills, two processes, progress."""
import json
import os
import pathlib
import pty
import re
import select
import signal
import stat
import time

from cli_support import Cli, main

SECOND_WISH_S = 0.3  # Signals that come closer together than 0.1 s are one wish.


class Resume(Cli):
    def setUp(self):
        super().setUp()
        self.mocked = self.mock()
        self.args = ["run", "in.jsonl", "-o", "out.jsonl", "--base-url", self.mocked.url]

    def requests(self):
        return self.mock_end(self.mocked)["requests"]

    def test_the_same_again_asks_nothing(self):
        self.batch("in.jsonl", 10)
        self.ends(0, *self.args)
        before = (self.dir / "out.jsonl").read_bytes()
        ended = self.ends(0, *self.args, "--resume")
        self.assertIn("10 done before", ended.err)
        self.assertEqual((self.dir / "out.jsonl").read_bytes(), before)
        self.assertEqual(self.requests(), 10)

    def test_an_input_that_grew(self):
        self.batch("in.jsonl", 10)
        self.ends(0, *self.args)
        with open(self.dir / "in.jsonl", "a") as more:
            more.write(self.batch_line("more") + "\n")
        self.assertIn("1 good, 0 failed, 10 done before", self.ends(0, *self.args).err)
        self.assertEqual(len(self.rows()), 11)
        self.assertEqual(self.requests(), 11)

    def test_a_changed_input_is_refused(self):
        self.batch("in.jsonl", 10)
        self.ends(0, *self.args)
        self.batch("in.jsonl", 10, temperature=0)
        before = (self.dir / "out.jsonl").read_bytes()
        self.says(3, "in.jsonl", *self.args)
        self.assertEqual((self.dir / "out.jsonl").read_bytes(), before)
        self.ends(0, *self.args, "--force-resume")
        self.assertEqual(len(self.rows()), 10)
        self.assertEqual(self.requests(), 10)

    def test_a_change_anywhere_is_noticed(self):
        """Of the same length, in the middle of a large file; what has no row yet may change."""
        lines = [self.batch_line(f"doc-{i}", f"Text {i}. " + "It is long. " * 2000) for i in range(150)]
        self.write("in.jsonl", "\n".join(lines) + "\n")
        self.ends(0, *self.args)
        rows = (self.dir / "out.jsonl").read_bytes().splitlines(keepends=True)
        self.assertGreater((self.dir / "in.jsonl").stat().st_size, 3 << 20)
        changed = list(lines)
        changed[70] = changed[70].replace("Text 70", "Test 70")
        self.write("in.jsonl", "\n".join(changed) + "\n")
        self.says(3, "line 71 of the input (doc-70) was changed since its row was written", *self.args)
        self.says(3, "line 71 of the input (doc-70)", "check", "in.jsonl", "-o", "out.jsonl")
        self.ends(0, *self.args, "--force-resume")
        self.assertEqual((self.dir / "out.jsonl").read_bytes(), b"".join(rows))
        # Its row taken out, the line is like a new one.
        (self.dir / "out.jsonl").write_bytes(b"".join(r for r in rows if b'"doc-70"' not in r))
        self.ends(0, *self.args)
        self.assertEqual(self.requests(), 151)

    def test_documents_with_ids_may_move(self):
        """Rows are found by the id: in another order, in a file of another name, with others between."""
        lines = [json.dumps({"id": f"doc-{i}", "text": f"Text {i}. It is short."}) for i in range(10)]
        args = ["-o", "out.jsonl", "--base-url", self.mocked.url, "--template", "Sum up: {{field.text}}", "--model", "m"]
        self.write("one.jsonl", "\n".join(lines) + "\n")
        self.ends(0, "run", "one.jsonl", "--id-field", "id", *args)
        new = json.dumps({"id": "new", "text": "A new one."})
        self.write("two.jsonl", "\n".join([new, *reversed(lines)]) + "\n")
        self.assertIn("1 good, 0 failed, 10 done before", self.ends(0, "run", "two.jsonl", "--id-field", "id", *args).err)
        self.assertEqual(sorted(self.rows()), sorted([f"doc-{i}" for i in range(10)] + ["new"]))
        self.write("two.jsonl", "\n".join([new, *reversed(lines)]).replace("Text 4", "Test 4") + "\n")
        self.says(3, "line 7 of the input (doc-4) was changed since its row was written", "run", "two.jsonl", "--id-field", "id", *args)
        self.write("two.jsonl", "\n".join(lines) + "\n")
        self.says(3, "has a row for new, which is not in the input any more", "run", "two.jsonl", "--id-field", "id", *args)
        self.says(3, "the id field differs from the earlier run: it was id, now it is not set", "run", "one.jsonl", *args)
        self.assertEqual(self.requests(), 11)

    def test_what_is_gone_is_noticed(self):
        self.batch("in.jsonl", 10)
        self.ends(0, *self.args)
        lines = (self.dir / "in.jsonl").read_text().splitlines(keepends=True)
        self.write("in.jsonl", "".join(lines[:3] + lines[4:]))
        self.says(3, "has a row for doc-3, which is not in the input any more", *self.args)
        self.write("in.jsonl", "".join(reversed(lines)))
        self.ends(0, *self.args)
        self.assertEqual(self.requests(), 10)

    def test_a_last_line_that_grew_is_noticed(self):
        self.write("in.txt", "One sentence.\nHalf a")
        args = ["run", "in.txt", "-o", "out.jsonl", "--base-url", self.mocked.url, "--format", "lines", "--model", "m"]
        self.ends(0, *args)
        self.write("in.txt", "One sentence.\nHalf a sentence.\nAnother.\n")
        self.says(3, "line 2 of the input (in.txt:2) was changed", *args)
        self.write("in.txt", "One sentence.\nHalf a\nAnother.\n")
        self.ends(0, *args)
        self.assertEqual(len(self.rows()), 3)
        self.assertEqual(self.requests(), 3)

    def test_standard_input_is_compared_while_it_is_read(self):
        args = ["run", "-", "-o", "out.jsonl", "--base-url", self.mocked.url, "--template", "{{text}}", "--model", "m"]
        self.ends(0, *args, input="Eins.\nZwei.\n")
        self.ends(0, *args, input="Eins.\nZwei.\nDrei.\n")
        self.says(3, "line 2 of the input (-:2) was changed", *args, input="Eins.\nDeux.\nDrei.\nVier.\n")
        self.says(3, "has a row for -:3, which is not in the input any more", *args, input="Eins.\nZwei.\n")
        with open(self.dir / "again", "w+") as again:  # A file that is standard input is read once, too.
            again.write("Eins.\nZwei.\nDrei.\nVier.\n")
            again.seek(0)
            self.ends(0, *args, stdin=again)
        self.assertEqual(len(self.rows()), 4)
        self.ends(0, *args, "--force-resume", input="Un.\n")
        self.assertEqual(self.requests(), 4)

    def test_a_document_from_a_pipe_is_compared(self):
        args = ["run", "-", "-o", "out.jsonl", "--base-url", self.mocked.url, "--format", "files", "--model", "m"]
        self.ends(0, *args, input="One text.")
        self.ends(0, *args, input="One text.")
        self.says(3, "the file - was changed since its row was written", *args, input="Another.")
        self.assertEqual(self.requests(), 1)

    def test_files_are_known_by_what_they_hold(self):
        for name in "abc":
            self.write(f"fd/{name}.txt", f"The text of {name}.")
        args = ["run", "fd", "-o", "out.jsonl", "--base-url", self.mocked.url, "--template", "{{text}}", "--model", "m"]
        a, b = self.dir / "fd/a.txt", self.dir / "fd/b.txt"
        self.ends(0, *args)
        args[1] = "fd/"  # As a shell completes it.
        self.ends(0, *args)
        os.utime(a)  # Its time alone says nothing, neither that it is new nor that it is old.
        self.ends(0, *args)
        os.rename(a, self.dir / "kept")
        self.write("fd/a.txt", "Another text.")
        os.utime(a, (1, 1))
        self.says(3, "the file fd/a.txt was changed since its row was written", *args)
        os.rename(b, a)
        os.rename(self.dir / "kept", b)
        self.says(3, "the file fd/a.txt was changed", *args)
        os.rename(b, self.dir / "kept")
        os.rename(a, b)
        self.says(3, "has a row for fd/a.txt, which is not in the input any more", *args)
        os.rename(self.dir / "kept", a)
        self.write("fd/d.txt", "One more.")
        self.ends(0, *args)
        self.assertEqual(self.requests(), 4)

    def test_rows_from_other_settings_are_never_forgotten(self):
        """A forced run leaves them: each run tells of them from then on, and OUT.leat tells which they are."""
        for name in "abc":
            self.write(f"fd/{name}.txt", f"The text of {name}.")
        args = ["run", "fd", "-o", "out.jsonl", "--base-url", self.mocked.url, "--template", "{{text}}"]
        self.ends(0, *args, "--model", "m1")
        self.write("fd/d.txt", "One more.")
        told = "3 rows of out.jsonl are not from these settings (the model differs from the earlier run: it was m1, now it is m2)"
        self.assertIn(told, self.ends(0, *args, "--model", "m2", "--force-resume").err)
        self.assertEqual(json.loads((self.dir / "out.jsonl.leat").read_text())["earlier"][0]["until_row"], 3)
        for _ in range(2):
            self.assertIn(told, self.ends(0, *args, "--model", "m2").err)
        self.assertIn(told, self.ends(0, "check", *args[1:], "--model", "m2").err)
        self.says(3, "the model differs", *args, "--model", "m1")
        ended = self.ends(0, *args, "--model", "m1", "--force-resume")
        self.assertIn("1 rows of out.jsonl are not from these settings (the model differs from the earlier run: it was m2, now", ended.err)
        self.assertNotIn("not from these settings", self.ends(0, *args, "--model", "m3", "--overwrite").err)
        self.assertNotIn("not from these settings", self.ends(0, *args, "--model", "m3").err)

    def test_failed_rows_whose_documents_are_gone_are_counted(self):
        for name in "abcd":
            self.write(f"fd/{name}.txt", f"The text of {name}.")
        refuses = self.mock("--error-rate", "1", "--error-status", "400")
        args = ["run", "fd", "-o", "out.jsonl", "--template", "{{text}}", "--model", "m", "--base-url"]
        self.ends(1, *args, refuses.url)
        os.remove(self.dir / "fd/a.txt")
        os.remove(self.dir / "fd/c.txt")
        ended = self.ends(0, *args, self.mocked.url, "--retry-failed")
        self.assertIn("2 failed rows were taken out to be asked again, but their documents are not in the input any more", ended.err)
        self.assertEqual(set(self.rows()), {"fd/b.txt", "fd/d.txt"})
        self.assertNotIn("taken out", self.ends(0, *args, self.mocked.url, "--retry-failed").err)

    def test_an_output_that_was_there_stays(self):
        self.batch("in.jsonl", 3)
        denies = self.mock("--key", "another")
        args = ["run", "in.jsonl", "-o", "out.jsonl", "--base-url", denies.url]
        self.ends(5, *args, env={"OPENAI_API_KEY": "wrong"})
        self.assertEqual(sorted(os.listdir(self.dir)), ["in.jsonl"])
        self.write("out.jsonl", "")
        self.ends(5, *args, env={"OPENAI_API_KEY": "wrong"})
        self.assertTrue((self.dir / "out.jsonl").exists())

    def test_what_goes_on_is_true(self):
        """Changed lines of standard input would be refused again; and the same command needs the same input."""
        args = ["run", "-", "-o", "out.jsonl", "--base-url", self.mocked.url, "--template", "{{text}}", "--model", "m"]
        self.ends(0, *args, input="One.\nTwo.\n")
        ended = self.says(3, "was changed since its row was written", *args, input="One.\nAnother.\n")
        self.assertNotIn("goes on", ended.err)
        denies = self.mock("--key", "another")
        args[args.index(self.mocked.url)] = denies.url
        ended = self.ends(5, *args, input="One.\nTwo.\nThree.\n", env={"OPENAI_API_KEY": "wrong"})
        self.assertIn("the same command, with the same standard input from its beginning, goes on from here", ended.err)

    def test_changed_settings_are_refused_and_named(self):
        self.write("a.txt", "A document.")
        args = ["run", "a.txt", "-o", "out.jsonl", "--base-url", self.mocked.url]
        self.ends(0, *args, "--template", "One {{text}}", "--model", "m1")
        self.says(3, "template", *args, "--template", "Two {{text}}", "--model", "m1")
        self.says(3, "; --overwrite starts anew, --force-resume goes on all the same", *args, "--template", "Two {{text}}", "--model", "m1")
        self.says(3, "model", *args, "--template", "One {{text}}", "--model", "m2")
        self.says(3, "system", *args, "--template", "One {{text}}", "--model", "m1", "--system", "Be brief.")
        self.ends(0, *args, "--template", "One {{text}}", "--model", "m1", "--rpm", "100", "-j", "3", "--max-attempts", "2",
                  "--request-timeout", "5")  # Limits and times may change.
        self.assertEqual(self.requests(), 1)

    def test_an_output_of_somebody_else_is_refused(self):
        self.batch("in.jsonl", 2)
        self.write("out.jsonl", "my shopping list\n")
        self.ends(3, *self.args)
        self.assertEqual((self.dir / "out.jsonl").read_text(), "my shopping list\n")
        self.assertEqual(self.requests(), 0)

    def test_a_file_of_somebody_else_is_never_replaced(self):
        self.batch("in.jsonl", 2)
        for name, text in (("out.jsonl", "precious\n"), ("out.jsonl", "precious"), ("out.jsonl.leat", "my notes\n")):
            for option in ("--overwrite", "--force-resume", "--resume"):
                self.write(name, text)
                ended = self.says(3, "made by leat" if option == "--overwrite" else "by leat", *self.args, option)
                self.assertNotIn("; --overwrite starts anew", ended.err)
                self.assertEqual((self.dir / name).read_text(), text)
            os.unlink(self.dir / name)
        self.assertEqual(sorted(os.listdir(self.dir)), ["in.jsonl"])
        self.assertEqual(self.requests(), 0)

    def test_an_input_is_never_written_over(self):
        text = self.batch_line("a") + "\n"
        os.mkdir(self.dir / "folder")
        self.write("folder/a.txt", text)
        os.symlink("folder", self.dir / "link")

        def refused(output, *inputs, stdin=None, **options):
            for option in ([], ["--overwrite"], ["--force-resume"]):
                if output == "-" and option:
                    continue
                args = ["run", *inputs, "-o", output, "--base-url", self.mocked.url, *option]
                with open(self.dir / (stdin or "in.jsonl")) as given:
                    ended = self.ends(2, *args, stdin=given, **options)
                self.assertRegex(ended.err, "is the same file|would lie inside")
                self.assertEqual((self.dir / "in.jsonl").read_text(), text)
                self.assertEqual((self.dir / "folder/a.txt").read_text(), text)
        self.write("in.jsonl", text)
        os.link(self.dir / "in.jsonl", self.dir / "hard")
        os.symlink("in.jsonl", self.dir / "soft")
        os.link(self.dir / "in.jsonl", self.dir / "other.leat")
        for output in ("in.jsonl", "./in.jsonl", "hard", "other"):
            refused(output, "in.jsonl")
            refused(output, "-", stdin="in.jsonl")
        refused("in.jsonl", "soft")
        files = ["--template", "{{text}}", "--format", "files", "--model", "m"]
        refused("folder/a.txt", "folder/a.txt", *files)
        refused("folder/a.txt", "folder", *files)
        refused("link/out", "folder", *files)
        refused("folder/out", "link", *files)
        with open(self.dir / "in.jsonl", "a") as end:
            refused("-", "in.jsonl", stdout=end)
        self.assertEqual(self.requests(), 0)

    def test_overwrite_starts_anew(self):
        self.batch("in.jsonl", 3)
        self.ends(0, *self.args)
        self.batch("in.jsonl", 2, temperature=0)
        self.ends(0, *self.args, "--overwrite")
        self.assertEqual(sorted(self.rows()), ["doc-0", "doc-1"])
        self.assertEqual(self.requests(), 5)

    def test_overwrite_takes_nothing_away_for_nothing(self):
        """Whoever starts anew and gets no row, as with a wrong key, still has the rows that stood there."""
        self.batch("in.jsonl", 3)
        self.ends(0, *self.args)
        before = [(self.dir / name).read_bytes() for name in ("out.jsonl", "out.jsonl.leat")]
        mocked = self.mock("--key", "another")
        ended = self.leat(*self.args[:-1], mocked.url, "--overwrite", "--no-extras")
        self.assertEqual(ended.code, 5, ended.err)
        self.assertIn("no row was written, so those that stood in out.jsonl before are kept", ended.err)
        self.assertEqual([(self.dir / name).read_bytes() for name in ("out.jsonl", "out.jsonl.leat")], before)
        self.ends(0, *self.args)

    def test_a_torn_tail_is_cut_and_asked_again(self):
        self.batch("in.jsonl", 5)
        self.ends(0, *self.args)
        whole = (self.dir / "out.jsonl").read_bytes()
        (self.dir / "out.jsonl").write_bytes(whole[:-20])
        self.assertIn("4 done before", self.ends(0, *self.args).err)
        self.assertEqual(len(self.rows()), 5)

    def test_a_flipped_row_is_noticed(self):
        self.batch("in.jsonl", 5)
        self.ends(0, *self.args)
        rows = (self.dir / "out.jsonl").read_bytes().split(b"\n")
        rows[2] = rows[2].replace(b"short", b"shorn", 1)
        (self.dir / "out.jsonl").write_bytes(b"\n".join(rows))
        self.says(3, "line 3", *self.args)
        self.ends(0, *self.args, "--force-resume")
        self.assertEqual(len(self.rows()), 5)
        self.assertNotIn(b"shorn", (self.dir / "out.jsonl").read_bytes())

    def test_retry_failed(self):
        self.write("in.jsonl", self.batch_line("a") + "\nnot JSON\n" + self.batch_line("b", model=None) + "\n")
        self.ends(1, *self.args)
        self.assertEqual(self.classes(), {"ok": 1, "input": 1, "rejected": 1})
        # Failed rows are rows: the exit code stays true to what the output holds, and it says why.
        ended = self.says(1, "3 done before (2 of them failed)", *self.args)
        self.assertIn("--retry-failed asks the failed rows again", ended.err)
        ended = self.ends(0, "check", "in.jsonl", "-o", "out.jsonl")
        self.assertRegex(ended.out, r"done already: +3\n +of them failed: 2 ")
        ended = self.ends(1, *self.args, "--retry-failed=rejected")
        self.assertIn("2 done before", ended.err)
        self.ends(1, *self.args, "--retry-failed")
        self.assertEqual(self.classes(), {"ok": 1, "input": 1, "rejected": 1})
        self.assertEqual(self.requests(), 4)

    def test_files_are_for_their_owner(self):
        self.batch("in.jsonl", 1)
        self.ends(0, *self.args)
        for name in ("out.jsonl", "out.jsonl.leat"):
            self.assertEqual(stat.S_IMODE(os.stat(self.dir / name).st_mode), 0o600)
        self.assertEqual(sorted(os.listdir(self.dir)), ["in.jsonl", "out.jsonl", "out.jsonl.leat"])


class Signals(Cli):
    """A slow endpoint; the run is stopped in the middle. By itself it would need 25 s, so a test that has to wait for the machine
    still finds it at work."""
    COUNT = 2000

    def begin(self, latency_ms, **options):
        self.mocked = self.mock("--latency-ms", latency_ms)
        self.batch("in.jsonl", self.COUNT)
        self.args = ["run", "in.jsonl", "-o", "out.jsonl", "--base-url", self.mocked.url, "-j", "4"]
        process = self.start(*self.args, **options)
        self.wait_rows(8)
        return process

    def finish(self):
        """Starts it again, until the end; each id once."""
        self.ends(0, *self.args, "-j", "200")
        self.assertEqual(len(self.rows()), self.COUNT)
        return self.mock_end(self.mocked)["answered"]

    def wait_taken(self, process, number):
        """Until the program has read the signal."""
        status = pathlib.Path(f"/proc/{process.pid}/status")
        self.wait_for("the signal is read", lambda: not any(
            int(pending, 16) >> (number - 1) & 1 for pending in re.findall(r"(?m)^(?:SigPnd|ShdPnd):\s*(\w+)", status.read_text())))

    def test_the_first_signal_drains(self):
        self.drained(signal.SIGINT, 130)

    def test_a_request_to_terminate_drains(self):
        self.drained(signal.SIGTERM, 143)

    def drained(self, number, code):
        process = self.begin(50)
        process.send_signal(number)
        _, err = process.communicate(timeout=100)
        self.assertEqual(process.returncode, code, err)
        self.assertEqual(err.count("stopping: what is in flight is being finished"), 1)
        self.assertLess(len(self.rows()), self.COUNT)
        # Everything that was asked has its row: nothing is asked again.
        self.assertEqual(self.finish(), self.COUNT)

    def test_the_second_signal_stops_at_once(self):
        process = self.begin(50)
        # The endpoint stands still: what is in flight would never end.
        self.mocked.send_signal(signal.SIGSTOP)
        process.send_signal(signal.SIGINT)
        for line in process.stderr:
            if "stopping: " in line:
                break
        time.sleep(SECOND_WISH_S)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=100)
        self.mocked.send_signal(signal.SIGCONT)
        self.assertEqual(process.returncode, 130, err)
        self.assertIn("stopping at once", err)
        self.finish()

    def test_two_signals_at_once_are_one_wish(self):
        """timeout(1) tells the process, and then its group."""
        process = self.begin(50)
        # So that nobody who is given no CPU makes two wishes of it.
        process.send_signal(signal.SIGSTOP)
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGCONT)
        _, err = process.communicate(timeout=100)
        self.assertIn(process.returncode, (143, 130), err)
        self.assertNotIn("stopping at once", err)
        self.assertEqual(self.finish(), self.COUNT)

    def test_what_comes_before_it_is_told_is_the_same_wish(self):
        """Nobody reads what is said, so that telling of the first signal takes longer than two of them may be apart."""
        ours, theirs = os.pipe()
        process = self.begin(50, stderr=theirs)
        full = os.open(f"/proc/self/fd/{theirs}", os.O_WRONLY | os.O_NONBLOCK)  # Only what is written here does not wait.
        os.close(theirs)
        with self.assertRaises(BlockingIOError):
            while True:
                os.write(full, b"\n" * select.PIPE_BUF)
        os.close(full)
        process.send_signal(signal.SIGTERM)
        self.wait_taken(process, signal.SIGTERM)
        process.send_signal(signal.SIGINT)
        time.sleep(SECOND_WISH_S)
        with open(ours, encoding="utf-8") as said:
            err = "".join(line for line in said if line != "\n")
        self.assertEqual(process.wait(100), 143, err)
        self.assertIn("stopping: what is in flight is being finished", err)
        self.assertNotIn("stopping at once", err)
        self.assertEqual(self.finish(), self.COUNT)

    def test_a_kill_loses_nothing(self):
        process = self.begin(30)
        process.kill()
        process.communicate()
        self.assertLessEqual(self.finish(), self.COUNT + 4)

    def test_a_signal_that_is_ignored_stays_ignored(self):
        mocked = self.mock("--latency-ms", 20)
        self.batch("in.jsonl", 40)

        def before():
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        process = self.start("run", "in.jsonl", "-o", "out.jsonl", "--base-url", mocked.url, "-j", "4", before=before)
        self.wait_rows(4)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=100)
        self.assertEqual(process.returncode, 0, err)

    def test_a_server_ends_when_it_is_told_to(self):
        """A script starts its jobs in the background with SIGINT ignored."""
        def before():
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        for number in (signal.SIGINT, signal.SIGTERM):
            process = self.start("mock", stderr=None, before=before)
            self.assertIn("http://127.0.0.1:", process.stdout.readline())
            process.send_signal(number)
            out, _ = process.communicate(timeout=100)
            self.assertEqual(process.returncode, 0)
            self.assertEqual(json.loads(out)["requests"], 0)

    def test_the_second_signal_gives_a_stuck_pipe_up(self):
        """The reader of standard output lives, and reads nothing."""
        self.batch("in.jsonl", 500)
        ours, theirs = os.pipe()
        process = self.start("run", "in.jsonl", "-o", "-", "--base-url", "mock:", stdout=theirs)
        # How many bytes a pipe holds depends on the size of the writes; full is when it takes none.
        self.wait_for("a full pipe", lambda: not select.select([], [theirs], [], 0)[1])
        os.close(theirs)
        process.send_signal(signal.SIGINT)
        for line in process.stderr:
            if "stopping: " in line:
                break
        time.sleep(SECOND_WISH_S)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=100)
        os.close(ours)
        self.assertEqual(process.returncode, 130, err)

    def test_a_second_process_is_refused(self):
        process = self.begin(50)
        self.says(8, "in use by another process", *self.args)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=100)
        self.assertEqual(process.returncode, 143)
        self.assertEqual(self.finish(), self.COUNT)

    def test_the_key_is_not_in_the_process_list(self):
        self.mocked = self.mock("--latency-ms", 50, "--key", "sk-secret-in-mock")
        self.batch("in.jsonl", self.COUNT)
        process = self.start("run", "in.jsonl", "-o", "out.jsonl", "--base-url", self.mocked.url, "-j", "2",
                             env={"OPENAI_API_KEY": "sk-secret-in-mock"})
        self.wait_rows(4)
        with open(f"/proc/{process.pid}/cmdline", "rb") as f:
            command = f.read()
        self.assertIn(b"in.jsonl", command)
        self.assertNotIn(b"sk-secret", command)
        with open(f"/proc/{process.pid}/limits") as f:
            self.assertRegex(f.read(), r"Max core file size +[01] +[01] ")
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=100)
        self.assertEqual(process.returncode, 143, err)
        self.assertEqual(set(self.classes()), {"ok"})


class Progress(Cli):
    def args(self, *more):
        self.batch("in.jsonl", 30)
        return ["run", "in.jsonl", "-o", "out.jsonl", "--base-url", "mock:", "--overwrite", *more]

    def test_plain(self):
        for more in ([], ["--progress", "plain"]):
            ended = self.ends(0, *self.args(*more))
            self.assertRegex(ended.err, r"(?m)^rows: +30 good, 0 failed; in ")
            self.assertRegex(ended.err, r"(?m)^requests: +30")
            self.assertRegex(ended.err, r"(?m)^tokens: +[\d,]+ in, [\d,]+ out$")
            self.assertRegex(ended.err, r"(?m)^output: +out.jsonl$")
            self.assertNotIn("\r", ended.err)

    def test_json(self):
        ended = self.ends(0, *self.args("--progress", "json"))
        events = [json.loads(line) for line in ended.err.splitlines()]
        self.assertEqual(events[0]["event"], "note")
        self.assertIn("progress", [e["event"] for e in events])
        summary = events[-1]
        self.assertEqual((summary["event"], summary["rows_ok"], summary["exit_code"]), ("summary", 30, 0))
        self.assertEqual(summary["classes"], {"ok": 30})
        ended = self.ends(3, "run", "in.jsonl", "-o", "out.jsonl", "--base-url", "mock:", "--url", "/v1/other", "--format", "body",
                          "--progress", "json")
        self.assertEqual([json.loads(line)["event"] for line in ended.err.splitlines()][-2:], ["error", "summary"])

    def test_none(self):
        self.assertEqual(self.ends(0, *self.args("--progress", "none")).err, "")
        self.assertNotEqual(self.ends(2, "run", "--progress", "none").err, "")

    def test_a_bar_on_a_terminal(self):
        mocked = self.mock("--latency-ms", "100")
        self.batch("in.jsonl", 20)
        ours, theirs = pty.openpty()
        process = self.start("run", "in.jsonl", "-o", "out.jsonl", "--base-url", mocked.url, "-j", "2", stderr=theirs)
        os.close(theirs)
        shown = b""
        try:
            while piece := os.read(ours, 65536):
                shown += piece
        except OSError:  # The other end is closed.
            pass
        os.close(ours)
        self.assertEqual(process.wait(100), 0)
        text = shown.decode()
        self.assertRegex(text, r"\r *\d+% \[[#.]+\] \d+(/20)? done, ")
        self.assertNotIn("\x1b", text)
        self.assertRegex(text, r"rows: +20 good")
        # The time left stands where a line of 80 columns does not cut it off.
        self.assertRegex(text, r"% \[[#.]+\] \d+(/20)? done, [\d.]+/s, \d+:\d\d left, \d+ in flight")

    def test_limits_show_their_use(self):
        ended = self.ends(0, *self.args("--rpm", "6000"))
        self.assertRegex(ended.err, r"[\d.]+ % of the limit used")


if __name__ == "__main__":
    main()
