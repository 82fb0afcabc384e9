"""A plain HTTP client: what a stock one hides (status, headers, a cut connection) is what these tests look at."""

import http.client
import json
from dataclasses import dataclass
from typing import Any


@dataclass
class Answer:
    status: int
    headers: dict[str, str]  # names in lower case
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


def ask(address: str, method: str, path: str, body: bytes | str | dict | None = None, headers: dict[str, str] | None = None,
        timeout: float = 30) -> Answer:
    """One request on a connection of its own. OSError or http.client.HTTPException when there is no answer."""
    sent = dict(headers or {})
    if isinstance(body, dict):
        body = json.dumps(body)
        sent.setdefault("Content-Type", "application/json")
    host, _, port = address.rpartition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=timeout)
    try:
        # skip_host: a test may forge it.
        connection.putrequest(method, path, skip_host=any(name.lower() == "host" for name in sent), skip_accept_encoding=True)
        data = body.encode() if isinstance(body, str) else body
        if data is not None:
            sent.setdefault("Content-Length", str(len(data)))
        for name, value in sent.items():
            connection.putheader(name, value)
        connection.endheaders(data)
        response = connection.getresponse()
        return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())
    finally:
        connection.close()
