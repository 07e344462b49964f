"""What happens around a run: descriptors that are closed, a standard error that nobody reads, a terminal that goes away."""
import json
import os
import pty
import resource
import select
import shutil
import signal
import subprocess
import time
import tty
import unittest
import urllib.request

from cli_support import LEAT, Cli, main


class Descriptors(Cli):
    """The program is started with some of its three descriptors closed, as bad daemons do."""

    def test_what_is_said_goes_into_no_file(self):
        self.batch("in.jsonl", 20)
        for closed in ((2,), (0, 2), (0, 1, 2)):
            with self.subTest(closed=closed):
                self.ends(0, "run", "in.jsonl", "-o", "out.jsonl", "--overwrite", "--base-url", "mock:", "--trace", "trace.json",
                          "--progress", "json", before=lambda closed=closed: [os.close(fd) for fd in closed])
                self.assertEqual(len(self.rows()), 20)
                json.loads((self.dir / "trace.json").read_text())

    def test_standard_output_that_is_closed_is_an_error(self):
        self.batch("in.jsonl", 20)
        self.says(8, "standard output", "run", "in.jsonl", "-o", "-", "--base-url", "mock:", before=lambda: os.close(1))

    def test_standard_input_that_is_closed_is_an_error(self):
        self.says(3, "cannot read", "run", "-", "-o", "out.jsonl", "--format", "batch", "--base-url", "mock:", before=lambda: os.close(0))


class Threads(Cli):
    """A user, or a container, may have so many processes, and threads count as such. The kernel lets root have more."""
    NOBODY = 65533

    @unittest.skipUnless(os.geteuid() == 0, "becomes a user who has no other processes")
    def test_too_few_threads_are_told(self):
        self.batch("in.jsonl", 3)
        self.dir.chmod(0o777)
        program = shutil.copy(LEAT, self.dir)

        def before():
            resource.setrlimit(resource.RLIMIT_NPROC, (2, 2))
            os.setgroups([])
            os.setuid(self.NOBODY)
        self.says(8, "threads", "run", "in.jsonl", "-o", "out.jsonl", "--base-url", "mock:",
                  program=program, before=before)
        self.assertFalse((self.dir / "out.jsonl").exists())


class NobodyReads(Cli):
    """Standard error takes nothing any more: a pipe whose reader stands still, a terminal behind a connection that is gone."""
    COUNT = 300

    def fill(self, fd):
        """Until it takes nothing: written through a description of our own, so that nothing changes for others."""
        full = os.open(f"/proc/self/fd/{fd}", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
        for size in (select.PIPE_BUF, 1):
            try:
                while True:
                    os.write(full, b"x" * size)
            except BlockingIOError:
                pass
        os.close(full)

    def begin(self, theirs, *more, url="mock:"):
        self.fill(theirs)
        self.batch("in.jsonl", self.COUNT)
        return self.start("run", "in.jsonl", "-o", "out.jsonl", "--base-url", url, *more, stderr=theirs)

    def begin_on_a_terminal(self, url="mock:"):
        ours, theirs = pty.openpty()
        self.addCleanup(os.close, ours)
        tty.setraw(theirs)
        process = self.begin(theirs, url=url)
        os.close(theirs)
        return process

    def test_a_pipe_holds_no_work_up(self):
        for how in ("auto", "json"):
            ours, theirs = os.pipe()
            process = self.begin(theirs, "--progress", how, "--overwrite")
            os.close(theirs)
            self.wait_rows(self.COUNT)
            # The last words wait for their reader, and have it.
            with open(ours, encoding="utf-8") as said:
                self.assertIn("rows_ok" if how == "json" else "rows:", said.read())
            self.assertEqual(process.wait(100), 0)
            self.assertEqual(len(self.rows()), self.COUNT)

    def test_a_terminal_holds_no_work_up(self):
        process = self.begin_on_a_terminal()
        self.wait_rows(self.COUNT)
        self.ends_by_signals(process)
        self.assertEqual(len(self.rows()), self.COUNT)

    def test_signals_are_heard_all_the_same(self):
        """The endpoint takes its time, so the run would not end by itself."""
        mocked = self.mock("--latency-ms", 20000)
        process = self.begin_on_a_terminal(mocked.url)
        self.wait_for("requests", lambda: (self.dir / "out.jsonl").exists())
        self.ends_by_signals(process)

    def ends_by_signals(self, process):
        """However long telling of the first one is tried."""
        def ended():
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(0.5)
            except subprocess.TimeoutExpired:
                return False
            return True
        self.wait_for("the end of the program", ended)


class Hangup(Cli):
    """The terminal goes away, and with it, for the shell, all that it has started."""
    COUNT = 2000

    def begin(self, **options):
        self.mocked = self.mock("--latency-ms", 50)
        self.batch("in.jsonl", self.COUNT)
        self.args = ["run", "in.jsonl", "-o", "out.jsonl", "--base-url", self.mocked.url, "-j", "4"]
        process = self.start(*self.args, stderr=subprocess.DEVNULL, **options)
        self.wait_rows(8)
        return process

    def test_what_is_in_flight_is_finished(self):
        process = self.begin()
        process.send_signal(signal.SIGHUP)
        self.wait_for("its end", lambda: process.poll() is not None or process.send_signal(signal.SIGHUP))
        self.assertEqual(process.returncode, 129)
        self.assertLess(len(self.rows()), self.COUNT)
        self.ends(0, *self.args, "-j", "200")
        self.assertEqual(len(self.rows()), self.COUNT)
        self.assertEqual(self.mock_end(self.mocked)["answered"], self.COUNT)  # none was asked twice

    def test_who_ignores_it_goes_on(self):
        process = self.begin(before=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
        process.send_signal(signal.SIGHUP)
        count = len(self.rows_so_far())
        self.wait_for("more rows", lambda: len(self.rows_so_far()) > count + 40)
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(100), 143)

    def rows_so_far(self):
        return (self.dir / "out.jsonl").read_bytes().splitlines()


class StandStill(Cli):
    """The program is stopped for longer than any timer, as by Ctrl-Z, or with its machine."""

    def stats(self, mocked):
        with urllib.request.urlopen(mocked.url.replace("/v1", "/stats"), timeout=100) as reply:
            return json.load(reply)

    def stopped(self, *more):
        mocked = self.mock("--latency-ms", 500)
        self.batch("in.jsonl", 8)
        process = self.start("run", "in.jsonl", "-o", "out.jsonl", "--overwrite", "--base-url", mocked.url, "-j", "8", *more)
        self.wait_for("the requests", lambda: self.stats(mocked)["requests"] == 8)
        process.send_signal(signal.SIGSTOP)
        since = time.monotonic()
        self.wait_for("the answers, and time that is over", lambda: self.stats(mocked)["answered"] == 8 and time.monotonic() > since + 2.5)
        process.send_signal(signal.SIGCONT)
        _, err = process.communicate(timeout=100)
        self.assertEqual(process.returncode, 0, err)
        self.assertEqual(len(self.rows()), 8)
        self.assertNotIn("possibly billed", err)
        self.assertEqual(self.mock_end(mocked)["requests"], 8, err)

    def test_answers_that_came_meanwhile_are_taken(self):
        self.stopped("--first-byte-timeout", "2")
        self.stopped("--request-timeout", "2", "--stream")


class Lost(Cli):
    """Somebody does something to the output while a run writes to it. By itself the run would need 25 s."""
    COUNT = 2000

    def stopped(self, sentence, act):
        self.mocked = self.mock("--latency-ms", 50)
        self.batch("in.jsonl", self.COUNT)
        self.args = ["run", "in.jsonl", "-o", "sub/out.jsonl", "--base-url", self.mocked.url, "-j", "4"]
        process = self.start(*self.args)
        self.wait_rows(8, "sub/out.jsonl")
        act()
        _, err = process.communicate(timeout=100)
        self.assertEqual(process.returncode, 8, err)
        self.assertIn(sentence, err)
        self.assertNotIn("goes on from here", err)
        return err

    def setUp(self):
        super().setUp()
        self.out, self.saved = self.dir / "sub/out.jsonl", self.dir / "sub/out.jsonl.saved"
        self.out.parent.mkdir()

    def finish(self, asked_twice=0):
        self.ends(0, *self.args, "-j", "200")
        self.assertEqual(len(self.rows("sub/out.jsonl")), self.COUNT)
        answered = self.mock_end(self.mocked)["answered"]
        self.assertTrue(self.COUNT <= answered <= self.COUNT + asked_twice, answered)

    def test_an_output_that_is_moved(self):
        moved = self.dir / "sub/out.jsonl.1"
        err = self.stopped("was moved while rows were written to it", lambda: self.out.rename(moved))
        self.assertIn("put it back, and the same command goes on", err)
        moved.rename(self.out)
        self.finish()

    def test_an_output_that_is_removed(self):
        err = self.stopped("was removed or replaced while rows were written to it", self.out.unlink)
        self.assertIn("the rows are kept in sub/out.jsonl.saved: call it sub/out.jsonl, and the same command goes on", err)
        self.saved.rename(self.out)
        self.finish()

    def test_an_output_that_is_replaced(self):
        """As editors do it, and sed -i; and the name for the rows is taken."""
        self.saved.write_text("somebody else's")

        def replace():
            self.write("copy", self.out.read_bytes())
            (self.dir / "copy").rename(self.out)
        err = self.stopped("was removed or replaced while rows were written to it", replace)
        self.assertIn("the rows are lost, sub/out.jsonl.saved cannot be written: File exists", err)
        self.assertEqual(self.saved.read_text(), "somebody else's")

    def test_an_output_that_is_cut(self):
        self.stopped("was cut by somebody while rows were written to it", lambda: os.truncate(self.out, 0))
        self.finish(asked_twice=self.COUNT)

    def test_what_took_the_place_of_an_empty_output_stays(self):
        self.batch("in.jsonl", 4)
        process = self.start("run", "in.jsonl", "-o", self.out, "--base-url", self.fault("hang").url + "/v1", "-j", "4")
        self.wait_for("the output", lambda: self.out.exists() and (self.dir / "sub/out.jsonl.leat").exists())
        self.out.unlink()
        self.out.write_text("somebody else's")
        self.wait_for("its end", lambda: process.poll() is not None or process.send_signal(signal.SIGTERM))
        self.assertEqual(self.out.read_text(), "somebody else's")


if __name__ == "__main__":
    main()
