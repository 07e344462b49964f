#!/usr/bin/env python3
"""Kills `leat run` again and again, starts it again, and checks what came of it.

    kill_run.py LEAT SHIM [--full] [--seed N] [--keep]

LEAT is the program, SHIM the library of tests/support/kill_shim.c. The parts:

  calls    a fresh run of 200 rows is killed at its k-th call that changes a file (open, write, fsync, ftruncate, rename, unlink):
           before it, after it, and in the middle of it (half of a write); then the same command again, until it is done
  repair   the run that goes on after a torn row is itself killed at each of its calls
  rewrite  so is the run that takes failed rows out of the output (--retry-failed)
  random   kills at random times, until 200 of them have hit (quick: 25)
  faults   the same against an endpoint that answers 503 or cuts its answers in a third of all cases

--full (or LEAT_LONG in the environment) goes through every call; the default takes the first and last calls and every few of the
rest, in about a minute.

The checker is apart from the program: it knows the input, the output, and what the endpoint logged. After each kill: every line
of the output but the last is a row with a right checksum and an id of its own. At the end: each id stands exactly once, in a
whole row, with the answer to its own document; and the endpoint accepted at most one request for each row that was missing, plus
max-concurrency for each kill. The checker itself is checked first: damaged outputs must be found.
"""

import argparse
import ctypes
import ctypes.util
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

ROWS = 200
JOBS = 4


class Broken(Exception):
    """A promise that was not kept."""


def load_xxhash():
    name = ctypes.util.find_library("xxhash") or "libxxhash.so.0"
    library = ctypes.CDLL(name)
    library.XXH3_64bits.restype = ctypes.c_uint64
    library.XXH3_64bits.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
    return lambda data: library.XXH3_64bits(data, len(data))


XXH3 = load_xxhash()


def document(index):
    return f"Document {index} speaks of marker{index:03d}x and of nothing else."


def write_input(path):
    with open(path, "w", encoding="utf-8") as file:
        for index in range(ROWS):
            body = {"model": "leat-extract", "messages": [{"role": "user", "content": document(index)}]}
            row = {"custom_id": f"id-{index:03d}", "method": "POST", "url": "/v1/chat/completions", "body": body}
            file.write(json.dumps(row) + "\n")


class Mock:
    """A `leat mock` with a log."""

    def __init__(self, leat, folder, name, *options):
        self.log_path = os.path.join(folder, name + ".log")
        self.process = subprocess.Popen([leat, "mock", "--log", self.log_path, *options], stdout=subprocess.PIPE, text=True)
        self.url = self.process.stdout.readline().strip()
        if not self.url.startswith("http://127.0.0.1:"):
            raise Broken(f"leat mock did not start: {self.url!r}")

    def stats(self):
        with urllib.request.urlopen(self.url.replace("/v1", "/stats"), timeout=20) as reply:
            return json.load(reply)

    def settled(self):
        """Waits until no request is open any more, and gives how many were accepted so far."""
        end = time.monotonic() + 60
        while time.monotonic() < end:
            stats = self.stats()
            if stats["in_flight"] == 0 and stats["connections"] <= 1:
                break
            time.sleep(0.005)
        else:
            raise Broken(f"requests of a killed run stay open: {stats}")
        return stats["requests"]

    def accepted_hashes(self):
        """Body hashes of all accepted requests in the log, once it is written as far as the counters are."""
        end = time.monotonic() + 60
        while True:
            want = self.stats()["requests"]
            with open(self.log_path, "rb") as file:
                lines = file.read().splitlines()
            if len(lines) >= want:
                return [row["body"] for row in map(json.loads, lines) if row["decision"] in ("accepted", "fault")]
            if time.monotonic() > end:
                raise Broken("the endpoint's log lacks lines")
            time.sleep(0.02)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)
        self.process.stdout.close()


def check_row(line, failed_ok):
    """Checks one whole line of output; gives its id."""
    try:
        row = json.loads(line)
    except ValueError as why:
        raise Broken(f"a line is not JSON ({why}): {line[:100]!r}")
    at = line.rindex(b',"sum":')
    if int(row["leat"]["sum"], 16) != XXH3(line[:at]):
        raise Broken(f"a row's checksum is wrong: {line[:100]!r}")
    index = int(row["custom_id"].removeprefix("id-"))
    if row["leat"]["line"] != index + 1:
        raise Broken(f"a row names the wrong line: {line[:100]!r}")
    status = row["response"]["status_code"]
    if status != 200 and not failed_ok:
        raise Broken(f"a row failed: {line[:300]!r}")
    if status == 200:
        text = row["response"]["body"]["choices"][0]["message"]["content"]
        if text != document(index):
            raise Broken(f"a row has the answer to another document: {line[:300]!r}")
    return row["custom_id"]


def check_output(path, complete, failed_ok=False):
    """Checks an output as it stands; gives the ids of its whole rows. The last line may be torn unless it is complete."""
    if not os.path.exists(path):
        if complete:
            raise Broken("there is no output")
        return set()
    with open(path, "rb") as file:
        data = file.read()
    lines = data.split(b"\n")
    torn = lines.pop()
    if torn and complete:
        raise Broken(f"the last row is torn: {torn[:100]!r}")
    ids = set()
    for line in lines:
        one = check_row(line, failed_ok)
        if one in ids:
            raise Broken(f"{one} stands twice")
        ids.add(one)
    if complete:
        if len(ids) != ROWS:
            raise Broken(f"{len(ids)} of {ROWS} ids are in the output")
        for left in (".leat.tmp", ".leat.rows"):
            if os.path.exists(path + left):
                raise Broken(f"{path + left} was left behind")
        if not os.path.exists(path + ".leat"):
            raise Broken("the settings of a finished output are missing")
    return ids


class Killer:
    def __init__(self, args, folder):
        self.leat, self.shim, self.folder = args.leat, args.shim, folder
        self.full = args.full
        self.random = random.Random(args.seed)
        self.input = os.path.join(folder, "in.jsonl")
        self.out = os.path.join(folder, "out.jsonl")
        self.kills = self.runs = self.again = 0
        write_input(self.input)
        self.mock = Mock(args.leat, folder, "mock", "--latency-ms", "2")

    def clear(self):
        for name in os.listdir(self.folder):
            if name.startswith("out.jsonl"):
                os.unlink(os.path.join(self.folder, name))

    def command(self, *options, mock=None):
        return [self.leat, "run", self.input, "-o", self.out, "--base-url", (mock or self.mock).url, "-j", str(JOBS),
                "--progress", "none", *options]

    def environment(self, at, when):
        env = dict(os.environ, LD_PRELOAD=self.shim, KILL_AT=str(at), KILL_WHEN=when, KILL_PREFIX=os.path.realpath(self.out),
                   KILL_COUNT=os.path.join(self.folder, "count"))
        # Sanitizers want to be first in line; the shim allocates nothing, so it may be.
        env["ASAN_OPTIONS"] = env.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"
        return env

    def run_killed_at(self, at, when, *options):
        """Runs with a kill at the at-th call; True when it hit."""
        self.runs += 1
        done = subprocess.run(self.command(*options), env=self.environment(at, when), capture_output=True, timeout=120)
        if done.returncode == -signal.SIGKILL:
            self.kills += 1
            return True
        if done.returncode not in (0, 1):
            raise Broken(f"exit code {done.returncode}: {done.stderr.decode()[-500:]}")
        return False

    def run_to_end(self, *options, mock=None, codes=(0,)):
        self.runs += 1
        done = subprocess.run(self.command(*options, mock=mock), capture_output=True, timeout=120)
        if done.returncode not in codes:
            raise Broken(f"exit code {done.returncode}: {done.stderr.decode()[-500:]}")

    def settle_account(self, before, missing, kills):
        """The endpoint may have been asked once for each missing row, and JOBS times more for each kill."""
        asked = self.mock.settled() - before
        if asked > missing + JOBS * kills:
            raise Broken(f"{asked} requests for {missing} rows with {kills} kills")
        self.again += asked - missing

    def points(self, count):
        """Which of `count` calls are tried."""
        if self.full:
            return range(1, count + 1)
        step = max(1, count // 10)
        return sorted({*range(1, min(count, 6) + 1), *range(7, count, step), *range(max(1, count - 2), count + 1)})

    def count_calls(self, prepare, *options):
        prepare()
        if self.run_killed_at(0, "before", *options):
            raise Broken("killed without an order")
        with open(os.path.join(self.folder, "count"), encoding="ascii") as file:
            count = int(file.read())
        if count < 1:
            raise Broken("the shim saw no call: is it preloaded?")
        return count

    def sweep(self, name, prepare, *options, failed_ok=False):
        """Kills at the chosen calls, each from the state that `prepare` makes; it gives how many rows are missing there."""
        count = self.count_calls(prepare, *options)
        hits = 0
        for at in self.points(count):
            for when in ("before", "half", "after"):
                missing = prepare()
                before = self.mock.settled()
                if not self.run_killed_at(at, when, *options):
                    continue  # the number of writes varies a little: this run needed fewer
                hits += 1
                check_output(self.out, False, failed_ok)
                self.run_to_end(*options)
                check_output(self.out, True)
                self.settle_account(before, missing, 1)
        print(f"{name}: {count} calls, {hits} kills", flush=True)
        if hits < 3:
            raise Broken(f"{name}: hardly a kill hit")

    def check_the_checker(self):
        """A finished output, damaged in each way that the checker is there for."""
        self.clear()
        self.run_to_end()
        check_output(self.out, True)
        with open(self.out, "rb") as file:
            lines = file.read().splitlines(keepends=True)
        flipped = lines[7].replace(b"speaks", b"squeaks")
        swapped = lines[7].replace(b"id-" + lines[7].split(b'"custom_id":"id-')[1][:3], b"id-999")
        damages = {
            "a row twice": lines + lines[:1],
            "a row lost": lines[1:],
            "a torn end": lines[:-1] + [lines[-1][:-30]],
            "a torn middle": lines[:5] + [lines[5][:50]] + lines[6:],
            "a flipped byte": lines[:7] + [flipped] + lines[8:],
            "another id": lines[:7] + [swapped] + lines[8:],
        }
        for name, damaged in damages.items():
            with open(self.out, "wb") as file:
                file.write(b"".join(damaged))
            try:
                check_output(self.out, True)
            except Broken:
                continue
            raise Broken(f"the checker does not see {name}")
        try:
            self.settle_account(self.mock.settled() - ROWS - 1, ROWS, 0)
        except Broken:
            return
        raise Broken("the checker does not see one request too many")

    def calls(self):
        def prepare():
            self.clear()
            return ROWS

        for sync in ("none", "group", "row"):
            self.sweep(f"calls, --sync {sync}", prepare, "--sync", sync)

    def keep_state(self, name):
        kept = os.path.join(self.folder, name)
        os.makedirs(kept)
        for file in os.listdir(self.folder):
            if file.startswith("out.jsonl"):
                shutil.copy2(os.path.join(self.folder, file), kept)
        return kept

    def bring_state(self, kept):
        self.clear()
        for file in os.listdir(kept):
            shutil.copy2(os.path.join(kept, file), self.folder)

    def repair(self):
        """An output whose last row is torn, in the middle of the job."""
        for at in (30, 20, 10, *range(5, 60)):  # which calls are writes of rows depends on the machine's pace
            self.clear()
            if self.run_killed_at(at, "half", "--sync", "none"):
                with open(self.out, "rb") as file:
                    if not file.read().endswith(b"\n"):
                        break
        else:
            raise Broken("no kill left a torn row")
        self.mock.settled()
        kept = self.keep_state("torn")

        def prepare():
            self.bring_state(kept)
            return ROWS - len(check_output(self.out, False))

        self.sweep("repair", prepare, "--sync", "group")

    def rewrite(self):
        """A finished output in which a third of the rows failed."""
        self.clear()
        faulty = Mock(self.leat, self.folder, "faulty", "--error-rate", "0.3", "--error-status", "400", "--seed", "3")
        try:
            self.run_to_end(mock=faulty, codes=(1,))
        finally:
            faulty.stop()
        check_output(self.out, True, True)
        kept = self.keep_state("failed")

        def prepare():
            self.bring_state(kept)
            with open(self.out, "rb") as file:
                return sum(json.loads(line)["response"]["status_code"] != 200 for line in file)

        self.sweep("rewrite", prepare, "--retry-failed", failed_ok=True)

    def run_killed_in(self, seconds, *options, mock=None):
        """Runs with a kill after that time; False when the run had ended by itself, well."""
        self.runs += 1
        process = subprocess.Popen(self.command(*options, mock=mock), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        try:
            _, error = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            _, error = process.communicate()
        if process.returncode not in (0, -signal.SIGKILL):
            raise Broken(f"exit code {process.returncode}: {error.decode()[-500:]}")
        return process.returncode != 0

    def kill_at_random(self):
        """One job under random kills, to its end."""
        self.clear()
        before, kills = self.mock.settled(), 0
        while self.run_killed_in(self.random.uniform(0, 0.2)):
            kills += 1
            check_output(self.out, False)
            self.mock.settled()
        check_output(self.out, True)
        self.settle_account(before, ROWS, kills)
        return kills

    def kill_with_faults(self, faulty):
        hits = 0
        while hits < 20 and self.run_killed_in(self.random.uniform(0, 1), "--max-attempts", "50", mock=faulty):
            hits += 1
            check_output(self.out, False)
        self.run_to_end("--max-attempts", "50", mock=faulty)
        check_output(self.out, True)
        return hits

    def faults(self):
        """Random kills while a third of all requests fail and wait to be tried again. The account does not balance here."""
        faulty = Mock(self.leat, self.folder, "faults", "--latency-ms", "2", "--error-rate", "0.2", "--error-status", "503",
                      "--cut-rate", "0.1", "--seed", "5", "--retry-after", "0.02")
        hits = 0
        try:
            for _ in range(6 if self.full else 1):
                self.clear()
                hits += self.kill_with_faults(faulty)
        finally:
            faulty.stop()
        self.kills += hits
        print(f"faults: {hits} kills", flush=True)

    def at_random(self):
        want, hits, jobs = (200 if self.full else 25), 0, 0
        while hits < want:
            hits += self.kill_at_random()
            jobs += 1
            if jobs > 20 * want:
                raise Broken("random kills come too late to hit")
        self.kills += hits
        print(f"random: {hits} kills in {jobs} jobs", flush=True)

    def check_log(self):
        """Every request that the endpoint accepted was for a document of the input."""
        known = set()
        with open(self.input, "rb") as file:
            for line in file:
                at = line.index(b'"body": ') + 8
                known.add(f"{XXH3(line.rstrip()[at:-1]):016x}")
        strange = [one for one in self.mock.accepted_hashes() if one not in known]
        if strange:
            raise Broken(f"{len(strange)} requests that no document asked for")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("leat")
    parser.add_argument("shim")
    parser.add_argument("--full", action="store_true", default=bool(os.environ.get("LEAT_LONG")))
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--keep", action="store_true", help="keep the folder when it fails")
    args = parser.parse_args()
    args.leat, args.shim = os.path.abspath(args.leat), os.path.abspath(args.shim)
    if args.seed is None:
        args.seed = random.SystemRandom().randrange(1 << 32) if args.full else 1
    folder = os.path.realpath(tempfile.mkdtemp(prefix="leat_kill_"))
    killer, start = None, time.monotonic()
    try:
        killer = Killer(args, folder)
        killer.check_the_checker()
        killer.calls()
        killer.repair()
        killer.rewrite()
        killer.at_random()
        killer.faults()
        killer.check_log()
        print(f"kill_run: ok: {killer.kills} kills in {killer.runs} runs, {killer.again} answers asked again, seed {args.seed}, "
              f"{time.monotonic() - start:.0f} s")
        return 0
    except Broken as why:
        print(f"kill_run: BROKEN (seed {args.seed}): {why}", file=sys.stderr)
        return 1
    finally:
        if killer:
            killer.mock.stop()
        if args.keep and sys.exc_info()[0]:
            print(f"kept: {folder}", file=sys.stderr)
        else:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
