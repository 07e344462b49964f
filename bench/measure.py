"""What the measurements of bench/run share: building, starting programs, their CPU and memory, medians, the printed table."""
import json
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
OUT = ROOT / "bench" / "out"
SERVER_CPU, CLIENT_CPU = 0, 1


class Failed(Exception):
    """A program failed, or is not there: the message says which."""


def build(folder):
    """Builds the release programs into `folder`, whose CMake settings are kept when it exists."""
    if not (folder / "CMakeCache.txt").exists():
        generator = ["-G", "Ninja"] if shutil.which("ninja") else []
        run_quietly(["cmake", "-S", str(ROOT), "-B", str(folder), "-DCMAKE_BUILD_TYPE=Release", *generator])
    run_quietly(["cmake", "--build", str(folder), "--target", "bench_programs", "--parallel", str(len(os.sched_getaffinity(0)))])


def run_quietly(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        raise Failed("%s failed:\n%s" % (" ".join(command), done.stdout[-3000:]))


def median(values):
    return statistics.median(values)


def can_pin():
    return {SERVER_CPU, CLIENT_CPU} <= os.sched_getaffinity(0)


class Done:
    """How a program ended: its exit code, output, wall seconds, and what the kernel counted for it alone."""

    def __init__(self, code, output, errors, report):
        self.code, self.output, self.errors = code, output, errors
        self.seconds, self.cpu_s, self.rss_kb = report["seconds"], report["cpu_s"], report["rss_kb"]

    def json(self):
        return json.loads(self.output.strip().splitlines()[-1])


def run(programs, command, cpu=None, limit_s=300, accept=(0,)):
    """Runs a program to its end, or its time limit, through bench_spawn."""
    with tempfile.NamedTemporaryFile("r") as report:
        spawn = [programs / "bench_spawn", report.name, cpu if cpu is not None and can_pin() else -1, limit_s]
        done = subprocess.run([str(c) for c in spawn + list(command)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        text = report.read()
    if done.returncode not in accept or not text:
        why = "did not end within %d s" % limit_s if done.returncode == 124 else "ended with %d" % done.returncode
        raise Failed("%s %s: %s" % (" ".join(map(str, command)), why, done.stderr[-2000:]))
    return Done(done.returncode, done.stdout, done.stderr, json.loads(text))


class Server:
    """bench_raw_server on its CPU for the length of a with block."""

    def __init__(self, programs, *args):
        self.command = [str(programs / "bench_raw_server"), "--cpu", str(SERVER_CPU) if can_pin() else "-1", *map(str, args)]

    def __enter__(self):
        self.child = subprocess.Popen(self.command, stdout=subprocess.PIPE, text=True)
        line = self.child.stdout.readline().strip()
        if not line.isdigit():
            raise Failed("the raw server did not start")
        self.port = int(line)
        self.url = "http://127.0.0.1:%d" % self.port
        return self

    def stop(self):
        """Ends the server; what it counted."""
        self.child.send_signal(signal.SIGTERM)
        text = self.child.communicate(timeout=30)[0]
        return json.loads(text.strip().splitlines()[-1])

    def __exit__(self, *_):
        if self.child.poll() is None:
            self.child.kill()
            self.child.communicate()


TEXT = ("Somebody wrote this document long ago,\\nand nobody has read it since; \\\"why\\\" is not known. ")


def write_batch(path, count, body_bytes, mark_line=None, mark="STUCK"):
    """A Batch JSONL of `count` documents whose bodies have about `body_bytes`; line `mark_line` (1-based) holds the mark."""
    head = '{"model":"raw","messages":[{"role":"user","content":"'
    text = TEXT * max(1, (body_bytes - len(head) - 12) // len(TEXT))
    with open(path, "w", encoding="utf-8") as out:
        for i in range(1, count + 1):
            out.write('{"custom_id":"doc-%d","method":"POST","url":"/v1/chat/completions","body":%s%s%s"}]}}\n'
                      % (i, head, mark if i == mark_line else "", text))


def host():
    model = ""
    with open("/proc/cpuinfo", encoding="utf-8") as info:
        for line in info:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    return {"cpus": os.cpu_count(), "cpu": model, "kernel": ".".join(os.uname().release.split(".")[:2]), "load": os.getloadavg()[0]}


TABLES = []  # what was printed by the measurement under way: (title, head, rows of text)


def cell(value):
    if not isinstance(value, float):
        return "" if value is None else str(value)
    return "%.4g" % value if abs(value) < 1e4 else "{:,.0f}".format(value)


def table(title, head, rows):
    """Prints rows of text and numbers under a head, columns as wide as they must be."""
    cells = [head] + [[cell(c) for c in row] for row in rows]
    TABLES.append((title, head, cells[1:]))
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    print("\n" + title)
    for row in cells:
        print("  " + "  ".join(c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths))).rstrip())


class Marks:
    """The marks that a measurement has to reach, printed below its table."""

    def __init__(self):
        self.marks = []

    def add(self, what, value, must, reached):
        self.marks.append({"what": what, "value": value, "must": must, "reached": bool(reached)})

    def at_most(self, what, value, most):
        self.add(what, value, "<= %g" % most, value <= most)

    def at_least(self, what, value, least):
        self.add(what, value, ">= %g" % least, value >= least)

    def print(self):
        for m in self.marks:
            print("  %s  %s: %.4g (%s)" % ("reached" if m["reached"] else "MISSED ", m["what"], m["value"], m["must"]))


# ---- a page of figures ----

def markdown_table(head, rows):
    """A table whose first column is text and whose others are numbers."""
    def line(cells):
        return "| " + " | ".join(str(c).replace("|", "\\|") for c in cells) + " |"
    return [line(head), "|" + "---|" + "---:|" * (len(head) - 1), *map(line, rows)]


def markdown(tables, marks, machine):
    """What a measurement printed, as text of a page."""
    lines = []
    for title, head, rows in tables:
        lines += ["**%s**" % title, "", *markdown_table(head, rows), ""]
    if marks:
        lines += markdown_table(["mark", "measured", "must be", "reached"],
                                [[m["what"], "%.4g" % m["value"], m["must"], "yes" if m["reached"] else "**no**"] for m in marks])
        lines.append("")
    lines.append("%s; %d CPUs, Linux %s, load %.1f." % (machine["cpu"], machine["cpus"], machine["kernel"], machine["load"]))
    return "\n".join(lines)


def replace_block(page, name, text):
    """Puts the text between the page's marks `<!-- bench NAME -->` and `<!-- end NAME -->`; a page without them is left alone."""
    begin, end = "<!-- bench %s -->" % name, "<!-- end %s -->" % name
    whole = page.read_text(encoding="utf-8")
    if begin not in whole or end not in whole:
        print("  %s has no place for %s" % (page, name))
        return
    before, rest = whole.split(begin, 1)
    page.write_text(before + begin + "\n" + text + "\n" + end + rest.split(end, 1)[1], encoding="utf-8")
    print("  written into %s" % page)
