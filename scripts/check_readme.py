#!/usr/bin/env python3
"""Builds and runs the snippets of README.md and docs/*.md, so that what a reader copies works.

    check_readme.py BUILD_DIR

A ```c block with a main() is compiled against the library and run; its exit code must be 0. A ```sh block behind the line
<!-- run --> is run in a fresh folder by sh -e, with `leat` of BUILD_DIR on the PATH; <!-- run 3 --> expects exit code 3.
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
BLOCK = re.compile(r"^(?:<!-- run(?: (\d+))? -->\n)?```(c|sh)\n(.*?)^```$", re.M | re.S)
MARK = re.compile(r"^<!-- run(?: \d+)? -->\n```", re.M)


def run(command, folder, want, what):
    env = dict(os.environ, PATH=f"{BUILD}/src/cli:{BUILD}:{os.environ['PATH']}")
    result = subprocess.run(command, cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, errors="replace", timeout=300)
    if result.returncode != want:
        print(f"{what}: exit code {result.returncode}, expected {want}\n{result.stdout}")
        return False
    return True


def run_c(text, folder, what):
    source = pathlib.Path(folder, "snippet.c")
    source.write_text(text, encoding="utf-8")
    libs = subprocess.run(["pkg-config", "--libs", "libcurl", "libmicrohttpd", "libxxhash", "zlib"], check=True,
                          stdout=subprocess.PIPE, text=True).stdout.split()
    build = ["cc", "-std=c11", "-Wall", "-Wextra", "-Werror", f"-I{ROOT}/include", str(source), "-o", f"{folder}/snippet",
             f"{BUILD}/libleat.a", *libs, "-lm", "-lpthread"]
    return run(build, folder, 0, what + " (build)") and run([f"{folder}/snippet"], folder, 0, what)


BUILD = pathlib.Path(sys.argv[1]).resolve()
count = failed = 0
for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
    text = page.read_text(encoding="utf-8")
    for found in BLOCK.finditer(text):
        want, kind, body = found.groups()
        what = f"{page.relative_to(ROOT)}:{text.count(chr(10), 0, found.start()) + 1}"
        marked = MARK.match(found.group(0))
        if (kind == "sh" and not marked) or (kind == "c" and "int main(" not in body):
            continue
        count += 1
        with tempfile.TemporaryDirectory() as folder:
            good = run_c(body, folder, what) if kind == "c" else run(["sh", "-ec", body], folder, int(want or 0), what)
            failed += not good
print(f"{count - failed} of {count} snippets work")
sys.exit(1 if failed or count == 0 else 0)
