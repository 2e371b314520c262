#!/usr/bin/env python3
"""A sealed file and a signature made without libsodium: sealed_file.py

Writes tests/fixtures/sealed/ by the pages docs/crypto/sealed_file.md and signing.md, with argon2-cffi (the reference
Argon2) and pycryptodome (XChaCha20-Poly1305, Ed25519).
"""
import json
import pathlib
import struct

from argon2.low_level import Type, hash_secret_raw
from Crypto.Cipher import ChaCha20_Poly1305
from Crypto.PublicKey import ECC
from Crypto.Signature import eddsa

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "fixtures/sealed"


def sealed(kind, secret, passphrase, passes, memory):
    salt, nonce = bytes(range(16)), bytes(range(100, 124))
    header = b"PRIVETSF" + struct.pack("<IIQ", 1, passes, memory) + salt + nonce + bytes([len(kind)]) + kind
    key = hash_secret_raw(passphrase, salt, passes, memory // 1024, 1, 32, Type.ID)
    cipher = ChaCha20_Poly1305.new(key=key, nonce=nonce)
    cipher.update(header)
    body, tag = cipher.encrypt_and_digest(secret)
    return header + body + tag


def signed(seed, purpose, message):
    key = ECC.construct(curve="Ed25519", seed=seed)
    whole = b"privet signature 1" + bytes([len(purpose)]) + purpose + message
    return {"seed": seed.hex(), "public": key.public_key().export_key(format="raw").hex(), "purpose": purpose.decode(),
            "message": message.hex(), "signature": eddsa.new(key, "rfc8032").sign(whole).hex()}


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "secret.sealed").write_bytes(
        sealed(b"test-secret", b"what only the owner knows", "кактус and horse".encode(), 2, 8 << 20))
    # The seed and public key of RFC 8032, section 7.1, test 1.
    seed = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    rows = [signed(seed, b"encrypted-update", m) for m in [b"", b"round 3", bytes(range(256)) * 5]]
    rows.append(signed(seed[::-1], b"x" * 255, b"y"))
    assert rows[0]["public"] == "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    (FOLDER / "signed.json").write_text(json.dumps(rows, indent=1) + "\n")


main()
