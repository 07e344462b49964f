"""The measurement `peers` of bench/run: the scheduler beside others, each program in turn in one run. bench/peers/peer.h tells what is
measured. What is not installed is left out with a line."""
import math
import pathlib
import shutil
import subprocess
import tempfile

from measure import OUT, ROOT, Failed, Marks, median, run, table

FLAGS = ["-O3", "-march=native", "-D_GNU_SOURCE", "-I", str(ROOT / "bench/peers"), "-I", str(ROOT / "include"), "-I", str(ROOT / "src")]
SOURCES = ROOT / "bench/peers"
LIBRARIES = ["-lcurl", "-lmicrohttpd", "-lxxhash", "-lz", "-lpthread", "-lm"]

# name: (compiler, source, what follows, Debian's package)
PEERS = {
    "leat": ("gcc", "leat.c", ["LIBLEAT", *LIBRARIES], None),
    "switch": ("gcc", "switch.c", ["-DPEER_FCONTEXT", "LIBLEAT", "-lboost_context", *LIBRARIES], "libboost-context-dev"),
    "threads": ("gcc", "threads.c", ["-lpthread", "-lm"], None),
    "oneTBB": ("g++", "tbb.cc", ["-ltbb"], "libtbb-dev"),
    "libgomp": ("gcc", "omp.c", ["-fopenmp", "-lm"], "gcc"),
    "libomp": ("clang", "omp.c", ["-fopenmp", "-lm"], "libomp-dev"),
    "Go": ("go", "peer.go", [], "golang-go"),
}

# What is printed, in this order: row, unit, figure, threads, {column: (program, measure)}; less is better unless the figure is a rate.
ROWS = [
    ("a1 fib, inline tier", "ns a fork", 1, {"leat": ("leat", "fib", "inline"), "serial": ("threads", "fib", "serial")}),
    ("a1 fib, inline tier", "ns a fork", 2, {"leat": ("leat", "fib", "inline"), "oneTBB": ("oneTBB", "fib", "fork"),
                                            "libgomp": ("libgomp", "fib", "fork"), "libomp": ("libomp", "fib", "fork"),
                                            "Go": ("Go", "fib", "fork")}),
    ("a2 fib, function pointers", "ns a fork", 1, {"leat": ("leat", "fib_opaque", "opaque"), "serial": ("threads", "fib", "serial")}),
    ("a2 fib, function pointers", "ns a fork", 2, {"leat": ("leat", "fib_opaque", "opaque")}),
    ("b1 10 M trivial items", "ns an item", 2, {p: (p, "loop", "ns") for p in ("leat", "oneTBB", "libgomp", "libomp", "threads")}),
    ("b2 Pareto, random order", "ms", 2, {p: (p, "pareto", "ms") for p in ("leat", "oneTBB", "libgomp", "libomp", "threads")}),
    ("b3 Pareto, dearest last", "ms", 2, {p: (p, "ascending", "ms") for p in ("leat", "oneTBB", "libgomp", "libomp", "threads")}),
    ("c1 a million submits", "M/s", 2, {p: (p, "submit", "million_per_s") for p in ("leat", "oneTBB", "Go", "threads")}),
    ("c1 the same, a handle each", "M/s", 2, {p: (p, m, "million_per_s") for p, m in (("leat", "submit_handle"), ("threads", "submit"))}),
    ("c2 a million in one batch", "M/s", 2, {p: (p, m, "million_per_s") for p, m in (("leat", "submit_batch"), ("threads", "submit"))}),
    ("d1 switch", "ns", 1, {"leat": ("switch", "leat", "ns"), "fcontext": ("switch", "fcontext", "ns"),
                            "ucontext": ("switch", "ucontext", "ns")}),
    ("d2 yield", "ns", 1, {"leat": ("leat", "yield", "ns"), "Go": ("Go", "yield", "ns")}),
    ("e1 100k suspend, first", "ms", 2, {p: (p, "crowd", "first_ms") for p in ("leat", "Go")}),
    ("e1 100k suspend, again", "ms", 2, {p: (p, "crowd", "warm_ms") for p in ("leat", "Go")}),
    ("e2 wake 100k", "ms", 2, {p: (p, "crowd", "wake_ms") for p in ("leat", "Go")}),
    ("e3 a suspended task", "bytes", 2, {p: (p, "crowd", "bytes") for p in ("leat", "Go")}),
    ("f1 wake of a parked pool, median", "us", 2, {"leat": ("leat", "wake", "median_us"), "oneTBB": ("oneTBB", "wake", "median_us"),
                                                  "threads": ("threads", "wake", "median_us"), "futex": ("threads", "wake_futex", "median_us")}),
    ("f2 the same, p99", "us", 2, {"leat": ("leat", "wake", "p99_us"), "oneTBB": ("oneTBB", "wake", "p99_us"),
                                   "threads": ("threads", "wake", "p99_us"), "futex": ("threads", "wake_futex", "p99_us")}),
    ("f3 CPU meanwhile", "%", 2, {"leat": ("leat", "wake", "cpu_percent"), "oneTBB": ("oneTBB", "wake", "cpu_percent"),
                                  "threads": ("threads", "wake", "cpu_percent"), "futex": ("threads", "wake_futex", "cpu_percent")}),
    ("f3 a wake's own CPU", "us", 2, {"leat": ("leat", "wake", "wake_cpu_us"), "oneTBB": ("oneTBB", "wake", "wake_cpu_us"),
                                      "threads": ("threads", "wake", "wake_cpu_us"), "futex": ("threads", "wake_futex", "wake_cpu_us")}),
    ("f1 with a handle each, median", "us", 2, {"leat": ("leat", "wake_handle", "median_us"), "futex": ("threads", "wake_futex", "median_us")}),
    ("f3 with a handle each, CPU", "%", 2, {"leat": ("leat", "wake_handle", "cpu_percent"), "futex": ("threads", "wake_futex", "cpu_percent")}),
    ("two-thread ceiling", "x", 2, {"threads": ("threads", "ceiling", "ceiling")}),
]

# row, threads, the most (or, for a rate, the least) that ours may be of the other column
MARKS = [
    ("a1 fib, inline tier", 1, "serial", 1.7), ("a2 fib, function pointers", 1, "serial", 3.4),
    ("b1 10 M trivial items", 2, "best", 1.05), ("b2 Pareto, random order", 2, "best", 1.03), ("b3 Pareto, dearest last", 2, "best", 1.05),
    ("c1 a million submits", 2, "threads", 1.7), ("c2 a million in one batch", 2, "threads", 3.0), ("d1 switch", 1, "fcontext", 0.8), ("d2 yield", 1, "Go", 0.35),
    ("e1 100k suspend, first", 2, "Go", 0.9), ("e1 100k suspend, again", 2, "Go", 0.45), ("e2 wake 100k", 2, "Go", 0.6),
    ("f1 wake of a parked pool, median", 2, "futex", 1.5), ("f1 wake of a parked pool, median", 2, "oneTBB", 1.0),
    ("f2 the same, p99", 2, "futex", 2.0), ("f3 a wake's own CPU", 2, "futex", 1.5),
]

# row, threads, the most that ours may be: what needs no peer
LIMITS = [("e3 a suspended task", 2, 4600), ("f3 CPU meanwhile", 2, 0.6)]

# row of two threads, the most of our own time with one thread over the ceiling of the same run
CEILING = [("a1 fib, inline tier", 0.97), ("a2 fib, function pointers", 0.97)]

# row, its figure on two threads against the serial one of the same run
SERIAL = [("a1 fib, inline tier", 0.9)]
RATES = {"M/s"}


def compile_peers(bench, folder, names=tuple(PEERS)):
    """Builds what can be built; {name: program}, and a line for each that is missing."""
    programs = {}
    library = bench.programs.parent / "libleat.a"
    for name in names:
        compiler, source, rest, package = PEERS[name]
        out = folder / name
        if not shutil.which(compiler):
            print("%s is left out: no %s here (Debian: %s)" % (name, compiler, package))
            continue
        if compiler == "go":
            command, env = ["go", "build", "-o", str(out), str(SOURCES / source)], {"GOCACHE": str(folder / "cache"), "GO111MODULE": "off"}
        else:
            defines = [r for r in rest if r.startswith("-D") or r == "-fopenmp"]
            libraries = [str(library) if r == "LIBLEAT" else r for r in rest if not r.startswith("-D")]
            command, env = [compiler, *FLAGS, *defines, str(SOURCES / source), "-o", str(out), *libraries], {}
        done = subprocess.run(["env", *("%s=%s" % e for e in env.items()), *command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True)
        if done.returncode == 0:
            programs[name] = out
        elif package is None:
            raise Failed("%s does not build:\n%s" % (source, done.stdout[-2000:]))
        else:
            print("%s is left out: it does not build (Debian: %s)" % (name, package))
    return programs


def sample(bench, programs, wanted):
    """One turn: {(program, measure, threads): its line of JSON}."""
    got = {}
    for program, measure, threads in wanted:
        done = run(bench.programs, [programs[program], measure, threads], limit_s=120)
        got[program, measure, threads] = done.json()
    return got


def measure_peers(bench):
    with tempfile.TemporaryDirectory(prefix="leat-peers-") as name:
        programs = compile_peers(bench, pathlib.Path(name))
        wanted = list(dict.fromkeys((p, m, threads) for _, _, threads, columns in ROWS for p, m, _ in columns.values() if p in programs))
        if bench.smoke:  # the quick ones: it shows that all of it works
            wanted = [w for w in wanted if w[1] in ("loop", "ceiling", "leat")]
        turns = [sample(bench, programs, wanted) for _ in range(bench.repeats)]
    rows, result = [], {}
    for what, unit, threads, columns in ROWS:
        figures = {c: median([turn[p, m, threads][key] for turn in turns]) for c, (p, m, key) in columns.items() if (p, m, threads) in turns[0]}
        if not figures:
            continue
        result["%s, %d" % (what, threads)] = {"unit": unit, "figures": figures}
        others = "  ".join("%s %.4g" % (c, v) for c, v in figures.items() if c != "leat")
        rows.append([what, unit, threads, figures.get("leat"), others])
    table("The scheduler beside others (medians of %d)" % bench.repeats, ["", "unit", "threads", "leat", "others"], rows)
    if not bench.smoke:
        OUT.mkdir(parents=True, exist_ok=True)
        (OUT / "peers.svg").write_text(picture(result))
        print("  picture: bench/out/peers.svg")
    return result, marks_of(result)


def ratio_of(entry, other):
    """Ours over the other column; over the best of all others for "best". None when one is missing."""
    figures = entry["figures"]
    rest = [v for c, v in figures.items() if c != "leat"]
    if "leat" not in figures or not rest:
        return None
    rate = entry["unit"] in RATES
    base = (max if rate else min)(rest) if other == "best" else figures.get(other)
    return figures["leat"] / base if base else None


def marks_of(result):
    marks = Marks()
    for what, threads, other, limit in MARKS:
        entry = result.get("%s, %d" % (what, threads))
        ratio = ratio_of(entry, other) if entry else None
        if ratio is None:
            continue
        name = "%s, %d: leat / %s" % (what, threads, other)
        marks.at_least(name, ratio, limit) if entry["unit"] in RATES else marks.at_most(name, ratio, limit)
    for what, threads, limit in LIMITS:
        ours = figure_of(result, what, threads, "leat")
        if ours:
            marks.at_most("%s, %d: %s" % (what, threads, result["%s, %d" % (what, threads)]["unit"]), ours, limit)
    ceiling = figure_of(result, "two-thread ceiling", 2, "threads")
    for what, share in CEILING:
        one, two = figure_of(result, what, 1, "leat"), figure_of(result, what, 2, "leat")
        if one and two and ceiling:
            marks.at_least("a3 %s: speed-up / two-thread ceiling" % what[3:], one / two / ceiling, share)
    for what, limit in SERIAL:
        two, serial = figure_of(result, what, 2, "leat"), figure_of(result, what, 1, "serial")
        if two and serial:
            marks.at_most("%s, 2: leat / serial" % what, two / serial, limit)
    return marks


def figure_of(result, what, threads, column):
    return result.get("%s, %d" % (what, threads), {"figures": {}})["figures"].get(column)


def picture(result):
    """Bars: each peer's figure over ours (for a rate, ours over the peer's): longer than the line at 1 = leat is better. Logarithmic."""
    lines, y, left, scale = [], 30, 300, 90
    for what, entry in result.items():
        ours = entry["figures"].get("leat")
        if not ours:
            continue
        for column, value in entry["figures"].items():
            if column == "leat" or not value:
                continue
            ratio = ours / value if entry["unit"] in RATES else value / ours
            length = max(-2.0, min(3.0, math.log10(ratio))) * scale
            at = left + 2 * scale
            color = "#2f7d5b" if ratio >= 1 else "#b5482f"
            lines.append('<text x="%d" y="%d" text-anchor="end">%s: %s</text>' % (left - 8, y + 9, what.rsplit(",", 1)[0], column))
            lines.append('<rect x="%.1f" y="%d" width="%.1f" height="10" fill="%s"/>' % (min(at, at + length), y, abs(length), color))
            lines.append('<text x="%.1f" y="%d">%.2f</text>' % (max(at, at + length) + 4, y + 9, ratio))
            y += 15
        y += 6
    width, at = left + 5 * scale + 60, left + 2 * scale
    head = ('<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="10">'
            '<rect width="100%%" height="100%%" fill="white"/><text x="%d" y="16">how many times better leat is (log scale)</text>' % (width, y + 10, at))
    axis = '<line x1="%d" y1="22" x2="%d" y2="%d" stroke="black"/>' % (at, at, y)
    return "\n".join([head, *lines, axis, "</svg>"]) + "\n"
