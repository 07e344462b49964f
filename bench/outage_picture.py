#!/usr/bin/env python3
"""Draws docs/outage.svg: what an endpoint saw of `leat run` through two outages, second by second and by outcome: at first it is overloaded
(503 to everybody), later it drops every connection.

    bench/outage_picture.py LEAT [SVG]      LEAT is the program; takes four minutes, most of them waiting
"""
import asyncio
import pathlib
import sys

import picture

RPM = 1200
OVERLOADED, BROKEN, END = (30, 75), (130, 165), 220  # seconds
OUTCOMES = ((200, "#4a90c2"), (503, "#d04030"), (0, "#e0a030"))


class Failing(picture.Endpoint):
    def decide(self, at):
        if OVERLOADED[0] <= at < OVERLOADED[1]:
            return 503, None
        return (0 if BROKEN[0] <= at < BROKEN[1] else 200), None


def draw(endpoint):
    parts, below = [], [0] * END
    for status, color in OUTCOMES:
        counts = picture.per_second(endpoint, END, (status,))
        parts.append(picture.bars(counts, below, color))
        below = [a + b for a, b in zip(below, counts)]
    count = {status: sum(s == status for _, s in endpoint.seen) for status, _ in OUTCOMES}
    labels = [(0, 0, "requests a second, as the endpoint counted them"), (OVERLOADED[0], 1, "503 to all"), (OVERLOADED[1], 1, "back"),
              (BROKEN[0], 1, "drops connections"), (BROKEN[1], 2, "back")]
    for at in (*OVERLOADED, *BROKEN):
        x = picture.LEFT + picture.SECOND_WIDTH * at
        parts.append(f'<line x1="{x}" y1="48" x2="{x}" y2="{picture.BASE}" stroke="black" stroke-dasharray="4 3"/>')
    return picture.frame(END, 30, parts, labels, f"{count[200]} answered; {count[503]} times 503 (red), {count[0]} connections dropped (yellow)"), count


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    out = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else pathlib.Path(__file__).resolve().parent.parent / "docs" / "outage.svg"
    endpoint = Failing()
    asyncio.run(picture.measure(sys.argv[1], endpoint, RPM, END))
    text, count = draw(endpoint)
    out.write_text(text)
    print(f"{out}: {count}")


if __name__ == "__main__":
    main()
