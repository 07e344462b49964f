#!/usr/bin/env python3
"""Reads the public headers: their types and functions, and what the doc block of each function says.

Run alone it checks the blocks, and exits 1 when a function lacks one, or a block lacks a field that its prototype asks for.
A block is one or more sentences, then fields in this order; `needs` below says which prototype must have which:

    Suspends, Threads, Owns, Shape, Units, Errors, Source

What every name already says need not be said again: a function without a task never suspends, `const char *` is NUL-ended
text, `_ms`, `_ns`, `_bytes` are units and `count` counts. A Source in the comment at the head of a header is that of all its
functions.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
FIELDS = ["Suspends", "Threads", "Owns", "Shape", "Units", "Errors", "Source"]
UNITS = {
    "_ms": "ms", "_ns": "ns", "_s": "s", "_bytes": "bytes", "_count": "a count", "_index": "an index from 0",
    "_per_min": "per minute", "_max": "a maximum",
}
COUNTS = {"count", "size", "index", "attempt", "begin", "end", "line"}  # a number without a unit in its name is a count
NUMBERS = r"(size_t|ssize_t|u?int\d*_t|int|unsigned|long|double|float)"
SCALARS = NUMBERS + r"|bool|leat_err|void"


def squeezed(text):
    return " ".join(text.split())


class Param:
    """One parameter of a prototype: its text, type without the name, and name."""

    def __init__(self, text):
        self.text = squeezed(text)
        callback = re.search(r"\(\*\s*(\w+)\)", self.text)
        self.is_callback = callback is not None or re.search(r"\w+_fn\b", self.text) is not None
        if callback:
            self.name, self.type = callback.group(1), self.text
        elif self.text == "...":
            self.name, self.type = "...", "..."
        else:
            found = re.match(r"(.*?)(\w+)$", self.text)
            self.name, self.type = found.group(2), found.group(1).strip()

    @property
    def is_number(self):
        return re.fullmatch(rf"(const )?{NUMBERS}", self.type) is not None

    @property
    def is_text(self):
        return re.fullmatch(r"const char \*", self.type) is not None

    @property
    def base(self):
        """Name of the type that it points to or is."""
        return re.sub(r"\bconst\b|\bstruct\b|\*", "", self.type).strip()


def split_params(text):
    """Cuts at the commas outside parentheses."""
    parts, depth, at = [], 0, 0
    for i, c in enumerate(text):
        depth += (c == "(") - (c == ")")
        if c == "," and depth == 0:
            parts.append(text[at:i])
            at = i + 1
    parts.append(text[at:])
    return [Param(p) for p in parts if p.strip() and p.strip() != "void"]


class Function:
    def __init__(self, prototype, block, line, section):
        self.prototype, self.line, self.section = prototype, line, section
        plain = re.sub(r"\b(LEAT_API|LEAT_INLINE|LEAT_MUST_USE)\b", "", prototype)
        plain = re.sub(r"\bLEAT_PRINTF\([^)]*\)", "", plain)
        self.must_use = "LEAT_MUST_USE" in prototype
        self.plain = squeezed(plain)
        found = re.match(r"(.*?)(\w+)\s*\((.*)\)\s*;$", self.plain)
        self.returns, self.name, self.params = found.group(1).strip(), found.group(2), split_params(found.group(3))
        self.has_block = block is not None
        self.text, self.fields, self.order = parse_block(block or "")

    @property
    def summary(self):
        paragraph = re.split(r"\n\s*\n", self.text)[0]  # an example may follow
        return re.match(r"(.*?([.](?=\s+[A-Z`]|$)|[:;](?=\s))|.*)", squeezed(paragraph)).group(1).rstrip(":;.") + "."

    @property
    def returns_pointer(self):
        return "*" in self.returns


def parse_block(block):
    """(sentences, {field: text}, order of the fields) of a doc block."""
    lines = [re.sub(r"^\s*\*? ?", "", line) for line in block.strip().split("\n")]
    text, fields, order, field = [], {}, [], None
    for line in lines:
        found = re.match(r"(%s):\s+(.*)$" % "|".join(FIELDS), line)
        if found:
            field = found.group(1)
            fields[field] = found.group(2)
            order.append(field)
        elif field and line.strip():
            fields[field] += " " + line.strip()
        elif not field:
            text.append(line)
    return "\n".join(text).strip(), fields, order


class Type:
    """A typedef, or a macro that users write, with the comment above it."""

    def __init__(self, name, text, comment, line, section):
        self.name, self.text, self.comment, self.line, self.section = name, text, comment, line, section


class Header:
    def __init__(self, path):
        self.path, self.name = path, path.name
        self.lines = path.read_text(encoding="utf-8").split("\n")
        self.functions, self.types = [], []
        text = "\n".join(self.lines)
        intro = re.match(r"/\*\s*(.*?)\*/", text, re.S).group(1)
        intro = "\n".join(re.sub(r"^ \*? ?", "", line) for line in intro.split("\n")).strip()
        self.title, _, self.intro = intro.partition("\n")
        self.title = self.title.split(": ", 1)[1].strip()
        source = re.search(r"^Source:\s+(.*?)(?=\n\n|\Z)", self.intro, re.M | re.S)
        self.source = squeezed(source.group(1)) if source else None
        self.intro = re.sub(r"^Source:\s+.*?(?=\n\n|\Z)", "", self.intro, flags=re.M | re.S).strip()
        self.read()

    def read(self):
        """Goes through the declarations; a comment belongs to what stands right below it."""
        section, comment, at = "", None, 0
        while at < len(self.lines):
            line = self.lines[at]
            if re.match(r"/\* ---- (.*) ---- \*/$", line):
                section = re.match(r"/\* ---- (.*) ---- \*/$", line).group(1)
            elif line.startswith("/*"):
                end = at
                while "*/" not in self.lines[end]:
                    end += 1
                comment, at = "\n".join(self.lines[at:end + 1]), end
            elif line.startswith("LEAT_INLINE") and not line.endswith(";"):
                comment = None  # the definition; the declaration with the block stands above
            elif line.startswith(("typedef", "LEAT_API", "LEAT_INLINE", "#define LEAT_TRY")) or re.match(r"#define LEAT_\w+_MAP\(", line):
                end = self.end_of(at)
                self.add("\n".join(self.lines[at:end + 1]), comment, at + 1, section)
                comment, at = None, end
            else:
                comment = None
            at += 1

    def end_of(self, at):
        """Last line of the declaration that begins at a line."""
        if self.lines[at].startswith("#define"):
            while self.lines[at].endswith("\\"):
                at += 1
            return at
        depth = 0
        while True:
            code = re.sub(r"/\*.*?(\*/|$)|^[^/]*\*/", "", self.lines[at])
            depth += code.count("{") - code.count("}")
            if depth == 0 and code.rstrip().endswith(";"):
                return at
            at += 1

    def add(self, text, comment, line, section):
        if text.startswith(("LEAT_API", "LEAT_INLINE")):
            block = comment[3:-2] if comment and comment.startswith("/**") else None
            self.functions.append(Function(text, block, line, section))
            return
        if text.startswith("#define"):
            name = re.match(r"#define (\w+)", text).group(1)
        else:
            code = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
            found = re.search(r"\(\*(\w+)\)\(", code) if "{" not in code else None
            name = found.group(1) if found else re.search(r"(\w+);\s*$", code).group(1)
        self.types.append(Type(name, text, comment, line, section))


def headers():
    """All public headers but the umbrella, in the order in which they build on one another."""
    order = ["base", "task", "fork", "flow", "trace", "limiter", "llm", "bulk", "mock"]
    paths = [p for p in (ROOT / "include" / "leat").glob("*.h") if p.stem != "leat"]
    return [Header(p) for p in sorted(paths, key=lambda p: (order.index(p.stem) if p.stem in order else 99, p.stem))]


def opaque_types(all_headers):
    """Types that users only ever hold a pointer to."""
    return {t.name for h in all_headers for t in h.types if re.match(r"typedef struct (\w+) \1;", t.text.split("\n")[0])}


def takes_task(function):
    return any(p.base == "leat_task" for p in function.params)


def is_array(function, index, opaque):
    """A pointer whose entries or bytes the next parameter counts."""
    p = function.params[index]
    if p.base in opaque and "*const *" not in p.type:
        return False
    after = function.params[index + 1].name if index + 1 < len(function.params) else ""
    return "*" in p.type and (after.endswith(("count", "_bytes")) or after == "size")


def needs(function, opaque):
    """{field: why} of what the prototype asks for."""
    asked = {"Threads": "always"}
    if takes_task(function):
        asked["Suspends"] = "it takes a task"
    if function.returns_pointer or function.name.endswith("_free"):
        asked["Owns"] = "it gives or frees something"
    for i, p in enumerate(function.params):
        if p.is_callback:
            asked["Shape"] = f"`{p.name}` is a callback"
        elif is_array(function, i, opaque):
            asked.setdefault("Shape", f"`{p.name}` is an array")
        if "*" in p.type and not p.is_callback and (p.base not in opaque or p.type.count("*") > 1):
            asked.setdefault("Owns", f"`{p.name}` points to the caller's memory")
        if p.is_number and p.name not in COUNTS and not p.name.endswith(tuple(UNITS)):
            asked.setdefault("Units", f"`{p.name}` is a number without a unit in its name")
    if re.fullmatch(NUMBERS, function.returns) and not function.name.endswith(tuple(UNITS)):
        asked.setdefault("Units", "it gives a number")
    if function.returns in ("leat_err", "int") or function.returns_pointer:
        asked["Errors"] = "it can fail, or says that it cannot"
    return asked


def breaches(all_headers=None):
    """(path, line, sentence) of each function whose block is not whole."""
    all_headers = all_headers or headers()
    opaque = opaque_types(all_headers)
    for h in all_headers:
        for f in h.functions:
            where = (str(h.path.relative_to(ROOT)), f.line)
            if not f.has_block:
                yield *where, f"{f.name}: no doc block above it"
                continue
            if not f.text:
                yield *where, f"{f.name}: the doc block begins with a sentence that says what it does"
            for field, why in needs(f, opaque).items():
                if field not in f.fields:
                    yield *where, f"{f.name}: the doc block lacks '{field}:' ({why})"
            if not h.source and "Source" not in f.fields:
                yield *where, f"{f.name}: no 'Source:', neither here nor at the head of {h.name}"
            if f.order != [field for field in FIELDS if field in f.order] or len(set(f.order)) < len(f.order):
                yield *where, f"{f.name}: the fields stand in the order {', '.join(FIELDS)}, each once"


def main():
    found = 0
    all_headers = headers()
    for path, line, what in breaches(all_headers):
        print(f"{path}:{line}: {what}")
        found += 1
    print(f"{sum(len(h.functions) for h in all_headers)} functions are documented" if not found else f"{found} breaches")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
