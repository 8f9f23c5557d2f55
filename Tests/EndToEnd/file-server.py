#!/usr/bin/env python3
"""Serves the files of a folder for the tests of downloads, on a free port of the loopback interface.

Usage: file-server.py FOLDER PORT-FILE

Writes its port into PORT-FILE. The first part of a path says how a file is served:

  /good/NAME      with Range requests
  /cut/NAME       likewise, but each connection ends after a third of the file
  /no-range/NAME  without Range requests
  /wrong/NAME     with its first byte changed
  /stop/NAME      the connection ends before the first byte

Each request is logged on standard output: the path, and the Range if there is one.
"""
import http.server
import os
import sys

folder, port_file = sys.argv[1:]


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        mode, _, name = self.path.strip("/").partition("/")
        asked = self.headers.get("Range", "")
        print(self.path, asked, flush=True)
        path = os.path.join(folder, os.path.basename(name))
        if mode not in ("good", "cut", "no-range", "wrong", "stop") or not os.path.isfile(path):
            return self.send_error(404)
        with open(path, "rb") as file:
            content = file.read()
        if mode == "stop":
            return self.close()
        start = int(asked[len("bytes="):].split("-")[0]) if asked else 0
        if asked and mode != "no-range":
            if start >= len(content):
                return self.send_error(416)
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        else:
            start = 0
            self.send_response(200)
        if mode == "wrong":
            content = bytes([content[0] ^ 1]) + content[1:]
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        end = start + len(content) // 3 if mode == "cut" else len(content)
        self.wfile.write(content[start:end])
        self.close()

    def close(self):
        self.close_connection = True

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
with open(port_file + ".new", "w") as file:
    file.write(str(server.server_port))
os.rename(port_file + ".new", port_file)
server.serve_forever()
