#!/usr/bin/env python3
"""Checks the log of a `leat mock`: that no key got more in any 60 seconds than its limit, and that nothing was refused that fitted.

    check_mock_log.py LOG [--rpm N] [--tpm N] [--limit-at SECONDS=rpm:N,tpm:N ...]

A limit counts from the time at which it was set; a request is judged by the limit of its arrival. Prints what it has seen as a JSON
object, and exits 1 with a sentence for each breach. The endpoint's own code is not used.
"""
import argparse
import collections
import json
import sys

WINDOW_NS = 60 * 10**9
MEMBERS = {"time_ns": int, "wall_ns": int, "key": str, "id": str, "api": str, "decision": str, "status": int, "tokens": int, "ms": float, "end": str,
           "in_flight": int, "body": str}
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
    """[(from ns, {"rpm": n, "tpm": n})], each with what was said before it."""
    now = {"rpm": args.rpm, "tpm": args.tpm}
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
    """Gives the breaches of one key, and the most requests and tokens that any window held."""
    window, tokens, most = collections.deque(), 0, [0, 0]
    for row in rows:
        while window and window[0]["time_ns"] <= row["time_ns"] - WINDOW_NS:
            tokens -= window.popleft()["tokens"]
        limits = limit_at(steps, row["time_ns"])
        over = {"limited_requests": limits["rpm"] is not None and len(window) + 1 > limits["rpm"],
                "limited_tokens": limits["tpm"] is not None and tokens + row["tokens"] > limits["tpm"]}
        if row["decision"] in TAKES_QUOTA:
            for name, is_over in over.items():
                if is_over:
                    yield f"{row['id']} was accepted over a limit ({name}): {len(window)} requests and {tokens} tokens before it"
            window.append(row)
            tokens += row["tokens"]
            most = [max(most[0], len(window)), max(most[1], tokens)]
        elif not over.get(row["decision"], True):
            yield f"{row['id']} was refused ({row['decision']}) with {len(window)} requests and {tokens} tokens in the window"
    yield most


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("log")
    parser.add_argument("--rpm", type=int)
    parser.add_argument("--tpm", type=int)
    parser.add_argument("--limit-at", action="append")
    args = parser.parse_args()
    rows, steps = rows_of(args.log), limits_from(args)
    by_key, breaches, most = collections.defaultdict(list), [], [0, 0]
    for row in rows:
        by_key[row["key"]].append(row)
    for key_rows in by_key.values():
        *found, own = check_key(key_rows, steps)
        breaches += found
        most = [max(pair) for pair in zip(most, own)]
    print(json.dumps({"requests": len(rows), "keys": len(by_key), "decisions": collections.Counter(row["decision"] for row in rows),
                      "requests_max": most[0], "tokens_max": most[1]}))
    for breach in breaches[:20]:
        print(breach, file=sys.stderr)
    sys.exit(1 if breaches else 0)


if __name__ == "__main__":
    main()
