"""TLS certificates for tests, made with openssl: a CA and what it signs."""

import os
import subprocess

_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


class Authority:
    """A certificate authority in `folder`; its certificate is `ca`."""

    def __init__(self, folder, name="test CA"):
        self._folder = str(folder)
        os.makedirs(self._folder, exist_ok=True)
        self.ca = self._path("ca.pem")
        self._openssl("req", "-x509", *_KEY, "-keyout", self._path("ca.key"), "-out", self.ca, "-subj", f"/CN={name}",
                      "-days", "30", "-addext", "basicConstraints=critical,CA:TRUE",
                      "-addext", "keyUsage=critical,keyCertSign,cRLSign")

    def _path(self, name):
        return os.path.join(self._folder, name)

    @staticmethod
    def _openssl(*args):
        done = subprocess.run(["openssl", *args], capture_output=True, text=True, check=False, timeout=60)
        if done.returncode != 0:
            raise RuntimeError(f"openssl {args[0]}: {done.stderr}")

    def sign(self, stem, names="DNS:localhost", days=30):
        """(certificate, key) with these subjectAltNames and a common name that is nobody's. days=-1 has expired."""
        key, request, extensions, certificate = (self._path(stem + end) for end in (".key", ".csr", ".ext", ".pem"))
        self._openssl("req", *_KEY, "-keyout", key, "-out", request, "-subj", "/CN=nobody.invalid")
        with open(extensions, "w", encoding="ascii") as f:
            f.write(f"subjectAltName={names}\nbasicConstraints=CA:FALSE\n")
        self._openssl("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", self._path("ca.key"), "-CAcreateserial",
                      "-days", str(days), "-extfile", extensions, "-out", certificate)
        return certificate, key
