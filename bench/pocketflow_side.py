#!/usr/bin/env python3
"""The same work on PocketFlow, for the column beside leat's: `bench/run flow --pocketflow PATH`.

    bench/pocketflow_side.py PATH FIGURE [COUNT]

PATH is a PocketFlow source that is already on this machine: its file, its package folder, or the folder around that. FIGURE is
step, item, items, walks, waiting or first; each prints one line of JSON. Only PocketFlow's public classes are used.
"""
import asyncio
import gc
import importlib.util
import json
import pathlib
import statistics
import sys
import time
import warnings

REPEATS = 5


def load(path):
    path = pathlib.Path(path).resolve()
    for file in (path, path / "__init__.py", path / "pocketflow" / "__init__.py"):
        if file.is_file():
            spec = importlib.util.spec_from_file_location("pocketflow", file)
            module = importlib.util.module_from_spec(spec)
            sys.modules["pocketflow"] = module
            spec.loader.exec_module(module)
            return module
    sys.exit("no PocketFlow source at %s" % path)


def median_s(work, repeats=REPEATS):
    samples = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        samples.append(time.perf_counter() - start)
    return statistics.median(samples)


def step(pf, count):
    """A step of a loop of two nodes, plain and async."""
    left = [0]

    def again():
        left[0] -= 1
        return "default" if left[0] > 0 else "stop"

    class Plain(pf.Node):
        def exec(self, prep_res):
            return prep_res

        def post(self, shared, prep_res, exec_res):
            return again()

    class Async(pf.AsyncNode):
        async def exec_async(self, prep_res):
            return prep_res

        async def post_async(self, shared, prep_res, exec_res):
            return again()

    def loop_of(node, flow):
        a, b = node(), node()
        a >> b
        b >> a
        return flow(start=a)

    plain, waiting = loop_of(Plain, pf.Flow), loop_of(Async, pf.AsyncFlow)

    def run(work):
        left[0] = count
        work()

    return {"step_ns": median_s(lambda: run(lambda: plain.run({}))) * 1e9 / count,
            "step_async_ns": median_s(lambda: run(lambda: asyncio.run(waiting.run_async({})))) * 1e9 / count}


def item(pf, count):
    """An item of a sequential batch, plain and async."""
    class Plain(pf.BatchNode):
        def prep(self, shared):
            return range(count)

        def exec(self, prep_res):
            return prep_res

    class Async(pf.AsyncBatchNode):
        async def prep_async(self, shared):
            return range(count)

        async def exec_async(self, prep_res):
            return prep_res

    return {"item_ns": median_s(lambda: Plain().run({})) * 1e9 / count,
            "item_async_ns": median_s(lambda: asyncio.run(Async().run_async({}))) * 1e9 / count}


def collector_off(work):
    gc.collect()
    gc.disable()
    try:
        return median_s(work)
    finally:
        gc.enable()


def rates(work, count):
    return {"rate": count / median_s(work), "rate_gc_off": count / collector_off(work)}


def items(pf, count):
    """Items of a parallel batch that yield once."""
    class Node(pf.AsyncParallelBatchNode):
        async def prep_async(self, shared):
            return range(count)

        async def exec_async(self, prep_res):
            await asyncio.sleep(0)
            return prep_res

    return rates(lambda: asyncio.run(Node().run_async({})), count)


def walks(pf, count):
    """Parallel walks of two nodes that yield once each."""
    class Node(pf.AsyncNode):
        async def exec_async(self, prep_res):
            await asyncio.sleep(0)

    class Walks(pf.AsyncParallelBatchFlow):
        async def prep_async(self, shared):
            return [{} for _ in range(count)]

    a, b = Node(), Node()
    a >> b
    return rates(lambda: asyncio.run(Walks(start=a).run_async({})), count)


def resident_bytes():
    with open("/proc/self/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * 4096


def waiting(pf, count):
    """Items that all wait for one event, and what each takes in memory."""
    found = {}

    class Node(pf.AsyncParallelBatchNode):
        async def prep_async(self, shared):
            found["event"], found["waiting"] = asyncio.Event(), 0
            return range(count)

        async def exec_async(self, prep_res):
            found["waiting"] += 1
            if found["waiting"] < count:
                await found["event"].wait()
                return
            found["bytes"] = resident_bytes()
            found["event"].set()

    before = resident_bytes()
    asyncio.run(Node().run_async({}))
    return {"bytes_each": (found["bytes"] - before) / count}


def first(pf, count):
    """From the start of a parallel batch to its first exec."""
    samples = []

    class Node(pf.AsyncParallelBatchNode):
        async def prep_async(self, shared):
            return range(count)

        async def exec_async(self, prep_res):
            if prep_res == 0:
                samples.append(time.perf_counter() - shared_start[0])

    shared_start = [0.0]
    for _ in range(REPEATS):
        shared_start[0] = time.perf_counter()
        asyncio.run(Node().run_async({}))
    return {"first_exec_us": statistics.median(samples) * 1e6}


FIGURES = {f.__name__: f for f in (step, item, items, walks, waiting, first)}


def main():
    if len(sys.argv) < 3 or sys.argv[2] not in FIGURES:
        sys.exit(__doc__)
    warnings.simplefilter("ignore")  # the loop of `step` ends by an action that leads nowhere
    pf = load(sys.argv[1])
    print(json.dumps(FIGURES[sys.argv[2]](pf, int(sys.argv[3]) if len(sys.argv) > 3 else 100000)))


if __name__ == "__main__":
    main()
