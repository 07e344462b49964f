#!/usr/bin/env python3
"""Prints man/leat-mock.1: docs/mock.md as a man page, with the options of `leat mock` from man/leat.1. scripts/make_docs calls it.

Of Markdown it knows what that page uses: headings, paragraphs, lists, tables, blocks of code, `code`, **bold**, *italic* and links.
"""
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parent.parent
HEAD = """.\\" Made by scripts/mock_man.py from docs/mock.md; do not edit.
.TH LEAT\\-MOCK 1 "" "" "User Commands"
.SH NAME
leat\\-mock \\- an endpoint for LLM clients on this machine, with limits, delays and faults
.SH SYNOPSIS
\\fBleat mock\\fR [OPTIONS]
.SH DESCRIPTION
"""
TAIL = ".SH SEE ALSO\n.BR leat (1),\n.BR leat_mock.h (3)\n"


def escaped(text):
    return text.replace("\\", "\\e").replace("-", "\\-").replace("\u2026", "...")


def inline(text):
    """A line of text with its marks as fonts."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
    found = []
    for part in re.split(r"(`[^`]*`|\*\*[^*]+\*\*|\*[^*\s][^*]*\*)", text):
        if part.startswith("`"):
            found.append("\\fB" + escaped(part[1:-1]) + "\\fR")
        elif part.startswith("**"):
            found.append("\\fB" + escaped(part[2:-2]) + "\\fR")
        elif part.startswith("*") and len(part) > 1:
            found.append("\\fI" + escaped(part[1:-1]) + "\\fR")
        else:
            found.append(escaped(part))
    text = "".join(found)
    return "\\&" + text if text[:1] in (".", "'") else text


def code(lines):
    body = [escaped(line) for line in lines]
    return "\n".join([".PP", ".RS", ".nf", *("\\&" + line if line[:1] in (".", "'") else line for line in body), ".fi", ".RE"])


def table(lines):
    rows = [[cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line.strip()[1:-1])] for line in lines]
    out = []
    for row in rows[2:]:
        out += [".TP", inline(row[0]) or "\\&"]
        if len(row) == 2:
            out.append(inline(row[1]) or "\\&")
        else:
            said = [f"{name}: {inline(cell)}" for name, cell in zip(rows[0][1:], row[1:]) if cell]
            out.append("\n.br\n".join(said))
    return "\n".join(out)


def items(lines):
    """A list: an item's further lines are indented."""
    found = []
    for line in lines:
        start = re.match(r"(?:\*|-|(\d+)\.) +", line)
        if start:
            found.append((start.group(1) + "." if start.group(1) else "\\(bu", [line[start.end():]]))
        else:
            found[-1][1].append(line.strip())
    return "\n".join(f".IP {mark} 3\n{inline(' '.join(text))}" for mark, text in found)


def blocks(text):
    """(kind, lines) of each block."""
    lines = text.split("\n")
    at = 0
    while at < len(lines):
        line = lines[at]
        end = at + 1
        if line.startswith("```"):
            while not lines[end].startswith("```"):
                end += 1
            yield "code", lines[at + 1:end]
            at = end + 1
            continue
        if line.strip() and not line.startswith(("#", "<!--")):
            while end < len(lines) and lines[end].strip() and not lines[end].startswith(("```", "#", "<!--")):
                end += 1
            yield "table" if line.startswith("|") else "list" if re.match(r"(\*|-|\d+\.) ", line) else "text", lines[at:end]
        elif line.startswith("## "):
            yield "heading", [line[3:]]
        at = end


def options():
    page = (ROOT / "man/leat.1").read_text(encoding="utf-8")
    part = page.split("\n.SH LEAT mock\n", 1)[1].split("\n.SH ", 1)[0]
    return ".SH OPTIONS\n" + part[part.index(".SS "):].rstrip("\n") + "\n"


def main():
    out, sections, is_first = [], 0, True
    for kind, lines in blocks((ROOT / "docs/mock.md").read_text(encoding="utf-8")):
        if kind == "heading":
            sections += 1
            if sections == 2:
                out.append(options().rstrip("\n"))
            out.append(".SH " + escaped(lines[0]).upper())
            is_first = True
            continue
        if kind == "text":
            out.append(("" if is_first else ".PP\n") + inline(" ".join(line.strip() for line in lines)))
        else:
            out.append({"code": code, "table": table, "list": items}[kind](lines))
        is_first = False
    print(HEAD + "\n".join(out) + "\n" + TAIL, end="")


if __name__ == "__main__":
    main()
