#!/usr/bin/env python3
"""`leat run` with each provider against `leat mock`, which speaks their forms: rows, streams, what is refused, and going on."""
import json

from cli_support import Cli, main

TEXT = "The mill stands. The leat runs."
BODIES = {  # where the text of a reply stands
    "openai": lambda body: body["choices"][0]["message"]["content"],
    "anthropic": lambda body: body["content"][0]["text"],
    "gemini": lambda body: body["candidates"][0]["content"]["parts"][0]["text"],
}
WAYS = {"openai": BODIES["openai"], "azure": BODIES["openai"], "vllm": BODIES["openai"], "anthropic": BODIES["anthropic"],
        "gemini": BODIES["gemini"]}


class Providers(Cli):
    def test_each_answers_alike(self):
        self.write("in.jsonl", self.batch_line("a", TEXT) + "\n")
        mock = self.mock()
        root = mock.url.removesuffix("/v1")
        for name, text_of in WAYS.items():
            rows = {}
            for mode in ("plain", "stream"):
                out = f"{name}-{mode}.jsonl"
                more = ["--stream"] if mode == "stream" else []
                self.ends(0, "run", "--provider", name, "--base-url", root, "-o", out, "in.jsonl", *more)
                rows[mode] = self.rows(out)["a"]
                self.assertEqual(text_of(rows[mode]["response"]["body"]), TEXT, name)
                self.assertGreater(rows[mode]["leat"]["tokens_in"], 0)
                self.assertFalse(rows[mode]["leat"]["estimated"])
                self.assertTrue(rows[mode]["response"]["request_id"], name)
                self.assertEqual(rows[mode]["leat"]["ttft_ms"] is not None, mode == "stream")
            for what in ("tokens_in", "tokens_out", "class"):
                self.assertEqual(rows["plain"]["leat"][what], rows["stream"]["leat"][what], name)
            self.assertEqual(set(rows["plain"]["response"]["body"]), set(rows["stream"]["response"]["body"]), name)

    def test_embeddings(self):
        self.write("in.jsonl", "".join(json.dumps({"custom_id": name, "url": "/v1/embeddings", "body": {"model": "e", "input": given}}) + "\n"
                                       for name, given in (("one", TEXT), ("two", [TEXT, "x"]))))
        mock = self.mock()
        for name, vectors in (("openai", lambda body: [one["embedding"] for one in body["data"]]),
                              ("gemini", lambda body: [one["values"] for one in body["embeddings"]])):
            out = f"{name}.jsonl"
            self.ends(0, "run", "--provider", name, "--base-url", mock.url.removesuffix("/v1"), "-o", out, "in.jsonl")
            one, two = (vectors(self.rows(out)[key]["response"]["body"]) for key in ("one", "two"))
            self.assertEqual((len(one), len(two), two[0]), (1, 2, one[0]), name)

    def test_documents_are_asked_in_its_form(self):
        self.write("doc.txt", TEXT)
        self.ends(0, "run", "--provider", "anthropic", "--base-url", "mock:", "--system", "Be brief.", "--template", "{{text}}",
                  "--extra-body", '{"max_tokens":100,"top_k":5}', "-o", "out.jsonl", "doc.txt")
        self.assertEqual(BODIES["anthropic"](self.rows()["doc.txt"]["response"]["body"]), TEXT)

    def test_what_cannot_be_asked_is_named(self):
        self.write("in.jsonl", self.batch_line("a", TEXT) + "\n" + self.batch_line("b", TEXT, n=3) + "\n")
        checked = self.ends(3, "check", "--provider", "anthropic", "in.jsonl")
        self.assertIn('line 2: this provider has no counterpart of "n"', checked.out)
        self.assertIn("provider:       anthropic\n", checked.out)
        self.assertIn("provider:       openai\n", self.ends(0, "check", "in.jsonl").out)
        self.assertIn("provider:       azure\n", self.ends(0, "check", "--base-url", "https://x.openai.azure.com", "in.jsonl").out)
        self.ends(1, "run", "--provider", "anthropic", "--base-url", "mock:", "-o", "out.jsonl", "in.jsonl")
        row = self.rows()["b"]
        self.assertEqual((row["response"], row["error"]["code"], row["leat"]["attempts"]), (None, "input", 0))
        self.assertIn('no counterpart of "n"', row["error"]["message"])

    def test_rows_of_one_output_have_one_form(self):
        self.write("in.jsonl", self.batch_line("a", TEXT) + "\n")
        self.ends(0, "run", "--base-url", "mock:", "-o", "out.jsonl", "in.jsonl")
        self.says(3, "provider's form of replies differs", "run", "--provider", "anthropic", "--base-url", "mock:", "-o", "out.jsonl",
                  "in.jsonl")
        self.ends(0, "run", "--provider", "azure", "--base-url", "mock:", "-o", "out.jsonl", "in.jsonl")  # the same form

    def test_deployments(self):
        mock = self.mock()
        root = mock.url.removesuffix("/v1")
        self.write("in.jsonl", self.batch_line("a", TEXT) + "\n")
        self.ends(0, "run", "--provider", "azure", "--base-url", root + "?api-version=2024-10-21", "-o", "azure.jsonl", "in.jsonl")
        self.assertEqual(BODIES["openai"](self.rows("azure.jsonl")["a"]["response"]["body"]), TEXT)

    def test_a_check_knows_where_the_deployment_stands(self):
        """Behind ?api-version=... the model is part of the path, as a run says of each document; else it is not."""
        self.write("in.jsonl", self.batch_line("a", TEXT, model="my/own") + "\n")
        url = "https://x.openai.azure.com"
        self.ends(0, "check", "--base-url", url, "in.jsonl")
        for args, env in ((["--base-url", url + "?api-version=1"], None), (["--endpoint", url + "?api-version=1,rpm=60"], None),
                          ([], {"OPENAI_BASE_URL": url + "?api-version=1"})):
            ended = self.ends(3, "check", *args, "in.jsonl", env=env)
            self.assertIn("line 1: Azure takes the request's \"model\" for the deployment's name, and this one cannot be one", ended.out)

    def test_a_check_takes_the_provider_that_a_run_takes(self):
        self.write("in.jsonl", self.batch_line("a", TEXT) + "\n")
        for name, args, env in (("gemini", ["--provider", "anthropic", "--endpoint", "http://127.0.0.1:9,provider=gemini"], {}),
                                ("anthropic", ["--endpoint", "http://127.0.0.1:9,provider=gemini,provider=anthropic"], {}),
                                ("anthropic", ["--provider", "anthropic", "--endpoint", "http://127.0.0.1:9"], {}),
                                ("azure", ["--endpoint", "https://x.openai.azure.com"], {}),
                                ("gemini", [], {"OPENAI_BASE_URL": "https://generativelanguage.googleapis.com"})):
            self.assertIn(f"provider:       {name}\n", self.ends(0, "check", *args, "in.jsonl", env=env).out)

    def test_the_summary_names_it(self):
        self.write("in.jsonl", self.batch_line("a", TEXT) + "\n")
        said = self.ends(0, "run", "--provider", "gemini", "--base-url", "mock:", "-o", "out.jsonl", "in.jsonl").err
        self.assertIn("provider:  gemini\n", said)
        said = self.ends(0, "run", "--provider", "gemini", "--base-url", "mock:", "-o", "more.jsonl", "--progress", "json", "in.jsonl").err
        summary = json.loads(said.splitlines()[-1])
        self.assertEqual((summary["provider"], summary["tokens_cached"], summary["cost"]), ("gemini", 0, 0))

    def test_words(self):
        self.write("in.jsonl", self.batch_line("a", TEXT) + "\n")
        self.says(2, "--provider nobody: there is no provider of that name ('leat run --help' lists them)", "run", "--provider", "nobody", "-o", "out.jsonl", "in.jsonl")
        self.says(2, "did you mean anthropic?", "check", "--provider", "antropic", "in.jsonl")
        for more in (["run", "-o", "out.jsonl"], ["check"]):  # What a run refuses, a check does.
            self.says(2, "--endpoint: provider=nobody: there is no provider of that name", *more, "--endpoint", "mock:,provider=nobody", "in.jsonl")
        self.says(2, "ANTHROPIC_API_KEY", "run", "--provider", "anthropic", "-o", "out.jsonl", "in.jsonl",
                  env={"ANTHROPIC_API_KEY": None, "OPENAI_API_KEY": "sk-of-somebody-else"})


if __name__ == "__main__":
    main()
