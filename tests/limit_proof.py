#!/usr/bin/env python3
"""Proves from the server's side that `leat run` keeps to the limits, and uses them, while a third of what it asks goes wrong.

    limit_proof.py LEAT [CLI_FAULT] [--seconds N] [--only NAME] [--keep FOLDER]

One run for each limit, side by side, each against a `leat mock` of its own that knows the same limit: 600, 6,000 and 60,000 requests a
minute, and one that is bound by tokens while its own limit on requests spreads them. Of the requests 14 % get a 500, 3 % a 503, 10 % are cut in the middle of the answer, and 4 % come
three seconds late. When half of the time has passed, the server halves its limit; after three quarters it is back.

Then a checker that knows nothing of leat's code reads what the server has logged:
  - the requests that came in any window of 60 s, whatever became of them, are at most the limit, and at most the half from one window
    after it was halved on; tokens in the same way, as the server charges them;
  - while there was work, each window of 60 s was used to at least min(97 %, 1 - largest / limit), less the time in which the machine
    stood still: a thread of this script wants to wake every 10 ms and writes down when it could not. The share without that is told too;
  - at most 1 % of the requests were refused;
  - for each document there were at most 1.5 requests.

With LEAT_LONG=1 or --seconds 600 it takes ten minutes; else 40 s, in which the windows are of 5 s, the limits are 600 and 6,000, and the
bounds are wide: on a busy machine a short window says more about the machine than about the limiter.

That the checker sees is shown first, by times that are made up: a little too many, and a little too few.
"""
import argparse
import bisect
import concurrent.futures
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time

WORDS = "wind water stone river light winter harbor copper garden letter mountain market silver engine forest cloud signal bridge".split()
HALVED_FROM, HALVED_TO = 0.5, 0.75
SECOND = 10**9

# name: requests a minute, tokens a minute (then they are what is judged), in flight at most, words of a document
RUNS = {"600": (600, None, 100, 12), "6000": (6000, None, 800, 12), "60000": (60000, None, 4000, 12), "tokens": (1000, 150000, 400, 90)}
SHORT = ("600", "6000")  # where tokens are halved, nobody goes until a minute has room again


class Breach(Exception):
    pass


# ---- the checker: times and amounts, nothing else ----

def most_in(times, sums, window_ns, span):
    """The most that any window within the span held: one that ends at an arrival."""
    begin = bisect.bisect_left(times, span[0])
    most = 0
    for i in range(begin, bisect.bisect_left(times, span[1])):
        first = max(bisect.bisect_right(times, times[i] - window_ns), begin)
        most = max(most, sums[i + 1] - sums[first])
    return most


def least_in(times, sums, window_ns, span, lost):
    """The least that any window within the span held, as it is and with what was `lost`: one that begins just after an arrival."""
    lost_times, lost_sums = [at for at, _ in lost], sums_of(amount for _, amount in lost)
    least = fair = None
    for i in range(bisect.bisect_left(times, span[0]), bisect.bisect_left(times, span[1] - window_ns)):
        end = times[i] + window_ns
        held = sums[bisect.bisect_right(times, end)] - sums[i + 1]
        more = lost_sums[bisect.bisect_right(lost_times, end)] - lost_sums[bisect.bisect_left(lost_times, times[i])]
        least = held if least is None else min(least, held)
        fair = held + more if fair is None else min(fair, held + more)
    return least, fair


def sums_of(amounts):
    sums = [0]
    for amount in amounts:
        sums.append(sums[-1] + amount)
    return sums


class Bounds:
    """What is asked of a run. A short one is judged by short windows and widely."""

    def __init__(self, seconds):
        self.is_long = seconds >= 300
        self.window_s = 60 if self.is_long else 5
        self.slack_s = 0 if self.is_long else 0.5  # of a window's length
        self.used = 0.97 if self.is_long else 0.85

    def most(self, limit):
        return limit if self.is_long else limit * (self.window_s + self.slack_s) / 60 + 1

    def least(self, limit, largest):
        return min(self.used, 1 - largest / limit) * limit * self.window_s / 60 - largest


def check_span(what, times, amounts, limit, largest, span, bounds, stalls=()):
    """One span of time with one limit; gives the most and the least as shares of what the limit allows in a window."""
    window_ns, sums = int(bounds.window_s * SECOND), sums_of(amounts)
    most = most_in(times, sums, window_ns, span)
    least, fair = least_in(times, sums, window_ns, span, [(at, limit / 60 * lost_s) for at, lost_s in stalls])
    if most > bounds.most(limit):
        raise Breach(f"{what}: {most} in a window, {bounds.most(limit):.0f} are allowed")
    if least is None:
        raise Breach(f"{what}: not one whole window")
    if fair < bounds.least(limit, largest):
        raise Breach(f"{what}: only {least} in a window ({fair:.0f} with what stalls took), {bounds.least(limit, largest):.0f} would have been possible")
    share = limit * bounds.window_s / 60
    return most / share, least / share


def spans(seconds, bounds, first_ns):
    """(name, factor of the limit, from, to): before, in and after the half. The windows of a new limit begin one window after it, and a
    raised one a moment after it, when an answer has told of it."""
    at = lambda share: int(share * seconds * SECOND)  # noqa: E731
    window_ns = int(bounds.window_s * SECOND)
    start = first_ns + (window_ns // 4 if bounds.is_long else 3 * SECOND)
    yield "before", 1, start, at(HALVED_FROM)
    yield "halved", 0.5, at(HALVED_FROM) + (window_ns if bounds.is_long else 2 * SECOND), at(HALVED_TO)
    yield "raised", 1, at(HALVED_TO) + (window_ns // 4 if bounds.is_long else 2 * SECOND), at(1)


def rows_of(path):
    rows = []
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            rows.append((row["time_ns"], row["tokens"], row["status"], row["body"]))
    return sorted(rows)


def check(name, rows, seconds, stalls):
    """Judges the server's log of one run; gives what it saw."""
    requests_limit, tokens_limit = RUNS[name][:2]
    bounds = Bounds(seconds)
    times = [row[0] for row in rows]
    seen = {"requests": len(rows), "documents": len({row[3] for row in rows}), "refused": sum(row[2] == 429 for row in rows)}
    limit = tokens_limit or requests_limit
    # What is refused is not charged by the server. Else all that came counts, and what a request is charged is known when it has arrived.
    amounts = [1 if not tokens_limit else 0 if row[2] == 429 else row[1] for row in rows]
    largest = max(amounts)
    for span_name, factor, from_ns, to_ns in spans(seconds, bounds, times[0]):
        seen[span_name] = check_span(f"{name}, {span_name}", times, amounts, limit * factor, largest, (from_ns, to_ns), bounds, stalls)
    if bounds.is_long and seen["refused"] > 0.01 * seen["requests"]:
        raise Breach(f"{name}: {seen['refused']} of {seen['requests']} requests refused")
    if seen["requests"] > 1.5 * seen["documents"]:
        raise Breach(f"{name}: {seen['requests']} requests for {seen['documents']} documents")
    return seen


def expect_breach(words, *args):
    try:
        check_span("made up", *args)
    except Breach as breach:
        if words in str(breach):
            return
    raise SystemExit(f"the checker does not see: {words}")


def check_checker():
    """Ten minutes at 98.5 % of 600, as they should be; then 12 more within a second; then a gap of three seconds."""
    even = [int(i * 60 / 591 * SECOND) for i in range(5910)]
    long, span = Bounds(600), (0, 600 * SECOND)
    check_span("made up", even, [1] * len(even), 600, 1, span, long)
    more = sorted(even + [300 * SECOND + i * SECOND // 12 for i in range(12)])
    expect_breach("are allowed", more, [1] * len(more), 600, 1, span, long)
    gap = [at for at in even if not 300 * SECOND < at < 303 * SECOND]
    expect_breach("would have been possible", gap, [1] * len(gap), 600, 1, span, long)


# ---- the runs ----

def documents_write(path, count, words):
    rng = random.Random(words)
    with open(path, "w", encoding="utf-8") as out:
        for i in range(count):
            length = rng.randint(words // 2, words * 2)
            out.write(f"Document {i}. " + " ".join(rng.choices(WORDS, k=length)) + ".\n")


def script_write(path, name, seconds):
    limit = "tpm" if RUNS[name][1] else "rpm"
    value = RUNS[name][1] or RUNS[name][0]
    lines = [{"fault": "status", "status": 500, "rate": 0.14}, {"fault": "status", "status": 503, "rate": 0.04}, {"fault": "cut", "rate": 0.12},
             {"fault": "slow", "seconds": 3, "rate": 0.06}, {limit: value},
             {limit: value // 2, "from_s": HALVED_FROM * seconds, "to_s": HALVED_TO * seconds}]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


class Witness(threading.Thread):
    """Wants to wake every 10 ms; what it was late beyond the 25 ms that the limiter makes good for is time that nobody had."""

    def __init__(self):
        super().__init__(daemon=True)
        self.late, self.done = [], False

    def run(self):
        before = time.monotonic()
        while not self.done:
            time.sleep(0.01)
            now = time.monotonic()
            if now - before > 0.035:
                self.late.append((now, now - before - 0.035))
            before = now


def run_one(leat, name, seconds, folder):
    """One run against one server; gives the server's log and the time when its clock began."""
    requests, tokens, jobs, words = RUNS[name]
    folder.mkdir(parents=True)
    script_write(folder / "script", name, seconds)
    documents_write(folder / "documents", int(requests * seconds / 60) + 100, words)
    env = {k: v for k, v in os.environ.items() if not k.startswith("OPENAI_") and not k.lower().endswith("_proxy")}
    server = subprocess.Popen([leat, "mock", "--script", folder / "script", "--log", folder / "log", "--latency-ms", "200", "--latency-sigma", "0.5",
                               "--seed", "7", "--stop-with-stdin"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env)
    try:
        url = server.stdout.readline().strip()
        begun = time.monotonic()
        limits = ["--rpm", str(requests)] + (["--tpm", str(tokens)] if tokens else [])
        client = subprocess.Popen([leat, "run", folder / "documents", "--format", "lines", "--model", "m", "-o", folder / "out", "--base-url", url,
                                   "-j", str(jobs), "--progress", "none", *limits], env=env, stderr=open(folder / "errors", "w", encoding="utf-8"))
        try:
            code = client.wait(timeout=max(1, begun + seconds - time.monotonic()))
            raise Breach(f"{name}: it ended too early, with {code}; {folder / 'errors'}")
        except subprocess.TimeoutExpired:
            client.send_signal(signal.SIGTERM)
            client.wait(timeout=60)
        finally:
            if client.poll() is None:
                client.kill()
                client.wait()
        server.stdin.close()
        server.wait(timeout=30)
    finally:
        if server.poll() is None:
            server.kill()
            server.wait()
        server.stdout.close()
    return folder / "log", begun


def prove(leat, name, seconds, folder, witness):
    log, begun = run_one(leat, name, seconds, folder)
    stalls = [(int((at - begun) * SECOND), lost_s) for at, lost_s in witness.late if at > begun]
    seen = check(name, rows_of(log), seconds, stalls)
    seen["stalls_s"] = sum(lost_s for _, lost_s in stalls)
    return seen


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("leat")
    parser.add_argument("cli_fault", nargs="?", help="not used; the tests of the program are all called with it")
    parser.add_argument("--seconds", type=int, default=600 if os.environ.get("LEAT_LONG") == "1" else 40)
    parser.add_argument("--only", choices=RUNS, action="append")
    parser.add_argument("--keep", type=pathlib.Path, help="leave inputs and logs here")
    args = parser.parse_args()
    check_checker()
    names = args.only or (list(RUNS) if Bounds(args.seconds).is_long else SHORT)
    failed = False
    with tempfile.TemporaryDirectory(prefix="leat-proof-") as scratch, concurrent.futures.ThreadPoolExecutor(len(names)) as pool:
        folder, witness = args.keep or pathlib.Path(scratch), Witness()
        witness.start()
        runs = {name: pool.submit(prove, args.leat, name, args.seconds, folder / name, witness) for name in names}
        for name, run in runs.items():
            try:
                seen = run.result()
            except Breach as breach:
                failed = True
                print(f"BREACH {breach}", flush=True)
                continue
            shares = "; ".join(f"{span} at most {100 * seen[span][0]:.1f} %, at least {100 * seen[span][1]:.1f} %" for span in ("before", "halved", "raised"))
            print(f"{name}: {seen['requests']} requests for {seen['documents']} documents ({seen['requests'] / seen['documents']:.3f} each), "
                  f"{seen['refused']} refused, {seen['stalls_s']:.1f} s of standing still; of the limit in a window: {shares}", flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
