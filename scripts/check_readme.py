#!/usr/bin/env python3
"""Builds and runs the snippets of README.md and docs/*.md, so that what a reader copies works.

    check_readme.py BUILD_DIR [PAGE ...]

A ```c block with a main() is compiled against the library and run; its exit code must be 0. One that has a build() instead gets the
main() of the page's block behind the line <!-- main -->. Where "It prints:" and a ```text block follow, the output must be that.
A ```sh or ```python block behind the line <!-- run --> is run in a fresh folder, sh with -e, with `leat` of BUILD_DIR on the PATH;
<!-- run 3 --> expects exit code 3.
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
BLOCK = re.compile(r"^(?:<!-- (run|main)(?: (\d+))? -->\n)?```(c|sh|python)\n(.*?)^```$", re.M | re.S)
PRINTS = re.compile(r"\s*^It prints\b[^\n]*:\n\n```text\n(.*?)^```$", re.M | re.S)


def run(command, folder, want, what, prints=None):
    env = dict(os.environ, PATH=f"{BUILD}/src/cli:{BUILD}:{os.environ['PATH']}")
    result = subprocess.run(command, cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, errors="replace", timeout=300)
    if result.returncode != want:
        print(f"{what}: exit code {result.returncode}, expected {want}\n{result.stdout}")
        return False
    if prints is not None and result.stdout != prints:
        print(f"{what}: it prints\n{result.stdout}and not\n{prints}")
        return False
    return True


def run_c(text, folder, what, prints):
    source = pathlib.Path(folder, "snippet.c")
    source.write_text(text, encoding="utf-8")
    libs = subprocess.run(["pkg-config", "--libs", "libcurl", "libmicrohttpd", "libxxhash", "zlib"], check=True,
                          stdout=subprocess.PIPE, text=True).stdout.split()
    # Callbacks get all that the model gives them, whether they use it or not.
    build = ["cc", "-std=c11", "-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter", f"-I{ROOT}/include", str(source), "-o",
             f"{folder}/snippet", f"{BUILD}/libleat.a", *libs, "-lm", "-lpthread"]
    return run(build, folder, 0, what + " (build)") and run([f"{folder}/snippet"], folder, 0, what, prints)


def snippets(page):
    """(place, kind, text, expected exit code, expected output or None) of each snippet that runs."""
    text = page.read_text(encoding="utf-8")
    main = next((b.group(4) for b in BLOCK.finditer(text) if b.group(1) == "main"), None)
    for found in BLOCK.finditer(text):
        mark, want, kind, body = found.groups()
        if mark == "main" or (kind != "c" and mark != "run"):
            continue
        if kind == "c" and "int main(" not in body:
            if "build(void)" not in body or not main:
                continue
            body += "\n" + main
        prints = PRINTS.match(text, found.end())
        place = f"{page.relative_to(ROOT)}:{text.count(chr(10), 0, found.start()) + 1}"
        yield place, kind, body, int(want or 0), prints and prints.group(1)


BUILD = pathlib.Path(sys.argv[1]).resolve()
count = failed = 0
PAGES = [pathlib.Path(name).resolve() for name in sys.argv[2:]] or [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
RUNS = {"sh": ["sh", "-ec"], "python": [sys.executable, "-Bc"]}
for page in PAGES:
    for what, kind, body, want, prints in snippets(page):
        count += 1
        with tempfile.TemporaryDirectory() as folder:
            good = run_c(body, folder, what, prints) if kind == "c" else run([*RUNS[kind], body], folder, want, what)
            failed += not good
print(f"{count - failed} of {count} snippets work")
sys.exit(1 if failed or count == 0 else 0)
