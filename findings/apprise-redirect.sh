#!/usr/bin/env bash
# apprise: an alert that meets a redirect (301, 302, 303) is sent again without the alert, and counts as sent.
#
# Expected: the POST goes to the new place with its body, or the redirect is a failure. A reverse proxy that sends plain HTTP
# on to HTTPS, or adds a slash to a path, is the usual case.
# Seen: the second request is a GET with no body. If that page answers 200, notify() says SUCCESS, and no alert is anywhere.
# With 307 and 308 the body goes along.
# It matters where a warning about money or keys goes to a webhook: the sender's log says that all of them were sent.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv" || exit 2
"$folder/venv/bin/pip" install -qq --no-compile --disable-pip-version-check "apprise==2.3.0" || exit 2
cd "$folder"

cat >ask.py <<'PYTHON'
import http.server, json, sys, threading
from importlib.metadata import version
import apprise
log = []

class Server(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_): pass
    def answer(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        log.append(f"{self.command} {self.path} {json.loads(body)['message'] if body else '(no body)'}")
        code = int(self.path.strip("/"))
        self.send_response(code)
        if code != 200:
            self.send_header("location", "/200")
        self.send_header("content-length", "0")
        self.end_headers()
    do_GET = do_POST = answer

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
print("apprise", version("apprise"), "requests", version("requests"))
seen = {}
for code in (200, 301, 302, 303, 307, 308):
    log.clear()
    sender = apprise.Apprise()
    sender.add(f"json://127.0.0.1:{server.server_port}/{code}")
    good = bool(sender.notify(body="budget-is-spent"))
    seen[code] = good, log[-1]
    print(f"\n== {code}\nnotify() is {'true' if good else 'false'}; requests: {'; '.join(log)}")
lost, kept = (True, "GET /200 (no body)"), (True, "POST /200 budget-is-spent")
sys.exit(0 if seen == {200: kept, 301: lost, 302: lost, 303: lost, 307: kept, 308: kept} else 1)
PYTHON

if venv/bin/python ask.py; then
    printf '\nSeen: with 301, 302 and 303 the alert is lost and counts as sent.\n'
else
    printf '\nIt has changed.\n'
    exit 1
fi
