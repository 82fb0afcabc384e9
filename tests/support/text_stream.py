"""One text of a server as it grows: KServe's generate_stream, read event by event on a thread of its own."""

import http.client
import json
import threading
import time
from typing import Any


class TextStream:
    """Begins at once; what came so far may be looked at any time."""

    def __init__(self, address: str, model: str, text: str, **parameters: Any) -> None:
        self.pieces: list[str] = []
        self.times: list[float] = []  # of the pieces
        self.end: dict[str, Any] = {}  # the event with the finish_reason
        self.error: dict[str, Any] = {}  # that came instead: an event, or the answer
        self.status = 0
        host, _, port = address.rpartition(":")
        self._connection = http.client.HTTPConnection(host, int(port), timeout=300)
        body = json.dumps({"text_input": text} | parameters)
        self._connection.request("POST", f"/v2/models/{model}/generate_stream", body, {"Content-Type": "application/json"})
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        try:
            answer = self._connection.getresponse()
            self.status = answer.status
            if answer.status != 200:
                self.error = json.loads(answer.read())
                return
            while line := answer.readline():
                if not line.startswith(b"data: "):
                    continue
                event = json.loads(line.removeprefix(b"data: "))
                if "error" in event:
                    self.error = event
                    continue
                self.times.append(time.monotonic())
                self.pieces.append(event["text_output"])
                if "finish_reason" in event:
                    self.end = event
        except (OSError, http.client.HTTPException, ValueError) as cut:
            self.error = self.error or {"error": str(cut), "code": "CUT"}
        finally:
            self._connection.close()

    @property
    def text(self) -> str:
        return "".join(self.pieces)

    def running(self) -> bool:
        return self._thread.is_alive()

    def join(self, seconds: float = 120) -> "TextStream":
        self._thread.join(seconds)
        assert not self.running(), f"after {seconds} s: {len(self.pieces)} pieces"
        return self
