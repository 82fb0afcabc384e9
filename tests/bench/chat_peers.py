"""Who else runs the chat model: native llama.cpp, and wllama (llama.cpp as WASM) in a headless browser."""

import json
import os
import queue
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from support.server import HOME

PEERS = Path(__file__).parent / "peers"
TOOLS = HOME / "tools" / "peers"
BROWSER = HOME / "tools" / "headless_shell" / "headless_shell"
CONTEXT = 1024
PATIENCE = 600  # seconds for one answer


class LlamaCpp:
    def __init__(self, gguf, threads):
        command = [TOOLS / "venv" / "bin" / "python", PEERS / "llama_cpp.py", gguf, str(threads)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    def run(self, prompt, max_tokens):
        self.process.stdin.write(json.dumps({"prompt": prompt, "max_tokens": max_tokens}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, f"llama.cpp ended with {self.process.wait(10)}"
        return json.loads(line)

    def close(self):
        self.process.stdin.close()
        self.process.wait(60)


class Wllama:
    """A page in a headless browser of its own, served from here with the headers that threads need."""

    def __init__(self, gguf, threads, profile):
        self._steps, self._answers = queue.Queue(), queue.Queue()
        self._httpd = ThreadingHTTPServer(("127.0.0.1", 0), handler(gguf, self._steps, self._answers))
        threading.Thread(target=self._httpd.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{self._httpd.server_port}/wllama.html"
        self._browser = subprocess.Popen(
            [BROWSER, "--no-sandbox", "--remote-debugging-port=0", f"--user-data-dir={profile}", url],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )
        self.loaded = self._ask({"step": "load", "threads": threads, "context": CONTEXT})
        assert self.loaded["threads"] == threads, self.loaded

    def run(self, prompt, max_tokens):
        return self._ask({"step": "run", "prompt": prompt, "max_tokens": max_tokens})

    def _ask(self, step):
        self._steps.put(step)
        answer = self._answers.get(timeout=PATIENCE)
        if "error" in answer:
            raise RuntimeError(f"wllama: {answer['error']}")
        return answer

    def close(self):
        self._browser.terminate()
        self._browser.wait(60)
        self._steps.put(None)
        self._httpd.shutdown()


def handler(gguf, steps, answers):
    pages = {"/wllama.html": (PEERS / "wllama.html", "text/html"), "/model.gguf": (Path(gguf), "application/octet-stream")}
    esm = TOOLS / "node_modules" / "@wllama" / "wllama" / "esm"
    kinds = {".js": "text/javascript", ".wasm": "application/wasm"}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            if self.path == "/next":
                step = steps.get()
                if step is None:
                    self.close_connection = True
                    return None
                return self._send(json.dumps(step).encode(), "application/json")
            if self.path.startswith("/wllama/"):
                file = (esm / self.path.removeprefix("/wllama/")).resolve()
                kind = kinds.get(file.suffix)
                found = (file, kind) if kind and file.is_relative_to(esm.resolve()) else None
            else:
                found = pages.get(self.path)
            if found is None or not found[0].is_file():
                return self.send_error(404)
            self._send(found[0].read_bytes(), found[1])

        def do_POST(self):
            answers.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self._send(b"{}", "application/json")

        def _send(self, body, kind):
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cross-Origin-Opener-Policy", "same-origin")
            self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    return Handler


def as_q4_0(gguf, made):
    subprocess.run([TOOLS / "venv" / "bin" / "python", PEERS / "to_q4_0.py", gguf, made], check=True)
    return made


def install():
    """What requirements.txt and package-lock.json name and hash, once."""
    venv = TOOLS / "venv"
    if not (venv / "bin" / "python").exists():
        subprocess.run(["python3", "-m", "venv", venv], check=True)
    pip = [venv / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    subprocess.run([*pip, "--require-hashes", "--only-binary", ":all:", "-r", PEERS / "requirements.txt"], check=True)
    for name in ("package.json", "package-lock.json", ".npmrc"):
        (TOOLS / name).write_bytes((PEERS / name).read_bytes())
    path = f"{HOME / 'tools' / 'node' / 'bin'}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(["npm", "ci", "--ignore-scripts"], cwd=TOOLS, check=True, env=os.environ | {"PATH": path})
