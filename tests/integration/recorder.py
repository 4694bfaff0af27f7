"""An Ollama that keeps the bodies it is sent: hands requests on to the simulated one and its answers back."""

import http.client
import http.server
import threading


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def hand_on(self):
        recorder = self.server.recorder
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        recorder.received.append((self.path, body))
        recorder.heads.append((self.path, self.headers))
        if recorder.breaks > 0 and self.command == "POST":
            recorder.breaks -= 1
            self.close_connection = True
            return
        connection = http.client.HTTPConnection("127.0.0.1", recorder.port, timeout=30)
        try:
            headers = {"Content-Type": self.headers.get("Content-Type", "application/json")}
            connection.request(self.command, self.path, body, headers)
            answer = connection.getresponse()
            data = answer.read()
        finally:
            connection.close()
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.headers.get("Content-Type", "text/plain"))
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = hand_on

    def log_message(self, *arguments):
        pass


class Recorder:
    """`received`: (target, body) in order. The next `breaks` POSTs end without an answer."""

    def __init__(self, sim):
        self.port = sim.port
        self.received = []
        self.heads = []
        self.breaks = 0
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.recorder = self
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,))
        self.thread.start()

    def bodies(self, target):
        return [body for path, body in self.received if path == target]

    def fields(self, target, name):
        """All values of this field, for each request for `target`."""
        return [headers.get_all(name, []) for path, headers in self.heads if path == target]

    def stop(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()
