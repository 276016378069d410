"""Certificates of a small hospital, made with openssl: an authority, and peers that it issued certificates to."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from plugin.config.network_settings import Tls


def make_authority(folder: Path, name: str) -> Path:
    """Make an authority; return its certificate, beside which its key is."""
    certificate = folder / f"{name}.pem"
    _openssl(
        "req", "-x509", *_new_key(folder / f"{name}.key"), "-out", certificate, "-subj", f"/CN={name}", "-days", 30
    )
    return certificate


def issue(authority: Path, name: str, *, days: int = 90) -> Tls:
    """Issue a certificate for 127.0.0.1, which is at once over if ``days`` is negative."""
    folder = authority.parent
    request, certificate, key = (folder / f"{name}.{ending}" for ending in ("csr", "pem", "key"))
    _openssl("req", *_new_key(key), "-out", request, "-subj", f"/CN={name}")
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1\n", encoding="utf-8")
    signer = ("-CA", authority, "-CAkey", authority.with_suffix(".key"), "-CAcreateserial")
    _openssl("x509", "-req", "-in", request, *signer, "-days", days, "-extfile", folder / "names", "-out", certificate)
    return Tls(certificate=certificate, key=key, authorities=authority)


def _new_key(key: Path) -> tuple[object, ...]:
    return ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key)


def _openssl(*arguments: object) -> None:
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("openssl is not installed")
    subprocess.run([program, *map(str, arguments)], check=True, capture_output=True)
