#!/usr/bin/env python3
"""The script and the page that tell clients of the proxy: clients.py BUILD

The script is run by duktape: what it says of each URL is what the configuration means, whatever Host it
was asked by. Both are on the admin port, and on the proxy's own where `pac` is configured, for who may
use the proxy and never in place of a site.
"""
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import larder  # noqa: E402
import raw  # noqa: E402

# What browsers have beside the language.
BROWSER = """
function isPlainHostName(host) { return host.indexOf('.') < 0; }
function number(text) {
    var p = text.split('.');
    return ((p[0] * 256 + +p[1]) * 256 + +p[2]) * 256 + +p[3];
}
function isInNet(host, net, mask) {
    if (!/^[\\d.]+$/.test(host)) throw new Error('a look-up of ' + host);
    var size = 4294967296 - number(mask);
    return Math.floor(number(host) / size) === Math.floor(number(net) / size);
}
function isInNetEx(host, net) { return net === '2001:db8::/32' && /^2001:db8:/.test(host); }
"""
TWO = "PROXY p1.example.net:3128; HTTPS p2.example.net:3130; DIRECT"
CASES = [
    ("http://www.example.com/", "www.example.com", TWO),
    ("http://printer/", "printer", "DIRECT"),
    ("http://localhost/", "localhost", TWO),
    ("http://a.b.intra.example.net/", "a.b.intra.example.net", "DIRECT"),
    ("http://A.INTRA.example.net/", "A.INTRA.example.net", "DIRECT"),
    ("http://intra.example.net/", "intra.example.net", TWO),
    ("http://xintra.example.net/", "xintra.example.net", TWO),
    ("http://exact.example.net/", "exact.example.net", "DIRECT"),
    ("http://not.exact.example.net/", "not.exact.example.net", TWO),
    ("http://10.200.3.4/", "10.200.3.4", "DIRECT"),
    ("http://11.0.0.1/", "11.0.0.1", TWO),
    ("http://192.168.7.255/", "192.168.7.255", "DIRECT"),
    ("http://192.168.8.0/", "192.168.8.0", TWO),
    ("http://[2001:db8::7]/", "2001:db8::7", "DIRECT"),
    ("http://[2001:db9::7]/", "2001:db9::7", TWO),
]
HASH = "anna:$apr1$c7hyG7Ft$/WhzqQ4I7Tp1kR3OxIJlG1\n"
check = raw.Checks()


def evaluate(directory, script, cases):
    """What FindProxyForURL says, by duktape."""
    path = pathlib.Path(directory) / "pac.js"
    calls = "".join(f"print(FindProxyForURL({json.dumps(url)}, {json.dumps(host)}));\n"
                    for url, host, _ in cases)
    path.write_text(BROWSER + script + calls)
    done = subprocess.run(["duk", str(path)], capture_output=True, text=True, timeout=60,
                          check=False)
    check(done.returncode == 0, done.stderr)
    return done.stdout.splitlines()


def get(port, path, host=None, method="GET"):
    data, _ = raw.ask(port, f"{method} {path} HTTP/1.1\r\nHost: {host or f'127.0.0.1:{port}'}\r\n"
                            "Connection: close\r\n\r\n".encode(), 60)
    head, _, body = data.decode().partition("\r\n\r\n")
    return int(head.split()[1]), head, body


def configured(directory, proxy):
    status, head, script = get(proxy.admin, "/proxy.pac")
    check(status == 200 and "\r\nContent-Type: application/x-ns-proxy-autoconfig\r\n" in head, head)
    for (url, _, want), got in zip(CASES, evaluate(directory, script, CASES), strict=True):
        check(got == want, f"{url}: {got}, not {want}")
    for path in ("/proxy.pac", "/wpad.dat?x=1"):
        status, head, own = get(proxy.port, path)
        check(status == 200 and own == script and "x-ns-proxy-autoconfig" in head,
              f"{path} on the proxy's port: {head}")
    status, head, body = get(proxy.port, "/proxy.pac", method="HEAD")
    check(status == 200 and body == "" and f"\r\nContent-Length: {len(script)}\r\n" in head, head)
    check(get(proxy.port, "/proxy.pac", method="POST")[0] == 400, "only for reading")
    check(get(proxy.port, "/other")[0] == 400, "nothing else is there")
    status, head, page = get(proxy.port, "/setup")
    check(status == 200 and "text/html" in head and "p1.example.net" in page and
          f"http://127.0.0.1:{proxy.port}/proxy.pac" in page and "Acquire::http::Proxy" in page,
          page[:500])
    check(page.count("<details>") == page.count("</details>") == 10, "ten systems and programs")
    check(get(proxy.port, "/proxy.pac", "site.example")[2] != script, "a site is a site")


def by_host(directory, proxy):
    """Without proxies the script names this one, and nothing that a client says is in it as code."""
    hosts = {
        "proxy.example.net:3128": f"PROXY proxy.example.net:{proxy.port}; DIRECT",
        "[2001:db8::1]:3128": f"PROXY [2001:db8::1]:{proxy.port}; DIRECT",
        '"+alert(1)+"': f"PROXY 127.0.0.1:{proxy.port}; DIRECT",
        "a\\b": f"PROXY 127.0.0.1:{proxy.port}; DIRECT",
    }
    for host, want in hosts.items():
        status, _, script = get(proxy.admin, "/proxy.pac", host)
        if status == 200:
            got = evaluate(directory, script, [("http://a.b/", "a.b", want)])
            check(got == [want], f"{host}: {got}, not {want}")
        page = get(proxy.admin, "/setup", host)[2]
        check("alert" not in page and "a\\b" not in page, f"{host}: {page[:300]}")
    check(get(proxy.port, "/proxy.pac")[0] == 400, "not on the proxy's port unless configured")


def rewrite(proxy, file, text):
    file.write_text(text)
    request = urllib.request.Request(f"http://127.0.0.1:{proxy.admin}/reload", method="POST")
    urllib.request.urlopen(request, timeout=60).close()
    while not json.load(urllib.request.urlopen(
            f"http://127.0.0.1:{proxy.admin}/reload/state", timeout=60))["taken"]:
        pass


def main():
    build = sys.argv[1]
    larder.need(f"{build}/proxy/larder-proxy")
    if not shutil.which("duk"):
        print("skipped: duktape is not there")
        sys.exit(77)
    with tempfile.TemporaryDirectory(prefix="larder-clients.") as directory:
        file = pathlib.Path(directory) / "proxy.yaml"
        file.write_text("forwarded: off\n")
        proxy = larder.Proxy(f"{build}/proxy/larder-proxy", f"{directory}/store", "--config",
                             str(file))
        proxy.start()
        by_host(directory, proxy)
        rewrite(proxy, file,
                "sites: [{hosts: [site.example], origins: ['http://127.0.0.1:1']}]\n"
                "pac:\n  proxies: ['p1.example.net:3128', 'https://p2.example.net:3130']\n"
                "  direct: [10.0.0.0/8, 192.168.0.0/21, '2001:db8::/32', '*.intra.example.net',"
                " exact.example.net]\n")
        configured(directory, proxy)
        rewrite(proxy, file, "pac: {or-direct: no}\n")
        script = get(proxy.port, "/proxy.pac", "proxy.example.net:1")[2]
        check(evaluate(directory, script, CASES[:1]) == [f"PROXY proxy.example.net:{proxy.port}"],
              script)
        check(re.search(r'\r\nCache-Control: no-store\r\n', get(proxy.port, "/setup")[1]), "fresh")
        rewrite(proxy, file, "access: [{deny: {}}]\npac: {}\n")
        check(get(proxy.port, "/proxy.pac")[0] == 403, "who may not use the proxy gets nothing")
        (pathlib.Path(directory) / "passwd").write_text(HASH)
        for rules in ("{allow: {users: anna}}", "{allow: {hosts: example.net}}",
                      "{deny: {hosts: example.net}}, {allow: {users: anna, methods: CONNECT}}"):
            rewrite(proxy, file, f"users: passwd\naccess: [{rules}, {{deny: {{}}}}]\npac: {{}}\n")
            for path in ("/proxy.pac", "/wpad.dat", "/setup"):
                check(get(proxy.port, path)[0] == 200, f"{path} comes before the password: {rules}")
            check(get(proxy.port, "/else")[0] == 403, f"nothing else does: {rules}")
        rewrite(proxy, file, "users: passwd\naccess: [{allow: {from: 192.0.2.1, users: anna}}, "
                "{deny: {}}]\npac: {}\n")
        check(get(proxy.port, "/setup")[0] == 403, "no rule is about clients there")
        check(proxy.stop(), "it did not leave by itself")
    check.end()


if __name__ == "__main__":
    main()
