#!/usr/bin/env python3
"""Makes C of the dashboard's files: embed.py OUT.c FILE...

Each is there twice, as it is and with gzip, under /dashboard/NAME, with a tag of what is in it.
"""
import gzip
import hashlib
import pathlib
import sys

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


def array(name, data):
    rows = [",".join(map(str, data[at : at + 32])) for at in range(0, len(data), 32)]
    return f"static const unsigned char {name}[] = {{\n" + ",\n".join(rows) + "};\n"


def main():
    out, files = sys.argv[1], [pathlib.Path(name) for name in sys.argv[2:]]
    arrays, rows = [], []
    for number, file in enumerate(files):
        data = file.read_bytes()
        tag = hashlib.sha256(data).hexdigest()[:24]
        arrays += [array(f"plain_{number}", data),
                   array(f"gzip_{number}", gzip.compress(data, 9, mtime=0))]
        rows.append(f'    {{SPAN_INIT("/dashboard/{file.name}"), SPAN_INIT("{TYPES[file.suffix]}"),\n'
                    f'     SPAN_INIT("\\"{tag}\\""), BYTES(plain_{number}), BYTES(gzip_{number})}},\n')
    pathlib.Path(out).write_text(
        '#include "proxy/admin/dashboard.h"\n\n' + "".join(arrays)
        + "#define BYTES(array) {(const char *)(array), sizeof(array)}\n"
        + "const struct dashboard_asset dashboard_assets[] = {\n" + "".join(rows) + "    {.path = {NULL, 0}},\n};\n")


main()
