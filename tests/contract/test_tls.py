"""The API by TLS with stock clients: certificates of the server's own authority, and clients that must show theirs."""

import socket
import ssl
import subprocess

import grpc
import httpx2 as httpx
import openai
import pytest
import tritonclient.grpc as triton_grpc
from support.server import MODEL
from support.waiting import eventually


def openssl(folder, *words):
    subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True, timeout=30)


@pytest.fixture(scope="module")
def client_files(tmp_path_factory):
    """An authority of the clients, and one client's certificate; another that nobody knows."""
    folder = tmp_path_factory.mktemp("clients")
    for name in ("ca", "stranger"):
        openssl(folder, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", f"{name}.key",
                "-out", f"{name}.pem", "-days", "2", "-subj", f"/CN={name}")
    openssl(folder, "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", "client.key", "-out",
            "client.csr", "-subj", "/CN=a client")
    openssl(folder, "x509", "-req", "-in", "client.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-out", "client.pem",
            "-days", "2")
    return folder


BROWSERS = "kind=headless_shell,backends=wasm,threads=1"
PORTS = {"tls__enabled": "true", "tls__host": "127.0.0.1", "tls__http_port": "0", "tls__grpc_port": "0"}


def started(server):
    server.start()
    event = server.events("listening")[-1]
    return f"localhost:{event['https']}", f"localhost:{event['grpc_tls']}", server.folder / "tls/ca.pem"


@pytest.fixture(scope="module")
def server(launch):
    made = launch(pool__browsers=BROWSERS, **PORTS)
    made.places = started(made)
    return made


def test_https_is_the_same_api(server):
    https, _, authority = server.places
    context = ssl.create_default_context(cafile=str(authority))
    client = openai.OpenAI(base_url=f"https://{https}/v1", api_key="none", http_client=httpx.Client(verify=context), max_retries=0)
    secure = client.embeddings.create(model=MODEL, input="a shoal of fish").data[0].embedding
    plain = openai.OpenAI(base_url=f"http://{server.http}/v1", api_key="none").embeddings.create(model=MODEL, input="a shoal of fish")
    assert secure == plain.data[0].embedding
    for path in ("/v2/health/ready", "/metrics", "/admin/v1/workers", "/v2"):
        assert httpx.get(f"https://{https}{path}", verify=context).status_code == 200, path
    assert httpx.get(f"https://{https}/agent/", verify=context).status_code == 404, "browsers come in elsewhere"
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        httpx.get(f"https://{https}/v2")


def test_grpc_by_tls(server):
    _, address, authority = server.places
    client = triton_grpc.InferenceServerClient(address, ssl=True, root_certificates=str(authority))
    assert client.is_server_ready()
    with grpc.insecure_channel(address) as channel, pytest.raises(grpc.FutureTimeoutError):
        grpc.channel_ready_future(channel).result(timeout=1)


def test_old_versions_are_refused(server):
    https = server.places[0]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    host, _, port = https.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=10) as plain, pytest.raises((ssl.SSLError, ConnectionResetError)):
        context.wrap_socket(plain)


def test_clients_must_show_a_certificate_where_that_is_set(launch, client_files):
    server = launch(pool__browsers=BROWSERS, tls__client_authority=str(client_files / "ca.pem"), **PORTS)
    https, address, authority = started(server)

    def ask(name=None):
        context = ssl.create_default_context(cafile=str(authority))
        if name:
            context.load_cert_chain(client_files / f"{name}.pem", client_files / f"{name}.key")
        return httpx.get(f"https://{https}/v2", verify=context)

    assert ask("client").status_code == 200
    for refused in (None, "stranger"):
        with pytest.raises(httpx.TransportError):
            ask(refused)

    def live(name=None):
        files = {"private_key": str(client_files / f"{name}.key"), "certificate_chain": str(client_files / f"{name}.pem")} if name else {}
        client = triton_grpc.InferenceServerClient(address, ssl=True, root_certificates=str(authority), **files)
        return client.is_server_live(client_timeout=3)

    assert live("client")
    for refused in (None, "stranger"):
        with pytest.raises(triton_grpc.InferenceServerException):
            live(refused)
    eventually("the plain port asks nobody", 5, lambda: server.get("/v2").status == 200)


def test_an_open_port_needs_a_reason(launch):
    for settings, words in (({"tls__enabled": "true"}, "tls.host: '0.0.0.0' is reachable"),
                            ({"server__host": "0.0.0.0"}, "set auth.enabled")):
        server = launch(pool__browsers=BROWSERS, **settings)
        server.spawn()
        assert server.wait_exit(15) == 2
        assert words in server.tail()


def test_a_file_that_is_not_there_is_named(launch, tmp_path):
    server = launch(pool__browsers=BROWSERS, tls__certificate=str(tmp_path / "no.pem"), tls__key=str(tmp_path / "no.key"), **PORTS)
    server.spawn()
    assert server.wait_exit(15) == 1
    assert "tls.certificate: cannot" in server.tail() and "no.pem" in server.tail()
