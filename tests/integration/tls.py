"""For tests of TLS: an authority and certificates made with the openssl command, a Wire that speaks TLS, and a small
HTTPS server that plays an upstream."""

import contextlib
import os
import socket
import ssl
import subprocess
import threading

from programs import wait_for
from wire import Wire, address_of

NAMES = "DNS:localhost,IP:127.0.0.1"


def openssl(folder, *arguments):
    result = subprocess.run(["openssl", *arguments], cwd=folder, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def new_key(folder, name):
    openssl(folder, "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", f"{name}.key")


class Authority:
    """A certificate authority with its files in a folder."""

    def __init__(self, folder, name="ca"):
        self.folder = folder
        self.name = name
        self.certificate = folder / f"{name}.pem"
        new_key(folder, name)
        openssl(folder, "req", "-x509", "-new", "-key", f"{name}.key", "-subj", f"/CN={name}", "-days", "2", "-out", f"{name}.pem")

    def issue(self, name, names=NAMES):
        """(certificate, key) for these names; a second call with the same name replaces the files."""
        folder = self.folder
        new_key(folder, f"{name}.new")
        (folder / f"{name}.ext").write_text(f"subjectAltName={names}\n")
        openssl(folder, "req", "-new", "-key", f"{name}.new.key", "-subj", f"/CN={name}", "-out", f"{name}.csr")
        openssl(
            folder, "x509", "-req", "-in", f"{name}.csr", "-CA", f"{self.name}.pem", "-CAkey", f"{self.name}.key",
            "-set_serial", str(int.from_bytes(os.urandom(8), "big")), "-days", "2", "-extfile", f"{name}.ext",
            "-out", f"{name}.new.pem",
        )  # fmt: skip
        (folder / f"{name}.new.key").rename(folder / f"{name}.key")
        (folder / f"{name}.new.pem").rename(folder / f"{name}.pem")
        return folder / f"{name}.pem", folder / f"{name}.key"

    def context(self):
        """A client's context that trusts this authority only and takes no cut for an end."""
        context = ssl.create_default_context(cafile=self.certificate)
        # Debian's Python sets it, and would take a cut for an end
        context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
        return context


def tls_flags(certificate, key):
    return ["--listen", "https://127.0.0.1:0", "--tls-certificate", certificate, "--tls-key", key]


def tls_url(server):
    """The address of the listener that tls_flags() added."""
    return "https://" + wait_for(lambda: server.addresses()[1:], what="the TLS listener")[0]


class TlsWire(Wire):
    """A Wire with TLS. A connection that ends without close_notify raises ssl.SSLEOFError."""

    def __init__(self, url, context, session=None, **options):
        url = url.replace("https://", "http://")
        super().__init__(url, **options)
        self.raw = self.socket
        try:
            self.socket = context.wrap_socket(
                self.raw, server_hostname=address_of(url)[0], session=session, suppress_ragged_eofs=False
            )
        except (OSError, ssl.SSLError):
            self.raw.close()
            raise

    @property
    def serial(self):
        """The peer's certificate's."""
        return self.socket.getpeercert()["serialNumber"]


class Upstream:
    """An HTTPS server that answers each request by answer(connection, head), which returns whether the connection goes
    on, and counts connections. Without a certificate it speaks plain TCP: the first bytes are the head."""

    def __init__(self, certificate, key, answer):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) if certificate else None
        if certificate:
            self.context.load_cert_chain(certificate, key)
        self.answer = answer
        self.accepted = 0
        self.resumed = 0
        self.names = []
        if self.context:
            self.context.sni_callback = lambda connection, name, context: self.names.append(name)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def close(self):
        # wakes accept() too
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                raw = self.listener.accept()[0]
                self.accepted += 1
                threading.Thread(target=self.serve, args=(raw,), daemon=True).start()

    def serve(self, raw):
        raw.settimeout(20)
        with raw, contextlib.suppress(OSError, ssl.SSLError):
            connection = self.context.wrap_socket(raw, server_side=True) if self.context else raw
            if self.context:
                self.resumed += connection.session_reused
            pending = b""
            while True:
                while b"\r\n\r\n" not in pending and (self.context or not pending):
                    data = connection.recv(65536)
                    if not data:
                        return
                    pending += data
                head, _, pending = pending.partition(b"\r\n\r\n")
                if not self.answer(connection, head):
                    connection.close()
                    return


def answer_json(connection, head):
    """Whatever is asked: a version, a list of nothing; the connection is kept."""
    body = b'{"version":"0.0.1","models":[]}'
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
    return True
