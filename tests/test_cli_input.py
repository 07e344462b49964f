#!/usr/bin/env python3
"""What goes in: formats and how they are guessed, each kind of bad input, and what rows look like."""
import gzip
import json
import os

from cli_support import Cli, main


class Formats(Cli):
    def run_all(self, *args, code=0, **options):
        return self.ends(code, "run", "-o", "out.jsonl", "--base-url", "mock:", *args, **options)

    def test_batch(self):
        self.batch("in.jsonl", 3)
        ended = self.run_all("in.jsonl")
        self.assertIn("taken as --format batch (the first line is a request of an OpenAI batch)", ended.err)
        self.assertEqual(ended.out, "")
        rows = self.rows()
        self.assertEqual(sorted(rows), ["doc-0", "doc-1", "doc-2"])
        row = rows["doc-1"]
        self.assertEqual(list(row), ["id", "custom_id", "response", "error", "leat"])
        self.assertEqual(row["response"]["status_code"], 200)
        self.assertIn("Text 1", row["response"]["body"]["choices"][0]["message"]["content"])
        self.assertIsNone(row["error"])
        self.assertEqual(row["leat"]["class"], "ok")
        self.assertEqual(row["leat"]["line"], 2)
        self.assertEqual(list(row["leat"])[-1], "sum")

    def test_batch_of_embeddings(self):
        self.write("in.jsonl", json.dumps({"custom_id": "e", "method": "POST", "url": "/v1/embeddings",
                                           "body": {"model": "leat-extract", "input": ["one", "two"]}}))
        self.run_all("in.jsonl")
        self.assertEqual(len(self.rows()["e"]["response"]["body"]["data"]), 2)

    def test_body_lines(self):
        line = json.loads(self.batch_line("x"))["body"]
        self.write("in.jsonl", json.dumps(line) + "\n" + json.dumps(line))
        self.assertIn("--format body", self.run_all("in.jsonl").err)
        self.assertEqual(sorted(self.rows()), ["line-1", "line-2"])

    def test_files_and_folders(self):
        self.write("docs/a.txt", "The first document.")
        self.write("docs/sub/b.txt", "The second document.")
        self.write("docs/.hidden", "Not for others.")
        self.write("c.txt", "The third document.")
        ended = self.run_all("--template", "Sum up {{name}}: {{text}}", "docs", "c.txt")
        self.assertIn("--format files (a folder, and a template", ended.err)
        rows = self.rows()
        self.assertEqual(sorted(rows), ["c.txt", "docs/a.txt", "docs/sub/b.txt"])
        self.assertIn("first document", rows["docs/a.txt"]["response"]["body"]["choices"][0]["message"]["content"])

    def test_names_that_are_no_text_stay_apart(self):
        os.mkdir(self.dir / "docs")
        for name in (b"a\xfe.txt", b"a\xff.txt", b"a\\xff.txt"):
            with open(os.fsencode(self.dir) + b"/docs/" + name, "wb") as file:
                file.write(b"A document of its own.")
        self.run_all("--template", "{{text}}", "docs")
        self.assertEqual(sorted(self.rows()), ["docs/a\\x5cxff.txt", "docs/a\\xfe.txt", "docs/a\\xff.txt"])
        self.assertEqual(self.classes(), {"ok": 3})

    def test_links_to_folders_are_left_out_and_told(self):
        self.write("docs/a.txt", "A document.")
        self.write("elsewhere/b.txt", "Another document.")
        (self.dir / "docs/link").symlink_to("../elsewhere")
        (self.dir / "docs/b.txt").symlink_to("../elsewhere/b.txt")
        (self.dir / "docs/c.txt").symlink_to("nowhere")
        os.mkfifo(self.dir / "docs/pipe")
        for ended in (self.ends(0, "check", "--template", "{{text}}", "docs"), self.run_all("--template", "{{text}}", "docs")):
            self.assertIn("1 link to folders left out", ended.err)
            self.assertIn("; 2 entries of folders left out: neither files nor folders", ended.err)
        self.assertEqual(sorted(self.rows()), ["docs/a.txt", "docs/b.txt"])

    def test_a_byte_order_mark_is_no_text(self):
        self.write("docs/a.txt", b"\xef\xbb\xbfA document.")
        self.write("docs/b.txt", b"\xef\xbb\xbf")
        self.ends(1, "run", "--template", "{{text}}", "docs", "-o", "out.jsonl", "--base-url", "mock:")
        rows = self.rows()
        self.assertEqual(self.classes(), {"ok": 1, "input": 1})
        self.assertNotIn("\ufeff", json.dumps(rows["docs/a.txt"], ensure_ascii=False))

    def test_an_output_among_the_documents_is_refused(self):
        self.write("docs/sub/a.txt", "A document.")
        (self.dir / "link").symlink_to("docs/sub")
        for output in ("docs/out.jsonl", "docs/sub/out.jsonl", "link/out.jsonl", "./docs/../docs/out.jsonl", str(self.dir / "docs/o")):
            self.says(2, "would lie inside the folder docs", "run", "docs", "--template", "{{text}}", "-o", output, "--base-url", "mock:")
        self.assertEqual(os.listdir(self.dir / "docs"), ["sub"])
        self.says(2, "would lie inside the folder .", "run", ".", "--template", "{{text}}", "-o", "out.jsonl", "--base-url", "mock:")
        self.run_all("--template", "{{text}}", "docs")

    def test_template_from_a_file(self):
        self.write("prompt.txt", "\ufeffSum up: {{text}}")
        self.write("a.txt", "A document.")
        self.run_all("--template", "prompt.txt", "a.txt")
        self.run_all("--template", "@prompt.txt", "a.txt")  # The same settings: it goes on.
        self.assertEqual(sorted(self.rows()), ["a.txt"])
        self.write("bad.txt", b"Sum \xff up: {{text}}")
        self.says(2, "bad.txt is not UTF-8", "run", "--template", "@bad.txt", "a.txt", "-o", "x", "--base-url", "mock:")
        self.says(2, "{{fields.title}}", "run", "--template", "{{fields.title}}", "a.txt", "-o", "x", "--base-url", "mock:")

    def test_lines_from_standard_input(self):
        self.assertIn("--format lines", self.run_all("--template", "Sum up: {{text}}", "-", input="one\ntwo\n").err)
        self.assertEqual(len(self.rows()), 2)

    def test_batch_from_standard_input_to_standard_output(self):
        ended = self.ends(0, "run", "-", "-o", "-", "--base-url", "mock:", input=self.batch_line("a") + "\n" + self.batch_line("b"))
        self.assertEqual(sorted(json.loads(line)["custom_id"] for line in ended.out.splitlines()), ["a", "b"])
        self.assertEqual(os.listdir(self.dir), [])

    def test_standard_output_is_named(self):
        with open("/dev/full", "w") as full:
            self.says(8, "leat run: cannot write to standard output: No space left on device", "run", "-", "-o", "-", "--base-url", "mock:",
                      input=self.batch_line("a"), stdout=full)

    def test_gzip_that_ends_early(self):
        packed = gzip.compress("".join(self.batch_line(f"d{i}") + "\n" for i in range(3)).encode())
        (self.dir / "cut.jsonl.gz").write_bytes(packed[:-9])
        (self.dir / "bad.jsonl.gz").write_bytes(packed[:20] + b"\xff" * 20 + packed[40:])
        for command in (["run", "-o", "out.jsonl", "--base-url", "mock:"], ["check"]):
            for more in ([], ["--format", "batch"]):
                self.says(3, "cut.jsonl.gz: its compressed data ends early", *command, "cut.jsonl.gz", *more, *(["--overwrite"] if command[0] == "run" else []))
                bad = self.says(3, "bad.jsonl.gz: its compressed data is damaged", *command, "bad.jsonl.gz", *more, *(["--overwrite"] if command[0] == "run" else []))
                self.assertNotIn("goes on", bad.err)  # There is nothing to go on from.

    def test_lines_of_json_give_their_fields(self):
        self.write("in.jsonl", '{"title":"Mill","text":"It stands.","n":3}\n{"title":"Bread"}\nplain\n')
        args = ["in.jsonl", "--template", "{{field.title}}, {{field.n}}: {{field.text}}"]
        checked = self.ends(3, "check", *args)
        self.assertIn("in.jsonl is taken as --format lines", checked.err)
        said = ['document in.jsonl:2: has no field "n", which the template asks for',
                "document in.jsonl:3: the template asks for fields, and this is not valid JSON (byte 1)"]
        self.assertEqual(checked.out.splitlines()[:2], said)
        self.ends(1, "run", *args, "-o", "out.jsonl", "--base-url", "mock:")
        rows = self.rows()
        self.assertEqual([rows[f"in.jsonl:{n}"]["error"]["message"] for n in (2, 3)], said)
        self.assertEqual(rows["in.jsonl:1"]["response"]["body"]["choices"][0]["message"]["content"], "Mill, 3: It stands.")
        self.write("docs/a.json", '{\n "title": "Mill", "n": [1, 2], "text": "It stands."\n}')  # A document each, of many lines.
        self.ends(0, "run", "docs/a.json", *args[1:], "-o", "files.jsonl", "--base-url", "mock:")
        self.assertEqual(sorted(self.rows("files.jsonl")), ["docs/a.json"])

    def test_documents_carry_their_ids(self):
        """Text or a number, inside too; what has none, or that of another, is an error row under its line."""
        lines = ['{"id":"a","text":"One."}', '{"id":7,"text":"Two."}', '{"text":"Three."}', '{"id":"a","text":"Four."}',
                 '{"id":"7","text":"Five."}', "plain", '{"id":"line-1","text":"Six."}']
        self.write("in.jsonl", "\n".join(lines) + "\n")
        args = ["--template", "{{name}}: {{text}}", "--id-field", "id"]
        said = ['line 3: the id field "id" is missing', "line 4: the id a was used before", "line 5: the id 7 was used before",
                "line 6: not valid JSON (byte 1)", "line 7: the id line-1 is reserved for a line without an id"]
        checked = self.ends(3, "check", "in.jsonl", *args)
        self.assertEqual(checked.out.splitlines()[:5], said)
        self.assertIn("in.jsonl is taken as --format lines (--id-field names the id of its lines)", checked.err)
        self.run_all("in.jsonl", *args, code=1)
        rows = self.rows()
        self.assertEqual(sorted(rows), ["7", "a", "line-3", "line-4", "line-5", "line-6", "line-7"])
        self.assertEqual([rows[f"line-{n}"]["error"]["message"] for n in range(3, 8)], said)
        self.assertEqual([rows[f"line-{n}"]["error"]["code"] for n in range(3, 8)],
                         ["input", "duplicate_id", "duplicate_id", "input", "input"])
        self.assertIn("a: {", rows["a"]["response"]["body"]["choices"][0]["message"]["content"])
        self.run_all("-", *args[:2], "--id-field", "m.id", "--overwrite", input='{"m":{"id":"x\\"y"}}\n')
        self.assertEqual(sorted(self.rows()), ['x"y'])

    def test_rows_of_a_table(self):
        self.write("table.csv", '\ufeffid,Product name,text\r\n7,Mill,"It stands, ""high"".\r\nIt turns."\r\n8,Bread\r\n7,Again,x\r\n,None,x\r\n9,Oven,"It is hot."')
        args = ["table.csv", "--template", "{{field.Product name}}: {{field.text}}", "--id-field", "id"]
        said = ["line 4: it has 2 fields, and the header 3", "line 5: the id 7 was used before", 'line 6: the id field "id" is empty']
        checked = self.ends(3, "check", *args)
        self.assertIn("table.csv is taken as --format csv (by its name, and --id-field names a column)", checked.err)
        self.assertEqual(checked.out.splitlines()[:3], said)
        self.assertRegex(checked.out, r"documents: +5 in")
        self.run_all(*args, code=1)
        rows = self.rows()
        self.assertEqual(sorted(rows), ["7", "9", "line-4", "line-5", "line-6"])
        self.assertEqual([rows[f"line-{n}"]["error"]["message"] for n in (4, 5, 6)], said)
        self.assertIn('Mill: It stands, "high".', rows["7"]["response"]["body"]["choices"][0]["message"]["content"])
        self.assertEqual(rows["9"]["leat"]["line"], 7)
        self.assertIn("0 good, 0 failed, 5 done before (3 of them failed)", self.run_all(*args, code=1).err)
        self.write("table.csv", (self.dir / "table.csv").read_bytes().replace(b"It turns.", b"It stops."))
        self.says(3, "line 2 of the input (7) was changed since its row was written", "run", *args, "-o", "out.jsonl", "--base-url", "mock:")

    def test_tables_by_name_and_without_ids(self):
        self.write("a.tsv", "id\ttext\n1\tOne, and more.\n")
        self.write("b.tsv", "text\tid\nTwo.\t2\n")
        self.run_all("a.tsv", "b.tsv", "--template", "{{field.id}}: {{field.text}}")
        rows = self.rows()
        self.assertEqual(sorted(rows), ["a.tsv:2", "b.tsv:2"])  # Each has a header of its own.
        self.assertEqual([rows[k]["response"]["body"]["choices"][0]["message"]["content"] for k in sorted(rows)], ["1: One, and more.", "2: Two."])
        self.ends(0, "run", "-", "--format", "csv", "--template", "{{text}}", "-o", "in.jsonl", "--base-url", "mock:", input="a,b\n1,2\n")
        self.assertEqual(sorted(self.rows("in.jsonl")), ["-:2"])

    def test_tables_without_columns_are_refused(self):
        common = ["--template", "{{field.text}}", "-o", "out.jsonl", "--base-url", "mock:"]
        for text, why in (("id;text\n1;One.\n", "it has one column, id;text: columns are separated by commas"),
                          ("id,id\n1,2\n", "it has two columns of the name id"), ("id,t\n1,2\n", 'there is no "text", which the template asks for'), ('id,"text\n1,2\n', "a quote is not closed")):
            self.write("in.csv", text)
            self.says(3, f"the columns of in.csv cannot be used: {why}", "run", "in.csv", *common)
            self.says(3, why, "check", "in.csv", *common[:2])
        self.write("in.csv", "id,text\n1,One.\n")
        self.says(3, 'there is no "key", which is to be the id', "run", "in.csv", "--template", "{{text}}", "--id-field", "key", *common[2:])
        self.write("in.csv", "id,text\n")
        self.says(3, "the input holds no documents", "run", "in.csv", *common)
        self.assertEqual(sorted(os.listdir(self.dir)), ["in.csv"])

    def test_an_empty_value_is_a_variable_that_is_not_set(self):
        self.write("a.txt", "A document.")
        args = ["run", "a.txt", "--base-url", "mock:", "--template", "{{text}}", "-o", "out.jsonl"]
        for name in ("model", "provider", "url", "extra-body", "key-env", "key-file", "header", "endpoint", "input-file", "trace"):
            self.says(2, f"the value of --{name} is empty: is a variable not set?", *args, f"--{name}", "")
        self.says(2, "the value of --output-file is empty", *args[:-1], "")
        self.ends(0, *args, "--system", "")  # No words are words, too.

    def test_an_id_field_belongs_to_lines(self):
        self.batch("in.jsonl", 1)
        self.write("docs/a.txt", "A document.")
        common = ["-o", "out.jsonl", "--base-url", "mock:", "--id-field", "id"]
        for more in (["in.jsonl", "--format", "batch"], ["docs", "--template", "{{text}}"]):
            self.says(2, 'an id field (--id-field) is looked for in the formats "lines" and "csv" only', "run", *more, *common)
            self.says(2, "--id-field", "check", *more, *common)
        self.says(2, "the value of --id-field is empty: is a variable not set?", "run", "in.jsonl", *common[:-1], "")
        self.assertFalse((self.dir / "out.jsonl").exists())

    def test_a_check_looks_at_all_arguments(self):
        self.batch("in.jsonl", 1)
        self.write("one.txt", "A document.")
        note = "leat check: a run needs --model NAME, too"
        self.assertIn(note, self.ends(0, "check", "one.txt", "--template", "{{text}}").err)
        for more in (["--model", "m"], ["--base-url", "mock:"], ["--extra-body", '{"model":"m"}']):
            self.assertNotIn(note, self.ends(0, "check", "one.txt", "--template", "{{text}}", *more).err)
        self.ends(0, "run", "one.txt", "--template", "{{text}}", "--base-url", "mock:", "--extra-body", '{"model":"m"}', "-o", "m.jsonl")
        self.says(2, "documents need a model (model, or --model)", "check", "one.txt", "--template", "{{text}}", "-o", "out.jsonl")
        self.says(2, "--limit 'foo=3/minute': there is no such limit", "check", "in.jsonl", "--limit", "foo=3/minute")
        self.says(2, "--endpoint: ", "check", "in.jsonl", "--endpoint", "http://127.0.0.1:9,foo=3")

    def test_gzip(self):
        (self.dir / "in.jsonl.gz").write_bytes(gzip.compress(self.batch_line("packed").encode()))
        self.assertIn("--format batch", self.run_all("in.jsonl.gz").err)
        self.assertEqual(sorted(self.rows()), ["packed"])

    def test_many_inputs_and_a_stream(self):
        self.write("a.jsonl", self.batch_line("a"))
        self.write("b.jsonl", self.batch_line("b"))
        self.run_all("-i", "a.jsonl", "b.jsonl", "--stream")
        rows = self.rows()
        self.assertEqual(sorted(rows), ["a", "b"])
        self.assertEqual(rows["a"]["response"]["body"]["object"], "chat.completion")
        self.assertIsNotNone(rows["a"]["leat"]["ttft_ms"])

    def test_no_extras(self):
        self.batch("in.jsonl", 2)
        self.run_all("in.jsonl", "--no-extras")
        self.assertEqual(list(self.rows()["doc-0"]), ["id", "custom_id", "response", "error"])
        self.run_all("in.jsonl", "--no-extras")
        self.assertEqual(len(self.rows()), 2)

    def test_what_is_not_clear_is_refused(self):
        self.write("docs/a.txt", "x")
        self.says(2, "is not clear", "run", "docs", "-o", "out.jsonl", "--base-url", "mock:")
        self.says(2, "is not clear", "run", "docs/a.txt", "-o", "out.jsonl", "--base-url", "mock:")
        self.batch("in.jsonl", 1)
        self.says(2, "looks like JSON lines", "run", "in.jsonl", "--template", "{{text}}", "-o", "out.jsonl", "--base-url", "mock:")
        self.says(3, "cannot read nowhere.jsonl", "run", "nowhere.jsonl", "-o", "out.jsonl", "--base-url", "mock:")
        self.assertFalse((self.dir / "out.jsonl").exists())


class BadInput(Cli):
    """Each gives an error row that names the line, or a clear refusal, and the run goes on."""

    def errors(self, *lines, code=1, args=()):
        self.write("in.jsonl", b"\n".join(line if isinstance(line, bytes) else line.encode() for line in lines) + b"\n")
        self.ends(code, "run", "in.jsonl", "-o", "out.jsonl", "--base-url", "mock:", "--format", "batch", *args)
        return self.rows()

    def bad(self, row, cls, line):
        self.assertIsNone(row["response"])
        self.assertEqual(row["error"]["code"], cls)
        self.assertIn(f"line {line}", row["error"]["message"])
        self.assertEqual(row["leat"]["line"], line)
        self.assertEqual(row["leat"]["attempts"], 0)

    def test_not_json(self):
        rows = self.errors(self.batch_line("a"), "this is not JSON", self.batch_line("b"))
        self.bad(rows["line-2"], "input", 2)
        self.assertEqual(rows["a"]["leat"]["class"], rows["b"]["leat"]["class"])

    def test_torn_json_and_arrays(self):
        rows = self.errors(self.batch_line("a")[:-5], "[1,2]", '"text"', self.batch_line("ok"))
        for line in (1, 2, 3):
            self.bad(rows[f"line-{line}"], "input", line)
        self.assertEqual(rows["ok"]["leat"]["class"], "ok")

    def test_empty_input(self):
        for name in ("empty.jsonl", "blank.jsonl"):
            self.write(name, "" if name == "empty.jsonl" else "\n\n  \n")
            self.says(3, "the input holds no documents", "run", name, "-o", "out.jsonl", "--base-url", "mock:")
            self.assertEqual([f for f in os.listdir(self.dir) if f.startswith("out")], [])
            self.says(3, "the input holds no documents", "check", name)
        # An output of earlier is left as it is.
        self.batch("in.jsonl", 2)
        self.ends(0, "run", "in.jsonl", "-o", "out.jsonl", "--base-url", "mock:")
        self.ends(3, "run", "empty.jsonl", "-o", "out.jsonl", "--base-url", "mock:", "--force-resume")
        self.assertEqual(len(self.rows()), 2)

    def test_a_body_for_another_path_is_doubtful(self):
        chat = self.batch_line("chat").replace("/v1/chat/completions", "/v1/embeddings")
        other = json.dumps({"custom_id": "o", "url": "/v1/chat/completions?v=1", "body": {"input": "x"}})
        self.write("in.jsonl", "\n".join((self.batch_line("good"), chat, other)) + "\n")
        out = self.ends(0, "check", "in.jsonl").out
        self.assertIn('line 2: doubtful: /v1/embeddings takes "input", and the body has none\n', out)
        self.assertIn('line 3: doubtful: /v1/chat/completions?v=1 takes "messages", and the body has none\n', out)
        self.assertIn("doubtful:       2\n", out)
        self.assertNotIn("line 1", out)

    def test_a_line_without_a_method(self):
        self.write("in.jsonl", self.batch_line("a").replace('"method": "POST", ', ""))
        self.ends(0, "run", "in.jsonl", "-o", "out.jsonl", "--base-url", "mock:")
        self.assertEqual(self.classes(), {"ok": 1})

    def test_a_line_of_50_megabytes(self):
        long = '{"custom_id":"long","body":{"x":"' + "y" * (50 << 20) + '"}}'
        rows = self.errors(self.batch_line("a"), long, self.batch_line("b"))
        self.bad(rows["line-2"], "input", 2)
        self.assertEqual(sorted(rows), ["a", "b", "line-2"])

    def test_a_line_at_the_limit_and_one_past_it(self):
        line = self.batch_line("fits", "x" * 3000)
        rows = self.errors(line, self.batch_line("over", "x" * 3001), args=["--max-line-bytes", str(len(line))])
        self.assertEqual(rows["fits"]["leat"]["class"], "ok")
        self.bad(rows["line-2"], "input", 2)

    def test_ids(self):
        no_id = self.batch_line("x").replace('"custom_id": "x", ', "")
        rows = self.errors(self.batch_line("a"), self.batch_line("a", "Another text."), no_id, self.batch_line("b"))
        self.bad(rows["line-2"], "duplicate_id", 2)
        self.assertIn("line-3", rows)
        self.assertEqual(rows["a"]["leat"]["line"], 1)
        self.assertEqual(rows["b"]["leat"]["class"], "ok")

    def test_invalid_utf8(self):
        rows = self.errors(self.batch_line("a").encode(), self.batch_line("b").encode().replace(b"One", b"\xff\xfe"),
                           b'{"custom_id":"\xc3\x28","body":{}}', self.batch_line("c").encode())
        self.bad(rows["line-2"] if "line-2" in rows else rows["b"], "input", 2)
        self.bad(rows["line-3"], "input", 3)
        self.assertEqual(rows["c"]["leat"]["class"], "ok")

    def test_stream_true_and_no_body(self):
        rows = self.errors(self.batch_line("s", stream=True), '{"custom_id":"n","method":"POST","url":"/v1/chat/completions"}',
                           '{"custom_id":"m","method":"GET","url":"/v1/chat/completions","body":{}}', self.batch_line("ok"))
        self.bad(rows["s"], "input", 1)
        self.assertIn("stream", rows["s"]["error"]["message"])
        self.bad(rows["n"], "input", 2)
        self.bad(rows["m"], "input", 3)
        self.assertEqual(rows["ok"]["leat"]["class"], "ok")

    def test_line_ends_and_a_byte_order_mark(self):
        text = "\ufeff" + self.batch_line("a") + "\r\n\r\n" + self.batch_line("b")
        self.write("in.jsonl", text)
        self.ends(0, "run", "in.jsonl", "-o", "out.jsonl", "--base-url", "mock:")
        self.assertEqual(sorted(self.rows()), ["a", "b"])

    def test_unusable_files(self):
        self.write("docs/good.txt", "A good document.")
        self.write("docs/bad.txt", b"\xff\xfe\x00binary")
        self.write("docs/large.txt", "x" * 5000)
        (self.dir / "docs/nowhere.txt").symlink_to("no such file")
        self.ends(1, "run", "docs", "--template", "{{text}}", "-o", "out.jsonl", "--base-url", "mock:", "--max-line-bytes", "4K")
        rows = self.rows()
        self.assertEqual(rows["docs/good.txt"]["leat"]["class"], "ok")
        for name in ("docs/bad.txt", "docs/large.txt"):
            self.assertEqual(rows[name]["error"]["code"], "input")

    def test_ids_with_odd_characters(self):
        odd = 'tab\t"quote" \\ \u00e9 \U0001f600 \u0007'
        self.write("in.jsonl", self.batch_line(odd))
        ended = self.ends(0, "run", "in.jsonl", "-o", "out.jsonl", "--base-url", "mock:")
        self.assertEqual(list(self.rows()), [odd])
        self.assertNotIn("\x07", ended.err)


class Check(Cli):
    def test_a_good_input(self):
        self.batch("in.jsonl", 7)
        ended = self.ends(0, "check", "in.jsonl")
        self.assertRegex(ended.out, r"documents: +7 in \d+ bytes")
        self.assertEqual(os.listdir(self.dir), ["in.jsonl"])

    def test_every_bad_line_is_named(self):
        self.write("in.jsonl", "\n".join([self.batch_line("a"), "nonsense", self.batch_line("a"), self.batch_line("s", stream=True),
                                          self.batch_line("z")]))
        ended = self.ends(3, "check", "in.jsonl")
        for line in (2, 3, 4):
            self.assertRegex(ended.out, rf"(?m)^line {line}: ")
        self.assertNotRegex(ended.out, r"(?m)^line [15]: ")
        self.assertRegex(ended.out, r"ids seen twice: 1")

    def test_what_is_done_already(self):
        self.batch("in.jsonl", 5)
        run = ["in.jsonl", "-o", "out.jsonl", "--base-url", "mock:"]
        self.ends(0, "run", *run)
        before = (self.dir / "out.jsonl").read_bytes()
        self.assertRegex(self.ends(0, "check", *run).out, r"done already: +5")
        self.assertEqual((self.dir / "out.jsonl").read_bytes(), before)

    def test_documents(self):
        self.write("docs/a.txt", "x")
        self.assertRegex(self.ends(0, "check", "--template", "{{text}}", "docs").out, r"documents: +1")
        self.assertRegex(self.ends(0, "check", "--template", "{{text}}", "docs/a.txt").out, r"documents: +1 in 1 bytes")


if __name__ == "__main__":
    main()
