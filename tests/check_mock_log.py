#!/usr/bin/env python3
"""Checks the log of a `leat mock`: that no key got more in any 60 seconds than its limit, and that nothing was refused that fitted.

    check_mock_log.py LOG [--rpm N] [--tpm N] [--itpm N] [--otpm N] [--limit-at SECONDS=rpm:N,tpm:N ...]

A limit counts from the time at which it was set; a request is judged by the limit of its arrival. Prints what it has seen as a JSON
object, and exits 1 with a sentence for each breach. The endpoint's own code is not used.
"""
import argparse
import collections
import json
import sys

WINDOW_NS = 60 * 10**9
MEMBERS = {"time_ns": int, "wall_ns": int, "key": str, "id": str, "api": str, "decision": str, "status": int, "tokens": int, "tokens_in": int, "ms": float, "end": str,
           "in_flight": int, "body": str}
LIMITS = {  # what a request costs of each
    "rpm": lambda row: 1, "tpm": lambda row: row["tokens"], "itpm": lambda row: row["tokens_in"],
    "otpm": lambda row: row["tokens"] - row["tokens_in"],
}
TAKES_QUOTA = {"accepted", "fault", "cut"}


def rows_of(path):
    """The lines in the order of arrival. A line is written when its request ends."""
    with open(path, encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    for row in rows:
        for name, kind in MEMBERS.items():
            if not isinstance(row[name], kind):
                raise SystemExit(f"{name} is {row[name]!r}: {row}")
    return sorted(rows, key=lambda row: row["time_ns"])


def limits_from(args):
    """[(from ns, {"rpm": n, ...})], each with what was said before it."""
    now = {name: getattr(args, name) for name in LIMITS}
    steps = [(0, dict(now))]
    for word in sorted(args.limit_at or [], key=lambda word: float(word.partition("=")[0].rstrip("s"))):
        at, _, limits = word.partition("=")
        for limit in limits.split(","):
            name, _, number = limit.partition(":")
            now[name] = None if number == "none" else int(number)
        steps.append((int(float(at.rstrip("s")) * 1e9), dict(now)))
    return steps


def limit_at(steps, time_ns):
    return [limits for from_ns, limits in steps if from_ns <= time_ns][-1]


def check_key(rows, steps):
    """Gives the breaches of one key, and the most of each that any window held."""
    window, held, most = collections.deque(), dict.fromkeys(LIMITS, 0), dict.fromkeys(LIMITS, 0)
    for row in rows:
        while window and window[0]["time_ns"] <= row["time_ns"] - WINDOW_NS:
            gone = window.popleft()
            held = {name: held[name] - cost(gone) for name, cost in LIMITS.items()}
        limits = limit_at(steps, row["time_ns"])
        over = [name for name, cost in LIMITS.items() if limits[name] is not None and held[name] + cost(row) > limits[name]]
        if row["decision"] in TAKES_QUOTA:
            if over:
                yield f"{row['id']} was accepted over a limit ({', '.join(over)}), with {held} before it"
            window.append(row)
            held = {name: held[name] + cost(row) for name, cost in LIMITS.items()}
            most = {name: max(most[name], held[name]) for name in LIMITS}
        elif row["decision"].startswith("limited_") and not over:
            yield f"{row['id']} was refused ({row['decision']}) with {held} in the window"
    yield most


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("log")
    for name in LIMITS:
        parser.add_argument("--" + name, type=int)
    parser.add_argument("--limit-at", action="append")
    args = parser.parse_args()
    rows, steps = rows_of(args.log), limits_from(args)
    by_key, breaches, most = collections.defaultdict(list), [], dict.fromkeys(LIMITS, 0)
    for row in rows:
        by_key[row["key"]].append(row)
    for key_rows in by_key.values():
        *found, own = check_key(key_rows, steps)
        breaches += found
        most = {name: max(most[name], own[name]) for name in LIMITS}
    print(json.dumps({"requests": len(rows), "keys": len(by_key), "decisions": collections.Counter(row["decision"] for row in rows),
                      "requests_max": most["rpm"], "tokens_max": most["tpm"], "input_max": most["itpm"], "output_max": most["otpm"]}))
    for breach in breaches[:20]:
        print(breach, file=sys.stderr)
    sys.exit(1 if breaches else 0)


if __name__ == "__main__":
    main()
