#!/usr/bin/env bash
# LiteLLM: what a provider calls a failed or capped reply, LiteLLM calls finished ("stop").
#
# Expected: "error" (a value in OpenRouter's and in Mistral's own packages), "network_error" (Z.ai, says LiteLLM's table) and
# "insufficient_system_resource" (DeepSeek) are the end of a reply that broke off under status 200. They raise, or stay as
# they are; Mistral's "model_length" becomes "length".
# Seen: all of them are "stop", for two there is a line in the log, for the others nothing. A Router with a fallback for each
# model takes the half answer and does not call the fallback. The true word is in provider_specific_fields of the choice.
# It matters where finish_reason decides: the broken key counts as healthy, half an answer is kept, and nobody tries again.
# That unknown words become "stop" has been reported (BerriAI/litellm#23800); the ones without a line are in its table.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv" || exit 2
"$folder/venv/bin/pip" install -qq --no-compile --disable-pip-version-check "litellm==1.110.2" || exit 2
cd "$folder"

cat >ask.py <<'PYTHON'
import http.server, json, sys, threading
from importlib.metadata import version
import litellm
litellm.suppress_debug_info = True
CASES = [("openrouter/some/model", "length"), ("openrouter/some/model", "error"), ("mistral/mistral-large-latest", "error"),
         ("mistral/mistral-large-latest", "model_length"), ("zai/glm-5.2", "network_error"),
         ("deepseek/deepseek-chat", "insufficient_system_resource")]
asked = []

class Server(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_): pass
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        reason = self.path.split("/")[1]
        asked.append(reason)
        message = {"role": "assistant", "content": "The answer is"}
        usage = {"prompt_tokens": 10, "completion_tokens": 3, "total_tokens": 13}
        body = json.dumps({"id": "c1", "object": "chat.completion", "created": 1, "model": "m", "usage": usage,
                           "choices": [{"index": 0, "finish_reason": reason, "message": message}]}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()

def route(name, model, reason):
    base = f"http://127.0.0.1:{server.server_port}/{reason}"
    return {"model_name": name, "litellm_params": {"model": model, "api_key": "x", "api_base": base, "max_retries": 0}}

print("litellm", version("litellm"), "\n")
seen = []
for model, reason in CASES:
    asked.clear()
    routes = [route("first", model, reason), route("second", "openai/other", "stop")]
    router = litellm.Router(model_list=routes, fallbacks=[{"first": ["second"]}], num_retries=0)
    choice = router.completion(model="first", messages=[{"role": "user", "content": "x"}]).choices[0]
    seen.append((choice.finish_reason, list(asked)))
    print(f"{model:30} sent: {reason:29} LiteLLM: {choice.finish_reason:7} fallback asked: {'yes' if asked[1:] else 'no'}")
sys.exit(0 if seen == [("length" if reason == "length" else "stop", [reason]) for _, reason in CASES] else 1)
PYTHON

if LITELLM_LOCAL_MODEL_COST_MAP=True venv/bin/python ask.py; then
    printf '\nSeen: five words for a reply that broke off or was capped are "stop".\n'
else
    printf '\nIt has changed.\n'
    exit 1
fi
