"""The atomic operations of the scheduler, of the limiter, and of the way to the loop of the net, as the sources and the tables of docs/runtime.md have them. For check_orders and weaken_orders."""
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parent.parent
OPERATION = re.compile(
    r"\bleat_(?:word_)?((?:load|store|exchange|add|sub|or|and|cas|cas_weak)_(?:acquire|release|acq_rel|seq_cst))\(|\b(LEAT_FENCE_SEQ_CST)\(\)"
)
ROW = re.compile(r"^\| `(\w+)` \| `(\w+\.[ch])`: `(\w+)` \| `(\w+)` \| (.+?) \| (.+?) \| (.+?) \|$", re.M)
ORDERS = ("acq_rel", "seq_cst", "acquire", "release")


def paths():
    return sorted((ROOT / "src/sched").glob("*.[ch]")) + [ROOT / "src/base/lock.h", ROOT / "src/limit/limiter.c", ROOT / "src/net/loop.c"]


def without_comments(text):
    return re.sub(r"/\*.*?\*/", lambda m: re.sub(r"[^\n]", " ", m.group()), text, flags=re.S)


def first_argument(text, at):
    depth = 0
    for end in range(at, len(text)):
        if text[end] in "([":
            depth += 1
        elif text[end] in ")]":
            depth -= 1
        if depth < 0 or (depth == 0 and text[end] == ","):
            return text[at:end]
    return text[at:]


def call_end(text, at):
    """Behind the parenthesis that closes the one before `at`."""
    depth = 1
    while depth:
        depth += {"(": 1, ")": -1}.get(text[at], 0)
        at += 1
    return at


def function_at(text, at):
    """The name of the function whose body holds `at`: what stands before the last brace in the first column."""
    head = text[: text.rfind("\n{", 0, at)]
    head = head[head.rfind("\n\n") :]
    head = re.sub(r"__attribute__\(\(.*?\)\)|LEAT_ATOMIC\(.*?\)", "", head)
    name = re.search(r"(\w+)\s*\(", head)
    return name.group(1) if name else "?"


def occurrences():
    """[((word, file, function, operation), path, first line, last line)], in the order of the sources."""
    found = []
    for path in paths():
        text = without_comments(path.read_text(encoding="utf-8"))
        for m in OPERATION.finditer(text):
            if m.group(2):
                word, operation = "fence", "fence_seq_cst"
            else:
                argument = re.sub(r"\[.*\]", "", first_argument(text, m.end()))
                word, operation = re.findall(r"\w+", argument)[-1], m.group(1)
            first = text.count("\n", 0, m.start()) + 1
            last = text.count("\n", 0, m.end() if m.group(2) else call_end(text, m.end())) + 1
            found.append(((word, path.name, function_at(text, m.start()), operation), path, first, last))
    return found


def split(operation):
    """("cas", "acq_rel")"""
    for order in ORDERS:
        if operation.endswith(order):
            return operation[: -len(order) - 1], order
    raise ValueError(operation)


def rows():
    """[(operation as above, partners, why, what shows it)] of the tables."""
    return [(m[:4], *m[4:]) for m in ROW.findall((ROOT / "docs/runtime.md").read_text(encoding="utf-8"))]


HALVES = {"seq_cst": "s", "acquire": "a", "release": "r"}  # as the explorer has them
PART = re.compile(r"(?:\((\d+)\) ?)?(?:(seq_cst|acquire|release): )?(.*)", re.S)


def claims(cell):
    """{(number of the operation or 0, half): what is said} of the last column: cases in backquotes, or a sentence."""
    said = {}
    for part in cell.split("; "):
        number, half, text = PART.fullmatch(part).groups()
        for one in [half] if half else HALVES:
            said.setdefault((int(number or 0), one), text)
    return said


def halves(operation, said, number=1):
    """What of an operation can be taken away by itself. The rest of a sequentially consistent one only where nobody misses its order."""
    kind, order = split(operation)
    rest = [h for h in ("acquire", "release") if not (kind, h) in (("load", "release"), ("store", "acquire"))]
    if order == "acq_rel":
        return rest
    if order != "seq_cst":
        return [order]
    claim = said.get((number, "seq_cst")) or said.get((0, "seq_cst")) or ""
    return ["seq_cst"] if claim.startswith("`") or kind == "fence" else ["seq_cst", *rest]


EVERY = re.compile(
    r"\bleat_(?:word_)?((?:load|store|exchange|add|sub|or|and|cas|cas_weak)_(?:relaxed|acquire|release|acq_rel|seq_cst))\(|\b(LEAT_FENCE_SEQ_CST)\(\)|\b(\w+)\("
)


STEPS = ("leat_i_os_futex", "leat_i_deque_", "leat_i_fork_", "leat_i_stack_pool_each")


def body(file, function):
    """A function of src/sched without its comments and its head; None when there is none."""
    text = without_comments((ROOT / "src/sched" / file).read_text(encoding="utf-8"))
    head = re.search(r"^(?!\s)[^;{}#]*\b" + function + r"\([^;{}]*\)\n\{", text, re.M)
    return text[head.end() : text.index("\n}", head.end())] if head else None


def steps(file, function, calls):
    """What a function does to words that are shared, and which of `calls` it calls, as the text has it: ["add_seq_cst searching"]"""
    text = body(file, function)
    if text is None:
        return None
    found = []
    for m in EVERY.finditer(text):
        if m.group(2):
            found.append("fence_seq_cst")
        elif m.group(1):
            argument = re.sub(r"\[.*?\]", "", first_argument(text, m.end()))
            found.append(f"{m.group(1)} {re.findall(r'[a-z_]+', argument)[-1]}")
        elif m.group(3) in calls or m.group(3).startswith(STEPS):
            found.append(f"call {m.group(3)}")
    return found
