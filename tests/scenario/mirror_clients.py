#!/usr/bin/env python3
"""The real pip, skopeo, podman and containerd through mirrors: mirror_clients.py BUILD

pip against a scripted index, the others against Debian's docker-registry, each twice; the second time
with the origin gone. What the registry has damaged is refused. podman and containerd are configured by the
lines of docs/mirrors.md, and are left out where they are not installed, or may not do what they need.
"""
import gzip
import hashlib
import http.server
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import zipfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import larder  # noqa: E402
import raw  # noqa: E402

PIP, SKOPEO, REGISTRY = "/usr/bin/pip3", "/usr/bin/skopeo", "/usr/bin/docker-registry"
ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
check = raw.Checks()


def run(*command, **more):
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, **more)
    print("+", " ".join(command[:3]), "… ->", done.returncode, flush=True)
    if done.returncode:
        print(done.stdout[-2000:], done.stderr[-2000:])
    return done.returncode


# ---- pip ----

def wheel(folder, name, needs=()):
    """The smallest that pip installs."""
    file, info = folder / f"{name}-1.0-py3-none-any.whl", f"{name}-1.0.dist-info"
    meta = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n" + "".join(
        f"Requires-Dist: {other}\n" for other in needs)
    entries = {f"{name}.py": "x = 1\n", f"{info}/METADATA": meta,
               f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"}
    entries[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in [*entries, f"{info}/RECORD"])
    with zipfile.ZipFile(file, "w") as archive:
        for path, text in entries.items():
            archive.writestr(path, text)
    return file.read_bytes()


class Index(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        kind, body = self.server.pages.get(self.path, ("text/plain", None))
        self.send_response_only(404 if body is None else 200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", len(body or b""))
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, *_):
        pass


def serve_index(folder):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Index)
    server.daemon_threads = True
    files = f"http://localhost:{server.server_port}/packages"
    server.pages = {}
    for name, needs in (("larder_one", ["larder_two"]), ("larder_two", [])):
        body = wheel(folder, name, needs)
        link = f"{files}/{name}-1.0-py3-none-any.whl#sha256={hashlib.sha256(body).hexdigest()}"
        server.pages[f"/packages/{name}-1.0-py3-none-any.whl"] = ("application/zip", body)
        server.pages[f"/simple/{name.replace('_', '-')}/"] = (
            "text/html", f'<!DOCTYPE html><a href="{link}">{name}-1.0-py3-none-any.whl</a>'.encode())
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    return server, files


def try_pip(proxy, server, folder):
    for attempt in ("first", "second"):
        target = folder / f"pip-{attempt}"
        good = run(PIP, "install", "--isolated", "--no-cache-dir", "--disable-pip-version-check",
                   "--target", str(target), "--index-url",
                   f"http://127.0.0.1:{proxy.port}/pip/simple/", "larder_one") == 0
        check(good and (target / "larder_two.py").exists(), f"pip install, {attempt}")
        if attempt == "first":
            server.shutdown()
            server.server_close()


# ---- skopeo ----

def make_image(folder):
    """A layout as of OCI: one layer, one tag."""
    blobs = folder / "layout/blobs/sha256"
    blobs.mkdir(parents=True)

    def put(body, kind):
        digest = hashlib.sha256(body).hexdigest()
        (blobs / digest).write_bytes(body)
        return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": f"sha256:{digest}",
                "size": len(body)}

    (folder / "data").write_bytes(os.urandom(3 << 20))
    with tarfile.open(folder / "layer.tar", "w") as archive:
        archive.add(folder / "data", "data")
    tar = (folder / "layer.tar").read_bytes()
    layer = put(gzip.compress(tar, 1), "layer.v1.tar+gzip")
    config = put(json.dumps({"architecture": "amd64", "os": "linux", "rootfs": {
        "type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(tar).hexdigest()]}}).encode(),
        "config.v1+json")
    manifest = put(json.dumps({"schemaVersion": 2, "config": config, "layers": [layer],
                               "mediaType": "application/vnd.oci.image.manifest.v1+json"}).encode(),
                   "manifest.v1+json")
    manifest["annotations"] = {"org.opencontainers.image.ref.name": "1"}
    (folder / "layout/index.json").write_text(json.dumps({"schemaVersion": 2,
                                                          "manifests": [manifest]}))
    (folder / "layout/oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    return layer["digest"].split(":")[1]


def start_registry(folder, port):
    (folder / "registry.yml").write_text(json.dumps({
        "version": 0.1, "log": {"level": "error"}, "http": {"addr": f"127.0.0.1:{port}"},
        "storage": {"filesystem": {"rootdirectory": str(folder / "registry")}}}))
    with open(folder / "registry.log", "w") as log:
        process = subprocess.Popen([REGISTRY, "serve", str(folder / "registry.yml")],
                                   stdout=log, stderr=log)
    larder.await_port("127.0.0.1", port, process)
    return process


def pull(port, name, folder, to):
    return run(SKOPEO, "--insecure-policy", "copy", "-q", "--src-tls-verify=false",
               f"docker://127.0.0.1:{port}/{name}", f"dir:{folder}/{to}", cwd=folder)


def try_skopeo(proxy, registry, port, layer, folder):
    for name in ("team/app:1", "other/app:1", "team/bad:1"):
        check(run(SKOPEO, "--insecure-policy", "copy", "-q", "--dest-tls-verify=false",
                  f"oci:{folder}/layout:1", f"docker://127.0.0.1:{port}/{name}") == 0, f"push {name}")
    check(pull(proxy.port, "team/app:1", folder, "first") == 0, "pull")
    got = gzip.decompress((folder / "first" / layer).read_bytes())
    check(got == (folder / "layer.tar").read_bytes(), "its layer")
    # The registry's copy of the layer is damaged: what came before is good for all.
    data = next((folder / "registry").glob(f"**/{layer}/data"))
    body = bytearray(data.read_bytes())
    body[len(body) // 2] ^= 1
    data.write_bytes(body)
    check(pull(proxy.port, "other/app:1", folder, "other") == 0, "one copy for two repositories")
    registry.terminate()
    registry.wait()
    check(pull(proxy.port, "team/app:1", folder, "second") == 0, "pull without the registry")


def try_damaged(program, folder, port):
    registry = start_registry(folder, port)
    proxy = start_proxy(program, folder, "fresh", port, None, None)
    check(pull(proxy.port, "team/bad:1", folder, "bad") != 0, "a damaged layer is refused")
    registry.terminate()
    registry.wait()
    check(proxy.stop(), "it ends as it should")


# ---- podman and containerd, as documented ----

def documented(path, proxy):
    """The block of docs/mirrors.md behind the mention of this file, with the proxy's name and port."""
    text = (ROOT / "docs/mirrors.md").read_text()
    block = re.search(re.escape(f"`{path}`") + r".*?\n```toml\n(.*?)```", text, re.S)
    check(block, f"docs/mirrors.md says what is in {path}")
    return block[1].replace("larder:3128", f"127.0.0.1:{proxy.port}")


def asked(proxy, mirror):
    """(requests for the mirror, those of them that were hits)"""
    data, _ = raw.ask(proxy.admin, b"GET /status HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 60)
    rows = json.loads(data.partition(b"\r\n\r\n")[2])["mirrors"]
    return next((row["requests"], row["hits"]) for row in rows if row["path"] == mirror)


def twice(proxy, registry, mirror, pull_anew, name, later):
    """What was pulled comes again when the registry is gone: from the mirror, and from nowhere else."""
    check(pull_anew(name) == 0, f"pull {name} by {mirror}")
    first, _ = asked(proxy, mirror)
    check(first >= 3, f"manifest, configuration and layer came by {mirror}: {first}")
    registry.terminate()
    registry.wait()
    check(pull_anew(later) == 0, f"pull {later} by {mirror} without the registry")
    again, hits = asked(proxy, mirror)
    check(again > first and hits >= 3, f"again by {mirror}: {again} requests, {hits} hits")


def try_podman(folder, proxy, registry):
    config = folder / "registries.conf"
    config.write_text(documented("/etc/containers/registries.conf.d/larder.conf", proxy))
    policy = folder / "policy.json"
    policy.write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
    short = tempfile.mkdtemp(prefix="lmc.", dir="/tmp")  # podman wants a short path here
    base = ["podman", "--root", str(folder / "podman"), "--runroot", short, "--storage-driver", "vfs"]
    environment = dict(os.environ, CONTAINERS_REGISTRIES_CONF=str(config), TMPDIR=str(folder))
    name = "docker.io/library/app:1"

    def pull_anew(name):
        run(*base, "rmi", "-a", "-f", env=environment)
        return run(*base, "pull", "-q", "--signature-policy", str(policy), name, env=environment)
    twice(proxy, registry, "/v2/hub/", pull_anew, name, name)
    run(*base, "system", "reset", "-f", env=environment)
    shutil.rmtree(short, ignore_errors=True)


def try_containerd(folder, proxy, registry):
    hosts = folder / "certs.d/quay.io"
    hosts.mkdir(parents=True)
    (hosts / "hosts.toml").write_text(documented("/etc/containerd/certs.d/quay.io/hosts.toml", proxy))
    (folder / "containerd.toml").write_text('version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n')
    address = str(folder / "containerd.sock")
    with open(folder / "containerd.log", "w") as log:
        daemon = subprocess.Popen(["containerd", "--config", folder / "containerd.toml", "--address", address,
                                   "--root", folder / "containerd", "--state", folder / "containerd-state"],
                                  stdout=log, stderr=log)
    ctr = ["ctr", "--address", address]
    index = json.loads((folder / "layout/index.json").read_text())
    by_digest = f"quay.io/team/app@{index['manifests'][0]['digest']}"

    def pull_anew(name):
        for known in ("quay.io/team/app:1", by_digest):
            run(*ctr, "images", "rm", "--sync", known)
        return run(*ctr, "images", "pull", "--snapshotter", "native", "--hosts-dir", str(folder / "certs.d"), name)
    try:
        for _ in range(600):
            if run(*ctr, "version") == 0:
                break
            time.sleep(0.2)
        # It asks for tags by HEAD, which is not kept.
        twice(proxy, registry, "/v2/quay/", pull_anew, "quay.io/team/app:1", by_digest)
    finally:
        daemon.terminate()
        daemon.wait(60)


def try_as_documented(program, folder, client, mirror, repository):
    folder = folder / client
    folder.mkdir()
    if not shutil.which(client) or os.geteuid() != 0:
        print(f"{client} is left out: it is not installed, or we are not root")
        return
    make_image(folder)
    port = larder.free_port()
    registry = start_registry(folder, port)
    proxy = larder.Proxy(program, str(folder / "store"), "--store-size", "256MiB", "--set",
                         f"mirrors=[{{path: {mirror}, origin: 'http://127.0.0.1:{port}/v2/', preset: oci}}]")
    proxy.start()
    try:
        check(run(SKOPEO, "--insecure-policy", "copy", "-q", "--dest-tls-verify=false",
                  f"oci:{folder}/layout:1", f"docker://127.0.0.1:{port}/{repository}") == 0, "push")
        {"podman": try_podman, "containerd": try_containerd}[client](folder, proxy, registry)
        check(proxy.stop(), "it ends as it should")
    finally:
        registry.kill()


def start_proxy(program, folder, name, port, index, files):
    mirrors = [f"{{path: /v2/, origin: 'http://127.0.0.1:{port}/v2/', preset: oci}}"]
    if index:
        mirrors.append(f"{{path: /pip/, origin: 'http://127.0.0.1:{index}/', preset: pip, "
                       f"files: '{files}'}}")
    (folder / f"{name}.yaml").write_text("mirrors:\n" + "".join(f"  - {m}\n" for m in mirrors))
    proxy = larder.Proxy(program, str(folder / f"store-{name}"), "--config",
                         str(folder / f"{name}.yaml"), "--store-size", "256MiB")
    proxy.start()
    return proxy


def main():
    program = str(pathlib.Path(sys.argv[1]) / "proxy/larder-proxy")
    for tool in (PIP, SKOPEO, REGISTRY):
        larder.need(tool)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="larder-mirror-clients."))
    registry = None
    try:
        port = larder.free_port()
        layer = make_image(folder)
        server, files = serve_index(folder)
        registry = start_registry(folder, port)
        proxy = start_proxy(program, folder, "both", port, server.server_port, files)
        try_pip(proxy, server, folder)
        try_skopeo(proxy, registry, port, layer, folder)
        check(proxy.stop(), "it ends as it should")
        try_damaged(program, folder, port)
        try_as_documented(program, folder, "podman", "/v2/hub/", "library/app:1")
        try_as_documented(program, folder, "containerd", "/v2/quay/", "team/app:1")
    finally:
        if registry:
            registry.kill()
        shutil.rmtree(folder, ignore_errors=True)
    check.end()


main()
