#!/usr/bin/env python3
"""Checks the habits of CONTRIBUTING.md that a machine can check. Prints each breach and exits 1 when there is one.

- a function has at most 60 lines, a file at most 600
- banned calls: strcpy, sprintf and their kind; sleeping; the heap, threads and atomics past their doors in src/base
- each .c file of src/ starts with a comment that says what it is
- each public function has a doc block above it with the fields that its prototype asks for (headers.py)
"""
import pathlib
import re
import sys

sys.dont_write_bytecode = True
import headers  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent
FUNCTION_LINES_MAX = 60
FILE_LINES_MAX = 600

BANNED = {
    r"\b(strcpy|strcat|sprintf|vsprintf|gets|atoi|atol|atof|strtok)\s*\(": "use a bounded form",
    r"\b(usleep|sleep|nanosleep)\s*\(": "waiting is awaiting",
}
# What only some files may call: the doors of base, and who stands behind them.
DOORS = [
    (r"(?<![\w.>*])(malloc|calloc|realloc|free|strdup|strndup)\s*\(", ["src/base/mem.c"], "memory goes through base/mem.h"),
    (r"\batomic_\w+\s*\(|__atomic_|__sync_", ["src/base/atomics.h"], "atomics go through base/atomics.h"),
    (r"\bpthread_(create|join|detach)\s*\(", ["src/base/os_thread.c", "src/sched/", "src/net/", "src/mock/"],
     "threads are started by sched, net and mock"),
    (r"\bclock_gettime\s*\(|\btime\s*\(\s*NULL", ["src/base/os_time.c"], "time goes through base/os.h"),
    (r"\bsyscall\s*\(|\b(mmap|munmap|madvise|mprotect)\s*\(", ["src/base/os_"], "the kernel is called through base/os.h"),
    (r"(?<![\w.>])(open|read|write|pread|pwrite|fsync|ftruncate|rename)\s*\(", ["src/base/"], "files go through base/os.h"),
]
# Reasons stand beside the names: who may step past a door, and why.
EXCEPTIONS = {
    # In a signal handler only a few calls are allowed, and write is one of them.
    "src/sched/overflow.c": [r"(?<![\w.>])(open|read|write|pread|pwrite|fsync|ftruncate|rename)\s*\("],
}


def without_comments(text):
    """The text with comments and string contents blanked, lines kept."""
    def blank(match):
        s = match.group(0)
        if s.startswith("/"):
            return re.sub(r"[^\n]", " ", s)
        return s[0] + re.sub(r"[^\n]", " ", s[1:-1]) + s[-1]
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', blank, text, flags=re.S)


def functions_of(lines):
    """(name, first line, lines) of each function: clang-format puts the outer braces into column 0."""
    start = None
    for number, line in enumerate(lines, 1):
        if line.startswith("{"):
            start = number
        elif line.startswith("}") and start:
            head = start - 1
            while head > 1 and lines[head - 2].strip() and not lines[head - 2].rstrip().endswith((";", "}", "*/")) \
                    and not lines[head - 2].startswith("#"):
                head -= 1
            name = re.search(r"(\w+)\s*\(", " ".join(lines[head - 1:start]))
            if name:
                yield name.group(1), head, number - head + 1
            start = None


def breaches_of(path, name):
    text = path.read_text(encoding="utf-8")
    code = without_comments(text)
    lines = code.split("\n")
    if len(lines) - 1 > FILE_LINES_MAX:
        yield 1, f"{len(lines) - 1} lines; a file has at most {FILE_LINES_MAX}"
    if name.startswith("src/") and not text.startswith("/*"):
        yield 1, "starts with a comment that says what the file is"
    for found in re.finditer(r"\b(TODO|FIXME|XXX)\b", text):
        yield text.count("\n", 0, found.start()) + 1, f"{found.group(0)}: do it, or open an issue"
    for function, line, count in functions_of(lines):
        if count > FUNCTION_LINES_MAX:
            yield line, f"{function} has {count} lines; a function has at most {FUNCTION_LINES_MAX}"
    if not name.startswith("src/"):
        return
    for number, line in enumerate(lines, 1):
        for pattern, why in BANNED.items():
            if re.search(pattern, line):
                yield number, f"{re.search(pattern, line).group(0).strip()}: {why}"
        for pattern, allowed, why in DOORS:
            found = re.search(pattern, line)
            if found and not any(name.startswith(a) for a in allowed) and pattern not in EXCEPTIONS.get(name, []):
                yield number, f"{found.group(0).strip()}: {why}"


def main():
    found = 0
    for folder in ("src", "include", "tests", "examples", "bench"):
        for path in sorted((ROOT / folder).rglob("*.[ch]")):
            name = str(path.relative_to(ROOT))
            breaches = list(breaches_of(path, name))
            for line, what in breaches:
                print(f"{name}:{line}: {what}")
                found += 1
    for path, line, what in headers.breaches():
        print(f"{path}:{line}: {what}")
        found += 1
    if found:
        print(f"check_style: {found} breaches")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
