"""bench/run flow: what the flow itself costs, beside PocketFlow.

The column of PocketFlow 0.0.3 holds figures that were measured with Python 3.11 on two CPUs; `--pocketflow PATH` measures another
column on this machine, from a PocketFlow source that is already here (pocketflow_side.py).
"""
import json
import subprocess
import sys

from measure import ROOT, Failed, Marks, table

# Of each figure: PocketFlow 0.0.3 as text. The second number is that of its async classes, or with the collector off.
STOOD = {
    "step": "2,556 (async 3,222)",
    "item": "245 (async 385)",
    "items": "0.075 (collector off 0.16)",
    "walks": "0.024 (collector off 0.048)",
    "waiting": "1,600 to 2,000",
    "first": "580,000",
}


def here(bench, figure):
    """The same work on the PocketFlow of --pocketflow, as the text of its column."""
    if not bench.pocketflow:
        return None
    command = [sys.executable, ROOT / "bench/pocketflow_side.py", bench.pocketflow, figure, 2000 if bench.smoke else 100000]
    try:
        done = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=300)
    except subprocess.TimeoutExpired:
        raise Failed("PocketFlow's %s did not end within 300 s" % figure) from None
    if done.returncode != 0:
        raise Failed("PocketFlow's %s: %s" % (figure, done.stderr[-2000:]))
    got = json.loads(done.stdout)
    if figure in ("step", "item"):
        return "{:,.0f} (async {:,.0f})".format(got[figure + "_ns"], got[figure + "_async_ns"])
    if figure in ("items", "walks"):
        return "%.3g (collector off %.3g)" % (got["rate"] / 1e6, got["rate_gc_off"] / 1e6)
    return "{:,.0f}".format(got["bytes_each"] if figure == "waiting" else got["first_exec_us"])


def samples_of(bench):
    """The programs' figures, medians over the repeats, the programs in turn so that a noisy minute hits all alike."""
    count, few = (2000, 500) if bench.smoke else (100000, 10000)
    inner = ["--items", count, "--repeats", 1 if bench.smoke else 9]
    short = ["--items", few, "--repeats", 1 if bench.smoke else 25]
    runs = {
        "step": ("step", ["--steps", 100000, "--items", 100000] if bench.smoke else []),
        "items": ("flow", ["items", *inner]),
        "walks": ("flow", ["walks", *inner]),
        "gate": ("flow", ["gate", *short]),
        "empty": ("flow", ["gate", *short, "--exec-ns", 0]),
        "waiting": ("flow", ["waiting", "--items", count]),
        "window": ("flow", ["waiting", "--items", count, "--cap", few]),
        "few": ("flow", ["waiting", "--items", few]),
        "first": ("flow", ["first", *inner]),
    }
    return bench.medians_in_turn(runs)


def measure_flow(bench):
    got = samples_of(bench)
    step, marks = got["step"], Marks()
    window = got["window"]["peak_bytes"] / got["few"]["peak_bytes"]
    rows = [  # what, leat, PocketFlow's figure of the same work
        ["step of a loop of two nodes, ns", step["step_ns"], "step"],
        ["item of a sequential batch, ns", step["item_ns"], "item"],
        ["parallel items that yield once, M/s", got["items"]["rate"] / 1e6, "items"],
        ["parallel walks of 2 nodes that yield once each, M/s", got["walks"]["rate"] / 1e6, "walks"],
        ["%d items wait at once, bytes each" % got["waiting"]["items"], got["waiting"]["bytes_each"], "waiting"],
        ["all of them woken and ended, ms", got["waiting"]["woken_ms"], None],
        ["peak of %d items in a window / peak of its width" % got["window"]["items"], window, None],
        ["start of the batch to its first exec, us", got["first"]["first_exec_us"], "first"],
        ["CPU-heavy batch on 2 workers: bench/run cpu", None, None],
        ["gate when nobody contends, ns", step["gate_ns"], None],
        ["gate's loss, walks of 2 nodes of 2 us, %", got["gate"]["gated_loss"], None],
        ["the same with concurrent_shared, %", got["gate"]["concurrent_loss"], None],
        ["gate's loss, empty walks, %", got["empty"]["gated_loss"], None],
        ["the same with concurrent_shared, %", got["empty"]["concurrent_loss"], None],
    ]
    head = ["", "leat", "PocketFlow 0.0.3"] + (["PocketFlow here"] if bench.pocketflow else [])
    table("What the flow itself costs, 2 workers (medians of %d)" % bench.repeats, head,
          [[what, value, STOOD.get(figure)] + ([here(bench, figure) if figure else None] if bench.pocketflow else [])
           for what, value, figure in rows])
    marks.at_most("flow step, ns", step["step_ns"], 100)
    marks.at_most("sequential batch item, ns", step["item_ns"], 20)
    marks.at_least("parallel items that yield once, a second", got["items"]["rate"], 3e6)
    marks.at_least("parallel walks that yield twice, a second", got["walks"]["rate"], 600e3)
    marks.at_most("an item that waits, bytes", got["waiting"]["bytes_each"], 4600)
    marks.at_most("memory of a window / that of its width", window, 1.1)
    marks.at_most("first exec, us", got["first"]["first_exec_us"], 1000)
    marks.at_most("gate when nobody contends, ns", step["gate_ns"], 15)
    marks.at_most("gate's loss of throughput, %", got["gate"]["gated_loss"], 10)
    # "None": prep and post themselves, and what two runs of the same work differ by.
    marks.at_most("loss with concurrent_shared, %", got["gate"]["concurrent_loss"], 2)
    return got, marks
