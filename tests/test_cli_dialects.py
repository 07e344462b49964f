#!/usr/bin/env python3
"""`leat mock` in the forms of other providers: answers, streams, errors, keys and the signs of their limits."""
import datetime
import json
import time
import urllib.error
import urllib.request

from cli_support import Cli, LIMIT_S, main

TEXT = "The \"cat\" s\u00e4t on the mat. It was \U0001f408 indeed."
ANTHROPIC = {"anthropic-version": "2023-06-01"}
DEPLOYMENT = "/openai/deployments/gpt-x/chat/completions?api-version=2024-10-21"
GENERATE = "/v1beta/models/gemini-x:generateContent"
STREAM = "/v1beta/models/gemini-x:streamGenerateContent"


class Reply:
    def __init__(self, status, headers, text):
        self.status, self.headers, self.text = status, headers, text

    def json(self):
        return json.loads(self.text)

    def events(self):
        """[(event name or None, data as JSON)] of server-sent events; '[DONE]' stays text."""
        found = []
        for block in self.text.replace("\r\n", "\n").split("\n\n"):
            if not block:
                continue
            fields = dict(line.split(": ", 1) for line in block.split("\n"))
            data = fields["data"]
            found.append((fields.get("event"), data if data == "[DONE]" else json.loads(data)))
        return found


class Dialects(Cli):
    def serve(self, *args):
        self.process = self.mock(*args)
        self.root = self.process.url.removesuffix("/v1")

    def post(self, path, body, **headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(self.root + path, json.dumps(body).encode(), {"Content-Type": "application/json", **headers})
        try:
            with urllib.request.urlopen(request, timeout=LIMIT_S) as reply:
                return Reply(reply.status, reply.headers, reply.read().decode())
        except urllib.error.HTTPError as refused:
            return Reply(refused.code, refused.headers, refused.read().decode())

    def chat(self, **more):
        return {"model": "m", "messages": [{"role": "user", "content": TEXT}], **more}


class OpenAI(Dialects):
    def test_responses(self):
        self.serve()
        for given in (TEXT, [{"role": "user", "content": [{"type": "input_text", "text": TEXT}, {"type": "input_image", "image_url": "x"}]}]):
            whole = self.post("/v1/responses", {"model": "m", "input": given, "instructions": "Be short."}).json()
            self.assertEqual((whole["object"], whole["status"]), ("response", "completed"))
            message = whole["output"][0]
            self.assertEqual((message["type"], message["role"]), ("message", "assistant"))
            self.assertEqual(message["content"][0]["text"], TEXT)
            usage = whole["usage"]
            self.assertEqual(usage["input_tokens"] + usage["output_tokens"], usage["total_tokens"])
        events = self.post("/v1/responses", {"model": "m", "input": TEXT, "stream": True}).events()
        self.assertEqual([name for name, data in events], [data["type"] for _, data in events])
        self.assertEqual([data["sequence_number"] for _, data in events], list(range(len(events))))
        self.assertEqual("".join(data["delta"] for name, data in events if name == "response.output_text.delta"), TEXT)
        self.assertEqual(events[0][0], "response.created")
        name, last = events[-1]
        self.assertEqual((name, last["response"]["output"][0]["content"][0]["text"]), ("response.completed", TEXT))
        short = self.post("/v1/responses", {"model": "m", "input": TEXT, "max_output_tokens": 1}).json()
        self.assertEqual((short["status"], short["incomplete_details"]), ("incomplete", {"reason": "max_output_tokens"}))
        for wrong in ({"model": "m"}, {"input": "x"}, {"model": "m", "input": [1]}, {"model": "m", "input": [{"content": "x"}]},
                      {"model": "m", "input": "x", "max_output_tokens": 0}):
            refused = self.post("/v1/responses", wrong)
            self.assertEqual((refused.status, refused.json()["error"]["type"]), (400, "invalid_request_error"), wrong)

    def test_completions(self):
        self.serve()
        whole = self.post("/v1/completions", {"model": "m", "prompt": TEXT, "max_tokens": 99}).json()
        self.assertEqual(whole["object"], "text_completion")
        self.assertTrue(whole["id"].startswith("cmpl-"))
        self.assertEqual(whole["choices"], [{"text": TEXT, "index": 0, "logprobs": None, "finish_reason": "stop"}])
        self.assertEqual(self.post("/v1/completions", {"model": "m", "prompt": [TEXT], "max_tokens": 2}).json()["choices"][0]["finish_reason"],
                         "length")
        long = self.post("/v1/completions", {"model": "m", "prompt": TEXT * 9}).json()  # 16 tokens unless it says how many
        self.assertIn(long["usage"]["completion_tokens"], range(1, 17))
        events = [data for _, data in self.post("/v1/completions", {"model": "m", "prompt": TEXT, "max_tokens": 99, "stream": True,
                                                                    "stream_options": {"include_usage": True}}).events()]
        self.assertEqual((events[-1], events[-2]["choices"], events[-2]["usage"]), ("[DONE]", [], whole["usage"]))
        self.assertEqual("".join(data["choices"][0]["text"] for data in events[:-2]), TEXT)
        self.assertEqual([data["choices"][0]["finish_reason"] for data in events[:-2]], [None] * (len(events) - 3) + ["stop"])
        for wrong in ({"model": "m"}, {"prompt": "x"}, {"model": "m", "prompt": ["a", "b"]}, {"model": "m", "prompt": [1]},
                      {"model": "m", "prompt": "x", "n": 2}):
            refused = self.post("/v1/completions", wrong)
            self.assertEqual((refused.status, refused.json()["error"]["type"]), (400, "invalid_request_error"), wrong)

    def test_a_model(self):
        self.serve()
        with urllib.request.urlopen(self.root + "/v1/models/leat-extract", timeout=LIMIT_S) as reply:
            self.assertEqual(json.load(reply)["id"], "leat-extract")
        with self.assertRaises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(self.root + "/v1/models/gpt-x", timeout=LIMIT_S)
        self.assertEqual((refused.exception.code, json.load(refused.exception)["error"]["code"]), (404, "model_not_found"))

    def test_azure(self):
        self.serve("--key", "k", "--rpm", "2", "--tpm", "9000")
        self.assertEqual(self.post(DEPLOYMENT, self.chat()).json()["error"]["code"], "401")
        self.assertEqual(self.post(DEPLOYMENT.split("?")[0], self.chat(), api_key="k").json()["error"]["code"], "404")
        good = self.post(DEPLOYMENT, self.chat(), api_key="k")
        self.assertEqual(good.json()["choices"][0]["message"]["content"], TEXT)
        self.assertEqual(good.headers["x-ratelimit-remaining-requests"], "1")
        self.assertEqual(good.headers["x-ratelimit-reset-tokens"], "60")  # whole seconds
        events = self.post("/openai/v1/chat/completions", self.chat(stream=True), Authorization="Bearer k").events()
        self.assertEqual("".join(data["choices"][0]["delta"].get("content", "") for _, data in events[:-1]), TEXT)
        refused = self.post(DEPLOYMENT, self.chat(), api_key="k")
        self.assertEqual((refused.status, refused.json()["error"]["code"]), (429, "429"))
        self.assertGreater(int(refused.headers["retry-after-ms"]), 1000)
        self.assertLessEqual(int(refused.headers["Retry-After"]), 60)
        vector = self.post("/openai/deployments/e/embeddings?api-version=1", {"model": "m"}, api_key="k")
        self.assertEqual((vector.status, vector.json()["error"]["param"]), (400, "input"))
        self.assertIsNone(vector.headers["openai-processing-ms"])

    def test_azure_names_the_model_in_its_path(self):
        self.serve()
        chat = {"messages": [{"role": "user", "content": TEXT}]}
        self.assertEqual(self.post(DEPLOYMENT, chat).json()["choices"][0]["message"]["content"], TEXT)
        self.assertEqual(len(self.post("/openai/deployments/e/embeddings?api-version=1", {"input": [TEXT, "x"]}).json()["data"]), 2)
        self.assertEqual(self.post("/openai/v1/chat/completions", chat).status, 400)  # there it stands in the body
        for path in ("/openai/v1/responses", "/openai/responses?api-version=preview"):
            answer = self.post(path, {"model": "m", "input": TEXT})
            self.assertEqual(answer.json()["output"][0]["content"][0]["text"], TEXT)
            self.assertTrue(answer.headers["apim-request-id"])
        self.assertEqual(self.post("/openai/responses", {"model": "m", "input": TEXT}).json()["error"]["code"], "404")


class Anthropic(Dialects):
    def ask(self, **more):
        headers = more.pop("headers", {"x-api-key": "k"})
        return self.post("/v1/messages", self.chat(**{"max_tokens": 50, **more}), **{**ANTHROPIC, **headers})

    def test_messages(self):
        self.serve("--key", "k")
        whole = self.ask(system=[{"type": "text", "text": "Be short."}])
        self.assertTrue(whole.headers["request-id"].startswith("req_"))
        message = whole.json()
        self.assertEqual((message["type"], message["role"], message["stop_reason"]), ("message", "assistant", "end_turn"))
        self.assertEqual(message["content"], [{"type": "text", "text": TEXT}])
        self.assertGreater(message["usage"]["input_tokens"], message["usage"]["output_tokens"])
        self.assertEqual(self.ask(max_tokens=2).json()["stop_reason"], "max_tokens")

    def test_stream(self):
        self.serve()
        events = self.ask(stream=True).events()
        names = [name for name, _ in events]
        self.assertEqual(names, [data["type"] for _, data in events])
        self.assertEqual(names[:3] + names[-3:], ["message_start", "content_block_start", "ping", "content_block_stop", "message_delta",
                                                  "message_stop"])
        self.assertEqual("".join(data["delta"]["text"] for name, data in events if name == "content_block_delta"), TEXT)
        start, delta = events[0][1]["message"], events[-2][1]
        self.assertEqual((start["content"], start["stop_reason"]), ([], None))
        self.assertEqual(delta["delta"]["stop_reason"], "end_turn")
        self.assertEqual(delta["usage"]["output_tokens"], names.count("content_block_delta"))

    def test_what_is_refused(self):
        self.serve("--key", "k")
        for status, kind, more in ((401, "authentication_error", {"headers": {"x-api-key": "wrong"}}),
                                   (400, "invalid_request_error", {"headers": {"x-api-key": "k", "anthropic-version": ""}}),
                                   (400, "invalid_request_error", {"max_tokens": 0}),
                                   (400, "invalid_request_error", {"messages": []}),
                                   (400, "invalid_request_error", {"messages": [{"role": "system", "content": "x"}]}),
                                   (400, "invalid_request_error", {"messages": [{"role": "user", "content": 1}]}),
                                   (400, "invalid_request_error", {"model": 1})):
            refused = self.ask(**more)
            error = refused.json()
            self.assertEqual((refused.status, error["type"], error["error"]["type"]), (status, "error", kind), more)
            self.assertEqual(error["request_id"], refused.headers["request-id"])
        self.assertEqual(self.post("/v1/messages", self.chat(), **ANTHROPIC, x_api_key="k").json()["error"]["message"],
                         "max_tokens: Field required")

    def test_limits(self):
        self.serve("--rpm", "1", "--tpm", "12000", "--itpm", "5000", "--otpm", "1000")
        good = self.ask()
        self.assertEqual((good.headers["anthropic-ratelimit-input-tokens-limit"], good.headers["anthropic-ratelimit-input-tokens-remaining"],
                          good.headers["anthropic-ratelimit-output-tokens-remaining"]), ("5000", "5000", "1000"))
        self.assertEqual((good.headers["anthropic-ratelimit-requests-limit"], good.headers["anthropic-ratelimit-requests-remaining"]),
                         ("1", "0"))
        self.assertEqual(good.headers["anthropic-ratelimit-tokens-remaining"], "12000")  # to the nearest thousand
        reset = datetime.datetime.fromisoformat(good.headers["anthropic-ratelimit-requests-reset"].replace("Z", "+00:00"))
        self.assertLess(abs((reset - datetime.datetime.now(datetime.timezone.utc)).total_seconds() - 60), 30)
        refused = self.ask()
        self.assertEqual((refused.status, refused.json()["error"]["type"]), (429, "rate_limit_error"))
        self.assertLessEqual(int(refused.headers["Retry-After"]), 60)
        self.assertIsNone(refused.headers["retry-after-ms"])


class Gemini(Dialects):
    def ask(self, path=GENERATE, config=None, **headers):
        body = {"contents": [{"role": "user", "parts": [{"text": TEXT}]}], "systemInstruction": {"parts": [{"text": "Be short."}]}}
        if config:
            body["generationConfig"] = config
        return self.post(path, body, **headers)

    def check_parts(self, parts):
        self.assertEqual("".join(part["candidates"][0]["content"]["parts"][0]["text"] for part in parts), TEXT)
        self.assertEqual([part["candidates"][0].get("finishReason") for part in parts], [None] * (len(parts) - 1) + ["STOP"])
        usage = parts[-1]["usageMetadata"]
        self.assertEqual(usage["candidatesTokenCount"], len(parts) - 1)
        self.assertEqual(usage["promptTokenCount"] + usage["candidatesTokenCount"], usage["totalTokenCount"])

    def test_generate_content(self):
        self.serve()
        whole = self.ask().json()
        self.assertEqual(whole["candidates"][0]["content"], {"parts": [{"text": TEXT}], "role": "model"})
        self.assertEqual(whole["candidates"][0]["finishReason"], "STOP")
        short = self.ask(config={"maxOutputTokens": 1}).json()
        self.assertEqual(short["candidates"][0]["finishReason"], "MAX_TOKENS")
        self.check_parts([data for _, data in self.ask(STREAM + "?alt=sse").events()])
        array = self.ask(STREAM)
        self.assertTrue(array.headers["Content-Type"].startswith("application/json"))
        self.check_parts(array.json())

    def test_a_list_of_one_may_stand_without_brackets(self):
        self.serve()
        one = self.post(GENERATE, {"system_instruction": {"parts": {"text": "Be short."}}, "contents": {"parts": {"text": TEXT}}}).json()
        self.assertEqual(one["candidates"][0]["content"]["parts"][0]["text"], TEXT)
        self.assertEqual(one["usageMetadata"], self.ask().json()["usageMetadata"])
        self.assertEqual(self.post("/v1/messages", {"model": "m", "max_tokens": 9, "messages": {"role": "user", "content": TEXT}},
                                   **ANTHROPIC).status, 400)

    def test_embeddings(self):
        self.serve("--seed", "1")
        model = "/v1beta/models/e"
        content = {"parts": [{"text": "The mill "}, {"text": "stands"}]}
        one = self.post(model + ":embedContent", {"content": content, "outputDimensionality": 8}).json()["embedding"]["values"]
        self.assertEqual(len(one), 8)
        self.assertAlmostEqual(sum(x * x for x in one), 1, 5)
        many = self.post(model + ":batchEmbedContents",
                         {"requests": [{"model": "models/e", "content": content, "outputDimensionality": 8},
                                       {"model": "models/e", "content": {"parts": [{"text": "bread"}]}}]}).json()["embeddings"]
        self.assertEqual((len(many), many[0]["values"]), (2, one))
        self.assertNotEqual(many[1]["values"], one)
        for path, wrong in ((":embedContent", {}), (":embedContent", {"content": {"parts": 1}}), (":batchEmbedContents", {"requests": []}),
                            (":batchEmbedContents", {"content": content}), (":batchEmbedContents", {"requests": [{}]}),
                            (":embedContent", {"content": content, "outputDimensionality": 0}),
                            (":batchEmbedContents", {"requests": [{"content": content}] * 2049})):
            refused = self.post(model + path, wrong)
            self.assertEqual((refused.status, refused.json()["error"]["status"]), (400, "INVALID_ARGUMENT"), (path, wrong))
        self.assertEqual(self.post(model + ":batchEmbedContents", {"requests": [{"content": content}] * 2048}).status, 200)

    def test_keys(self):
        self.serve("--key", "k")
        self.assertEqual(self.ask(x_goog_api_key="k").status, 200)
        self.assertEqual(self.ask(GENERATE + "?key=k").status, 200)
        wrong = self.ask(x_goog_api_key="x")
        self.assertEqual((wrong.status, wrong.json()["error"]["details"][0]["reason"]), (400, "API_KEY_INVALID"))
        self.assertEqual(self.ask().json()["error"]["status"], "PERMISSION_DENIED")
        self.assertEqual(self.mock_end(self.process)["errors"], 2)

    def test_limits_and_errors(self):
        self.serve("--rpm", "1")
        self.assertEqual(self.post(GENERATE, {}).json()["error"], {"code": 400, "message": "contents: Field required",
                                                                   "status": "INVALID_ARGUMENT"})
        good = self.ask()
        self.assertFalse([name for name in good.headers if "ratelimit" in name.lower()])
        error = self.ask().json()["error"]
        self.assertEqual((error["code"], error["status"]), (429, "RESOURCE_EXHAUSTED"))
        self.assertRegex(error["details"][0]["retryDelay"], r"^\d+\.\d{3}s$")
        array = self.ask(STREAM)  # errors of a stream stand in an array
        self.assertEqual((array.status, array.json()[0]["error"]["code"], array.headers["Retry-After"]), (429, 429, None))
        self.assertEqual(self.ask(STREAM + "?alt=sse").json()["error"]["code"], 429)


class Ollama(Dialects):
    def test_chat(self):
        self.serve()
        whole = self.post("/api/chat", self.chat(stream=False)).json()
        self.assertEqual((whole["message"], whole["done"], whole["done_reason"]), ({"role": "assistant", "content": TEXT}, True, "stop"))
        stream = self.post("/api/chat", self.chat())
        self.assertEqual(stream.headers["Content-Type"], "application/x-ndjson")
        lines = [json.loads(line) for line in stream.text.splitlines()]
        self.assertEqual("".join(line["message"]["content"] for line in lines), TEXT)
        self.assertEqual([line["done"] for line in lines], [False] * (len(lines) - 1) + [True])
        self.assertEqual(lines[-1]["eval_count"], len(lines) - 1)
        short = self.post("/api/chat", self.chat(stream=False, options={"num_predict": 2})).json()
        self.assertEqual(short["done_reason"], "length")
        self.assertIsInstance(self.post("/api/chat", {"model": "m"}).json()["error"], str)
        for endless in (-1, -2):
            self.assertEqual(self.post("/api/chat", self.chat(stream=False, options={"num_predict": endless})).json()["done_reason"], "stop")

    def test_generate(self):
        self.serve()
        whole = self.post("/api/generate", {"model": "m", "prompt": TEXT, "system": "Be short.", "stream": False}).json()
        self.assertEqual((whole["response"], whole["done"], whole["done_reason"]), (TEXT, True, "stop"))
        lines = [json.loads(line) for line in self.post("/api/generate", {"model": "m", "prompt": TEXT}).text.splitlines()]
        self.assertEqual("".join(line["response"] for line in lines), TEXT)
        self.assertEqual([line["done"] for line in lines], [False] * (len(lines) - 1) + [True])
        self.assertNotIn("message", lines[0])
        self.assertEqual(self.post("/api/generate", {"model": "m"}).status, 400)

    def test_embed(self):
        self.serve()
        one = self.post("/api/embed", {"model": "m", "input": TEXT}).json()
        many = self.post("/api/embed", {"model": "m", "input": [TEXT, "x"], "dimensions": 256}).json()
        self.assertEqual((len(one["embeddings"]), len(many["embeddings"]), many["embeddings"][0]), (1, 2, one["embeddings"][0]))
        self.assertGreater(many["prompt_eval_count"], one["prompt_eval_count"])
        for wrong in ({"model": "m"}, {"input": "x"}, {"model": "m", "input": []}, {"model": "m", "input": [1]}):
            self.assertEqual(self.post("/api/embed", wrong).status, 400, wrong)


class All(Dialects):
    def test_the_paces_are_the_same(self):
        # The first token comes at once, in whichever event of the form, and the others at the rate.
        self.serve("--tokens-per-second", "200")
        count = self.post("/v1/chat/completions", self.chat()).json()["usage"]["completion_tokens"]
        self.assertGreater(count, 10)
        for path, body, headers in (("/v1/chat/completions", self.chat(stream=True), {}),
                                    ("/v1/responses", {"model": "m", "input": TEXT, "stream": True}, {}),
                                    ("/v1/messages", self.chat(stream=True, max_tokens=99), ANTHROPIC),
                                    (STREAM, {"contents": [{"parts": [{"text": TEXT}]}]}, {}), ("/api/chat", self.chat(), {})):
            start = time.monotonic()
            self.assertEqual(self.post(path, body, **headers).status, 200)
            self.assertGreater(time.monotonic() - start, (count - 1) / 200 - 0.001, path)

    def test_one_that_is_cut_is_cut_in_each(self):
        self.serve("--fault", "cut")
        for path, body, headers in (("/v1/messages", self.chat(max_tokens=99), ANTHROPIC),
                                    (GENERATE, {"contents": [{"parts": [{"text": TEXT}]}]}, {})):
            with self.assertRaises(Exception):
                self.post(path, body, **headers)
        self.assertEqual(self.mock_end(self.process)["cut"], 2)

    def test_paths_that_are_near(self):
        self.serve()
        for path in ("/openai/deployments//chat/completions?api-version=1", "/openai/deployments/a/b/chat/completions?api-version=1",
                     "/v1beta/models/:generateContent", "/v1beta/models/a:generate", "/v1/message"):
            self.assertEqual(self.post(path, {}).status, 404, path)


if __name__ == "__main__":
    main()
