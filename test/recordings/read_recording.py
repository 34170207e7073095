#!/usr/bin/env python3
"""Reads and verifies a sealed recording after docs/recording-format.md alone; shares no code with the gateway.

read_recording.py FILE PUBLIC_KEY_PEM [MASTER_KEY_FILE] prints what the seal says and, with a master key, the events.
Needs the package `cryptography`, and the program `zstd`.
"""
import base64
import hashlib
import json
import struct
import subprocess
import sys

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

KINDS = {1: "events", 2: "index", 3: "seal"}


def sha256(data):
    return hashlib.sha256(data).digest()


def hkdf(secret, salt, info):
    return HKDF(hashes.SHA256(), 32, salt, info).derive(secret)


def check(right, text):
    if not right:
        sys.exit(f"not proved: {text}")


def raw(public):
    return public.public_bytes(Encoding.Raw, PublicFormat.Raw)


def session_key(header, master):
    own = X25519PrivateKey.from_private_bytes(hkdf(master, None, b"sallyport recording recipient v1"))
    public = raw(own.public_key())
    wanted = hashlib.sha256(public).hexdigest()[:32]
    for copy in header["recipients"]:
        if copy["id"] == wanted:
            ephemeral = base64.b64decode(copy["ephemeral"])
            shared = own.exchange(X25519PublicKey.from_public_bytes(ephemeral))
            kek = hkdf(shared, ephemeral + public, b"sallyport recording key v1")
            return AESGCM(kek).decrypt(bytes(12), base64.b64decode(copy["wrapped"]), None)
    sys.exit("the recording does not open with this key")


def opened(key, preamble_hash, bound, body):
    content = AESGCM(key).decrypt(bound[32:44], body, preamble_hash + bound)
    if bound[5] == 1:
        content = subprocess.run(["zstd", "-dcq"], input=content, capture_output=True, check=True).stdout
    return content


def redaction(data, offset, signer, preamble_hash, sequence, body_hash):
    length, body_length = struct.unpack_from(">II", data, offset)
    at = offset + 8
    statement, signature = data[at : at + length], data[at + length : at + length + 64]
    signer.verify(signature, b"sallyport recording redaction v1\n" + preamble_hash + statement)
    at += length + 64
    replacement = data[at : at + 44 + body_length]
    said = json.loads(statement)
    check(said["sequence"] == sequence and said["body"] == body_hash.hex(), "a redaction of another chunk")
    check(said["replacement"] == sha256(replacement).hex(), "a redaction's replacement")
    return replacement[:44], replacement[44:], at + 44 + body_length


def read(data, signer, master):
    check(data[:8] == b"\x89SPREC\r\n" and struct.unpack_from(">HH", data, 8) == (1, 0), "no recording")
    start = 16 + struct.unpack_from(">I", data, 12)[0]
    header = json.loads(data[16:start])
    preamble_hash = previous = sha256(data[:start])
    key = session_key(header, master) if master else None
    offset, sequence, events, lines, seal = start, 0, 0, b"", None
    while offset < len(data):
        check(seal is None, f"bytes behind the seal at {offset}")
        check(offset + 177 <= len(data), "the end is missing")
        state, head, signature = data[offset], data[offset + 1 : offset + 113], data[offset + 113 : offset + 177]
        signer.verify(signature, b"sallyport recording chunk v1\n" + preamble_hash + sha256(head))
        magic, kind, _, zero, count, length, _, _ = struct.unpack_from(">4sBBHIIQQ", head)
        check(magic == b"SPCH" and zero == 0, f"no chunk at {offset}")
        check(struct.unpack_from(">I", head, 44)[0] == sequence, f"chunk {sequence} is not at {offset}")
        check(head[48:80] == previous, f"the chain breaks at {offset}")
        bound, at = head[:44], offset + 177
        if state == 0:
            body = data[at : at + length]
            check(len(body) == length, "the end is missing")
            check(sha256(body) == head[80:112], f"the body at {at} was changed")
            offset = at + length
        else:
            check(state == 1, f"the state at {offset}")
            bound, body, offset = redaction(data, at, signer, preamble_hash, sequence, head[80:112])
        if KINDS.get(kind) == "seal":
            seal = json.loads(body)
            check(seal["chunks"] == sequence and seal["events"] == events, "the seal")
        elif KINDS.get(kind) == "events":
            events += count
            lines += opened(key, preamble_hash, bound, body) if key and body else b""
        elif key:
            json.loads(opened(key, preamble_hash, bound, body))
        sequence, previous = sequence + 1, sha256(head)
    check(seal is not None, "the seal is missing")
    return header, seal, lines


def main():
    with open(sys.argv[1], "rb") as file:
        data = file.read()
    with open(sys.argv[2], "rb") as file:
        signer = serialization.load_pem_public_key(file.read())
    master = None
    if len(sys.argv) > 3:
        with open(sys.argv[3], encoding="ascii") as file:
            master = base64.b64decode(file.readline())
    header, seal, lines = read(data, signer, master)
    print(json.dumps({"session": header["session"], "seal": seal}))
    sys.stdout.flush()
    sys.stdout.buffer.write(lines)


if __name__ == "__main__":
    main()
