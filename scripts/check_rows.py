#!/usr/bin/env python3
"""Checks that each row of the flow model has its test: the tables at the top of tests/test_flow_*.c against the tests themselves.

- each of the rows 1 to 81 stands in exactly one table, as `NN  what PocketFlow has  keep|fix|option|n/a  test`
- a row that is not n/a has at least one test `row_NN_...` in the file whose table names it, and that test is in the list of its main
- no test is named after a row of another file's table
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
ROWS = range(1, 82)


def main():
    breaches, place, absent = [], {}, set()
    for path in sorted((ROOT / "tests").glob("test_flow_*.c")):
        text = path.read_text(encoding="utf-8")
        head, body = text.split("*/", 1)
        for number, line in re.findall(r"^ \* +(\d+) +(\S.*)$", head, re.M):
            row = int(number)
            if row in place:
                breaches.append(f"{path.name}: row {row} stands in {place[row][0]} too")
            place[row] = (path.name, body)
            if re.search(r"\bn/a\b", line):
                absent.add(row)
    for row in ROWS:
        if row not in place:
            breaches.append(f"row {row} stands in no table")
        elif row not in absent:
            name, body = place[row]
            tests = re.findall(rf"^static void (row_{row:02}_\w+)\(void \*\*state\)", body, re.M)
            if not tests:
                breaches.append(f"{name}: row {row} has no test row_{row:02}_...")
            breaches += [f"{name}: {t} is not in the list of main" for t in tests if not re.search(rf"cmocka_unit_test\w*\({t}\b", body)]
    for path in sorted((ROOT / "tests").glob("*.c")):
        for number in re.findall(r"^static void row_(\d+)_", path.read_text(encoding="utf-8"), re.M):
            if int(number) not in place or place[int(number)][0] != path.name or int(number) in absent:
                breaches.append(f"{path.name}: a test of row {number}, which its table does not have")
    for extra in sorted(set(place) - set(ROWS)):
        breaches.append(f"{place[extra][0]}: there is no row {extra}")
    print("\n".join(breaches + [f"check_rows: {len(ROWS)} rows, {len(absent)} of them n/a, {len(breaches)} breaches"]))
    sys.exit(1 if breaches else 0)


if __name__ == "__main__":
    main()
