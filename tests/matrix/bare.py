"""Whether onnxruntime-web by itself, without any of Shoal, loads and runs a graph in the same browser on the same backend."""

import json
import subprocess
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from support.server import HOME, ROOT

ORT = ROOT / "browser_agent/node_modules/onnxruntime-web/dist"
BUILD = {"wasm": "ort.wasm.min.mjs", "webgpu": "ort.webgpu.min.mjs", "webnn": "ort.webgpu.min.mjs"}
FLAGS = (
    "--headless", "--no-sandbox", "--remote-debugging-port=0", "--enable-features=WebMachineLearningNeuralNetwork",
    "--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader",
)
PAGE = """<!doctype html><script type="module">
const plan = await (await fetch('/plan')).json();
const say = (result) => fetch('/result', { method: 'POST', body: JSON.stringify(result) });
try {
  const ort = await import('/ort/' + plan.build);
  ort.env.wasm.wasmPaths = location.origin + '/ort/';
  const model = new Uint8Array(await (await fetch('/model')).arrayBuffer());
  const feeds = {};
  for (const [name, { type, shape, data }] of Object.entries(plan.inputs)) {
    const values = type === 'int64' ? BigInt64Array.from(data, BigInt) : type === 'bool' ? Uint8Array.from(data) : Float32Array.from(data);
    feeds[name] = new ort.Tensor(type, values, shape);
  }
  const provider = plan.backend === 'webnn' ? { name: 'webnn', deviceType: 'cpu' } : plan.backend;
  const session = await ort.InferenceSession.create(model, { executionProviders: [provider] });
  const outputs = await session.run(feeds);
  for (const output of Object.values(outputs)) await output.getData();
  await say({ runs: true });
} catch (error) { await say({ runs: false, why: String(error) }); }
</script>"""
TYPES = {".mjs": "text/javascript", ".wasm": "application/wasm"}
KINDS = {"i": "int64", "f": "float32", "b": "bool"}


def runs(path, inputs, backend, seconds=240):
    """(True, "") when it does; (False, why) when it does not, or says nothing for so long."""
    plan = {
        "backend": backend, "build": BUILD[backend],
        "inputs": {
            name: {"type": KINDS[data.dtype.kind], "shape": list(data.shape), "data": data.ravel().tolist()}
            for name, data in inputs.items()
        },
    }
    result, answered = {}, threading.Event()
    pages = {"/": ("text/html", PAGE.encode()), "/plan": ("application/json", json.dumps(plan).encode())}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            kind, body = pages.get(self.path, ("application/octet-stream", b""))
            if self.path == "/model":
                body = path.read_bytes()
            elif self.path.startswith("/ort/") and (ORT / self.path.removeprefix("/ort/")).is_file():
                file = ORT / self.path.removeprefix("/ort/")
                kind, body = TYPES[file.suffix], file.read_bytes()
            self.send_response(200 if body else 404)
            for name, value in (
                ("Content-Type", kind), ("Content-Length", str(len(body))),
                ("Cross-Origin-Opener-Policy", "same-origin"), ("Cross-Origin-Embedder-Policy", "require-corp"),
            ):
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self):
            result.update(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()
            answered.set()

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server, tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        binary = HOME / "tools/headless_shell/headless_shell"
        browser = subprocess.Popen(
            [binary, *FLAGS, f"--user-data-dir={profile}", f"http://localhost:{server.server_port}/"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        try:
            answered.wait(seconds)
        finally:
            browser.kill()
            browser.wait()
            server.shutdown()
    return bool(result.get("runs")), result.get("why", "" if result else f"no answer within {seconds} s")
