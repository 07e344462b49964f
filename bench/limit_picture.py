#!/usr/bin/env python3
"""Draws docs/limits.svg: the rate of `leat run` as an endpoint saw it, second by second: under a limit, through a burst of 429s,
through a halved limit, and back.

    bench/limit_picture.py LEAT [SVG]      LEAT is the program; takes seven minutes, most of them waiting

The endpoint is a server in this script with a true sliding window of 60 s. It names no limit in its headers: only Retry-After.
"""
import asyncio
import collections
import pathlib
import sys

import picture

RPM, HALVED = 1200, 600
BURST, HALF, BACK, END = (80, 90), 150, 270, 400  # seconds: everything refused; the limit halved; raised again; the end


class Limited(picture.Endpoint):
    def __init__(self):
        super().__init__()
        self.window = collections.deque()

    def decide(self, at):
        limit = HALVED if HALF <= at < BACK else RPM
        while self.window and self.window[0] <= at - 60:
            self.window.popleft()
        if BURST[0] <= at < BURST[1]:
            return 429, 4
        if len(self.window) >= limit:
            return 429, max(1, int(self.window[len(self.window) - limit] + 60 - at) + 1)
        self.window.append(at)
        return 200, None


def draw(endpoint):
    good, bad = picture.per_second(endpoint, END, (200,)), picture.per_second(endpoint, END, (429,))
    limit = [(0, RPM), (HALF, RPM), (HALF, HALVED), (BACK, HALVED), (BACK, RPM), (END, RPM)]
    line = " ".join(f"{picture.LEFT + picture.SECOND_WIDTH * at},{picture.BASE - picture.REQUEST_HEIGHT * rpm // 60}" for at, rpm in limit)
    parts = [picture.bars(good, [0] * END, "#4a90c2"), picture.bars(bad, good, "#d04030"),
             f'<polyline points="{line}" fill="none" stroke="black" stroke-dasharray="4 3"/>']
    labels = [(0, 0, "requests a second, as the endpoint counted them"), (BURST[0], 1, "all refused"), (HALF, 1, "halved"), (BACK, 1, "raised")]
    return picture.frame(END, 60, parts, labels, f"{len(endpoint.seen)} requests, {sum(bad)} of them refused (red); the dashed line is the "
                                                 f"limit of {RPM} ({HALVED}) a minute")


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    out = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else pathlib.Path(__file__).resolve().parent.parent / "docs" / "limits.svg"
    endpoint = Limited()
    asyncio.run(picture.measure(sys.argv[1], endpoint, RPM, END))
    out.write_text(draw(endpoint))
    print(f"{out}: {len(endpoint.seen)} requests, {sum(status != 200 for _, status in endpoint.seen)} refused")


if __name__ == "__main__":
    main()
