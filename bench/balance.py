"""The measurements `oversubscribed` and `home` of bench/run: more workers than CPUs, and what it costs that a task which has waited goes on
on its own worker."""
import pathlib
import tempfile

from measure import Marks, median, run, table
from peers import compile_peers

WORKERS = (2, 4, 8, 16)


def oversubscribed_sample(bench, leat, workers):
    """{load: time, or what counts as one} with so many workers."""
    few = ["--repeats", 1]
    cpu = bench.program("cpu", "--workers", workers, "--items", 20 if bench.smoke else 400, *few)
    walks = bench.program("flow", "walks", "--workers", workers, "--items", 2000 if bench.smoke else 500000, "--repeats", 1 if bench.smoke else 3)
    got = {"CPU-heavy batch: SHA-256": cpu["sha256"]["leat_s"], "CPU-heavy batch: like a parser": cpu["parser"]["leat_s"],
           "flow walks that yield": 1e6 / walks["rate"]}
    for what, measure, key in (("fork and join: fib(35), inline tier", "fib", "inline"), ("fork and join: function pointers", "fib_opaque", "opaque"),
                               ("loop of uneven items", "pareto", "ms")):
        got[what] = run(bench.programs, [leat, measure, workers]).json()[key]
    return got


def measure_oversubscribed(bench):
    counts = WORKERS[:2] if bench.smoke else WORKERS
    with tempfile.TemporaryDirectory(prefix="leat-balance-") as name:
        leat = compile_peers(bench, pathlib.Path(name), ["leat"])["leat"]
        samples = [{n: oversubscribed_sample(bench, leat, n) for n in counts} for _ in range(bench.repeats)]
    rows, marks, result = [], Marks(), {}
    for what in samples[0][2]:
        times = {n: median([s[n][what] for s in samples]) for n in counts}
        loss = result[what] = {n: 100 * (times[n] / times[2] - 1) for n in counts[1:]}
        rows.append([what, *("%+.1f" % loss[n] for n in counts[1:])])
        marks.at_most("%s: the most that is lost, %%" % what, max(loss.values()), 15)
    table("More workers than the 2 CPUs: time beyond that of 2 workers, %% (medians of %d)" % bench.repeats,
          ["", *("%d workers" % n for n in counts[1:])], rows)
    return result, marks


def measure_home(bench):
    few = ["--items", 200, "--cap", 20] if bench.smoke else []
    level = [] if bench.smoke else ["--cap", 110]
    got = bench.medians_in_turn({
        "as many answers as the workers can take": ("home", [*few, *level]),
        "the same, computed in a leat_for": ("home", [*few, *level, "--spread"]),
        "twice as many": ("home", few),
        "twice as many, computed in a leat_for": ("home", [*few, "--spread"]),
    })
    marks = Marks()
    for what, g in got.items():
        marks.at_most("%s: lost against the ideal, %%" % what, g["loss_percent"], 10)
    table("Answers that wake 1 ms of uneven work each, 2 workers, against one line for both (medians of %d)" % bench.repeats,
          ["", "in flight", "seconds", "ideal", "lost %"], [[w, int(g["cap"]), g["seconds"], g["ideal"], g["loss_percent"]] for w, g in got.items()])
    return got, marks
