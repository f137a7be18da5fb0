"""A Git server over https on 127.0.0.1 for one test.

Reads one JSON object as its first argument: `root` with bare repositories,
`certificate` and `key`, `token` that paths below `/private/` ask for, `rules`
that answer by hand, and `log`, to which a line of JSON goes for each request.
"""

import base64
import http.server
import json
import os
import ssl
import subprocess
import sys
import time

SETTINGS = json.loads(sys.argv[1])


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.serve(b"")

    def do_POST(self):
        self.serve(self.rfile.read(int(self.headers.get("Content-Length", "0"))))

    def serve(self, body):
        path, _, query = self.path.partition("?")
        told = {"method": self.command, "path": self.path, "headers": {}}
        for name, value in self.headers.items():
            told["headers"][name.lower()] = value
        with open(SETTINGS["log"], "a", encoding="utf-8") as log:
            log.write(json.dumps(told) + "\n")
        for rule in SETTINGS["rules"]:
            if path == rule["path"] and rule.get("contains", "").encode() in body:
                return self.by_hand(rule)
        if path.startswith("/private/"):
            sent = self.headers.get("Authorization", "").removeprefix("Basic ")
            if not base64.b64decode(sent).decode().endswith(":" + SETTINGS["token"]):
                return self.answer(401, {"WWW-Authenticate": "Basic realm=git"}, b"")
        return self.backend(path, query, body)

    def answer(self, status, headers, body):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def by_hand(self, rule):
        """Answers `body`, then `more` over and over with `pause_s` between."""
        body = base64.b64decode(rule.get("body", "")) or rule.get("text", "").encode()
        headers, status = rule.get("headers", {}), rule.get("status", 200)
        more = base64.b64decode(rule.get("more", ""))
        if not more:
            return self.answer(status, headers, body)
        self.close_connection = True
        self.send_response(status)
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)
        while True:
            self.wfile.write(more)
            time.sleep(rule.get("pause_s", 0))

    def backend(self, path, query, body):
        variables = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": SETTINGS["root"],
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "safe.directory",
            "GIT_CONFIG_VALUE_0": "*",
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "PATH_INFO": path.replace("/private/", "/"),
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "REMOTE_ADDR": "127.0.0.1",
        }
        said = subprocess.run(
            ["git", "http-backend"], input=body, env=variables, capture_output=True, check=False
        ).stdout
        head, _, content = said.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().splitlines())
        status = int(headers.pop("Status", "200").split()[0])
        self.answer(status, headers, content)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        pass


server = Server(("127.0.0.1", 0), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(SETTINGS["certificate"], SETTINGS["key"])
server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
print(server.server_address[1], flush=True)
server.serve_forever()
