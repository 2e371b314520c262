#!/usr/bin/env python3
"""Runs the program `paillier` as a person would: paillier.py PROGRAM

Reads tests/fixtures/phe, which python-paillier wrote (tests/oracles/phe_files.py). Where phe can be imported the two
programs also exchange fresh keys and ciphertexts.
"""
import json
import math
import os
import pathlib
import pty
import stat
import subprocess
import sys
import tempfile
from fractions import Fraction

PROGRAM = sys.argv[1]
FIXTURES = pathlib.Path(__file__).resolve().parent.parent / "fixtures/phe"
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PRIVET_PASSPHRASE"}


def run(*words, status=0, passphrase=None, folder=None):
    environment = ENVIRONMENT if passphrase is None else {**ENVIRONMENT, "PRIVET_PASSPHRASE": passphrase}
    done = subprocess.run([PROGRAM, *map(str, words)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, env=environment, cwd=folder)
    assert done.returncode == status, (words, done.returncode, done.stdout, done.stderr)
    return done.stdout if status == 0 else done.stdout + done.stderr


def refused(*words, why, status=1, **more):
    said = run(*words, status=status, **more)
    assert why in said, (words, said)


def numbers(text):
    return [float(line) for line in text.split()]


def decrypted(private, *files, **more):
    return numbers(run("decrypt", "--private-key", private, *files, **more))


def same(a, b):
    assert len(a) == len(b) and all(x == y for x, y in zip(a, b)), (a, b)


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def changed(path, at, folder):
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    other = folder / f"changed_{at}_{path.name}"
    other.write_bytes(data)
    other.chmod(0o600)
    return other


def check_fixtures(folder):
    """What phe wrote, read; what phe computed, computed."""
    for bits in 2048, 3072:
        private, public = FIXTURES / f"private_{bits}.json", FIXTURES / f"public_{bits}.json"
        made = json.loads((FIXTURES / f"ciphertexts_{bits}.json").read_text())

        def file(name, row):
            path = folder / f"{name}.json"
            path.write_text(json.dumps({"v": row["v"], "e": row["e"]}))
            return path

        for rows in made.values():
            files = [file(f"row_{i}", row) for i, row in enumerate(rows)]
            same(decrypted(private, *files), [row["x"] for row in rows])
            several = folder / "several.json"
            several.write_text(json.dumps([{"v": row["v"], "e": row["e"]} for row in rows]))
            same(decrypted(private, several), [row["x"] for row in rows])

        files = [file(f"number_{i}", row) for i, row in enumerate(made["numbers"])]
        out = folder / "out.json"
        for row in made["sums"]:
            run("add", "--format", "phe", "--public-key", public, files[row["a"]], files[row["b"]], "--out", out)
            found = json.loads(out.read_text())
            assert found.keys() == {"v", "e"} and found["e"] == row["e"] and found["v"] != row["v"], row
            same(decrypted(private, out), [row["x"]])
        for row in made["products"]:
            run("scale", "--public-key", public, files[row["a"]], "--by", row["w"], "--out", out)
            same(decrypted(private, out), [row["x"]])
        run("sum", "--public-key", public, *files, "--out", out)
        total = decrypted(private, out)[0]
        exact = math.fsum(row["x"] for row in made["numbers"])
        assert abs(total - exact) <= 1e-15 * abs(exact), (total, exact)

        # The same secrets in privet's form, and back.
        assert json.loads(public.read_text())["n"] == json.loads(private.read_text())["pub"]["n"]
        run("extract-public", private, "--out", folder / "again.json")
        assert json.loads((folder / "again.json").read_text())["n"] == json.loads(public.read_text())["n"]
        run("extract-public", private, "--format", "privet", "--out", folder / "binary.pub")
        run("encrypt", "--public-key", folder / "binary.pub", "--out", folder / "binary.c", "--", "0.1", "-7")
        assert run("decrypt", "--private-key", private, folder / "binary.c") == "0.1\n-7\n"
        run("add", "--public-key", public, folder / "binary.c", folder / "binary.c", "--out", out)
        assert json.loads(out.read_text())[1]["e"] == -32
        same(decrypted(private, out), [0.2, -14])
        (folder / "binary.pub").unlink()


def check_own(folder):
    """privet's own form from key to sum, by the commands of the documentation."""
    key, public = folder / "office.key", folder / "office.pub"
    phrase = folder / "phrase"
    phrase.write_text("correct horse battery\nanything\n")
    phrase.chmod(0o600)
    run("keygen", "--key-bits", 2048, "--out", key, "--passphrase-file", phrase)
    assert mode(key) == 0o600 and key.read_bytes()[:8] == b"PRIVETSF"
    refused("extract-public", key, "--out", public, why="sealed under a passphrase")
    refused("extract-public", key, "--out", public, why="wrong passphrase", passphrase="correct horse")
    assert not public.exists()
    run("extract-public", key, "--out", public, passphrase="correct horse battery")
    assert mode(public) & 0o077 == 0o666 & ~umask() & 0o077
    phrase.chmod(0o644)
    refused("extract-public", key, "--out", public, "--passphrase-file", phrase, why="expected mode 0600")
    phrase.chmod(0o600)
    for at in range(0, key.stat().st_size, 29):  # header, kind, secret, tag
        said = run("extract-public", changed(key, at, folder), "--out", folder / "never", "--passphrase-file", phrase, status=1)
        assert "N0" in said and not (folder / "never").exists()

    a, b, c = folder / "a", folder / "b", folder / "c"
    values = ["1", "-2.5", "0.1", "1e-300", "-123456789012345678901234567890", "0", "1e100"]
    run("encrypt", "--public-key", public, "--out", a, "--", *values)
    run("encrypt", "--public-key", public, "--out", b, "--", *values)
    assert a.read_bytes() != b.read_bytes() and len(a.read_bytes()) == len(b.read_bytes())
    opened = run("decrypt", "--private-key", key, a, "--passphrase-file", phrase).split("\n")
    assert opened[4] == "-123456789012345678901234567890", opened
    same([float(x) for x in opened[:-1]], [float(v) for v in values])

    def decrypt(*files):
        return decrypted(key, *files, "--passphrase-file", phrase)

    def times(factor):  # exactly, then rounded once
        exact = [Fraction(int(v) if v.lstrip("-").isdigit() else float(v)) for v in values]
        return [float(x * Fraction(factor)) for x in exact]

    run("add", "--public-key", public, a, b, a, "--out", c)
    same(decrypt(c), times(3))
    first = c.read_bytes()
    run("add", "--public-key", public, a, b, a, "--out", c)
    assert first != c.read_bytes()  # under fresh obfuscators
    for words in [["--by", "-0.5"], ["--", "-0.5"]]:
        run("scale", "--public-key", public, a, "--out", c, *words)
        same(decrypt(c), times(-0.5))
    run("scale", "--public-key", public, a, "3", "--out", c)
    same(decrypt(c)[:2], [3, -7.5])
    run("scale", "--public-key", public, a, "0", "--out", c)
    same(decrypt(c), [0] * 7)
    run("encrypt", "--public-key", public, "--out", a, "5", "--", "-3")
    run("sum", "--public-key", public, a, a, "--out", c)
    same(decrypt(c), [4])
    run("encrypt", "--public-key", public, "--out", a, *range(70))  # enough for the fast way
    run("sum", "--public-key", public, a, "--out", c)
    same(decrypt(c), [69 * 35])

    check_mistakes(folder, key, public, phrase, a)


def check_mistakes(folder, key, public, phrase, a):
    never = folder / "never"

    def fails(*words, why, status=1):
        refused(*words, why=why, status=status)
        assert not never.exists(), words

    for value in ["nan", "inf", "-inf", "1e999", "x", "", "1 2", "0x10"]:
        fails("encrypt", "--public-key", public, "--out", never, "--", value, why="expected a number")
    fails("encrypt", "--public-key", public, "--out", never, "--", "1" + "0" * 600, why="max_int")
    fails("encrypt", "--public-key", public, "--out", never, why="no value")
    fails("encrypt", "--public-key", key, "--out", never, "1", why="is no Paillier file")  # a sealed secret key
    fails("encrypt", "--public-key", FIXTURES / "private_2048.json", "--out", never, "1", why="is a private key")
    fails("encrypt", "--public-key", folder / "nowhere", "--out", never, "1", why="cannot open")
    fails("decrypt", "--private-key", public, a, why="is a public key, expected a secret key")
    other = FIXTURES / "public_2048.json"
    fails("add", "--public-key", other, a, a, "--out", never, why="made under the key")
    for command in "add", "sum":
        fails(command, "--public-key", public, "--out", never, why="no file of encrypted numbers")
    fails("decrypt", "--private-key", FIXTURES / "private_2048.json", why="no file of encrypted numbers")
    fails("add", "--public-key", public, a, why="--out is required", status=2)
    fails("scale", "--public-key", public, a, "--out", never, why="expected one")
    fails("scale", "--public-key", public, a, "--by", "two", "--out", never, why="expected a number")

    cut = folder / "cut"
    for size in [0, 7, 8, 40, 52, 60, 1000, a.stat().st_size - 1]:
        cut.write_bytes(a.read_bytes()[:size])
        fails("sum", "--public-key", public, cut, "--out", never, why="[N004 format]")
    few = folder / "few"
    run("encrypt", "--public-key", public, "--out", few, "1")
    fails("add", "--public-key", public, a, few, "--out", never, why="expected 70")

    n = int.from_bytes(public.read_bytes()[56:], "little")
    bad = folder / "bad.json"
    for v in [0, n, 2 * n, n * n, n * n + 1, n * (n - 1)]:
        bad.write_text(json.dumps({"v": str(v), "e": 0}))
        fails("sum", "--public-key", public, bad, "--out", never, why="[N004 format]")
    for text in ["{}", "[1]", '{"v": 1, "e": 0}', '{"v": "1", "e": "0"}', '{"v": "1", "e": 1e3}', '{"v": "-1", "e": 0}',
                 '{"v": "1", "e": 99999999}', '{"v": "1"', "{" * 5000]:
        bad.write_text(text)
        fails("sum", "--public-key", public, bad, "--out", never, why="[N004 format]")
    # Exponents so far apart that no sum of them fits.
    (folder / "far.json").write_text(json.dumps([{"v": "2", "e": 0}, {"v": "2", "e": -60000}]))
    fails("sum", "--public-key", public, folder / "far.json", "--out", never, why="max_int")

    pub = json.loads(other.read_text())
    for name, member, value, why in [("type", "kty", "RSA", "expected 'DAJ'"), ("size", "n", pub["n"][:100], "bits"),
                                     ("even", "n", pub["n"][:-2] + "AA", "even"), ("text", "n", "!" * 300, "base64url")]:
        path = folder / f"{name}.json"
        path.write_text(json.dumps({**pub, member: value}))
        fails("encrypt", "--public-key", path, "--out", never, "1", why=why)
    private = json.loads((FIXTURES / "private_2048.json").read_text())
    swapped = folder / "swapped.json"
    swapped.write_text(json.dumps({**private, "pub": json.loads((FIXTURES / "public_3072.json").read_text())}))
    fails("extract-public", swapped, "--out", never, why="N004")
    swapped.write_text(json.dumps({**private, "q": private["p"]}))
    fails("extract-public", swapped, "--out", never, why="N004")

    fails("keygen", "--out", key, why="already", status=1)
    fails("keygen", "--key-bits", 1024, "--out", never, why="1024", status=2)
    fails("keygen", "--format", "phe", "--passphrase-file", phrase, "--out", never, why="no passphrase")
    fails("keygen", "--out", folder / "none" / "key", why="No such file")
    fails("kegen", why="'keygen'", status=2)
    fails("keygen", "--fromat", "phe", "--out", never, why="'--format'", status=2)
    assert "extract-public" in run("--help") and "--key-bits" in run("keygen", "--help")
    refused(why="usage", status=2)


def check_phe_form(folder):
    """A key of ours in python-paillier's form."""
    key, public, c = folder / "k.json", folder / "p.json", folder / "c.json"
    run("keygen", "--format", "phe", "--key-bits", 2048, "--out", key)
    assert mode(key) == 0o600
    jwk = json.loads(key.read_text())
    assert jwk["kty"] == "DAJ" and jwk["key_ops"] == ["decrypt"] and jwk["pub"]["alg"] == "PAI-GN1"
    run("extract-public", key, "--format", "phe", "--out", public)
    assert json.loads(public.read_text()) == jwk["pub"]
    run("encrypt", "--format", "phe", "--public-key", public, "--out", c, "--", "-3.25")
    assert json.loads(c.read_text())["e"] == -32
    assert run("decrypt", "--format", "phe", "--private-key", key, c) == "-3.25\n"
    return key, public


def on_terminal(words, answers):
    """What the program says on a terminal where somebody answers its questions, and its exit status."""
    child, terminal = pty.fork()
    if child == 0:
        os.execve(PROGRAM, [PROGRAM, *map(str, words)], ENVIRONMENT)
    said, waiting = b"", list(answers)
    while True:
        try:
            piece = os.read(terminal, 4096)
        except OSError:  # the program has closed its end
            break
        if not piece:
            break
        said += piece
        if waiting and said.endswith(b": "):
            os.write(terminal, waiting.pop(0).encode() + b"\n")
    os.close(terminal)
    return said.decode(), os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def check_terminal(folder):
    """Passphrases that are typed: twice for a new key, and never shown."""
    key, public = folder / "typed.key", folder / "typed.pub"
    new = ["keygen", "--key-bits", 2048, "--out", key]
    said, status = on_terminal(new, ["rosebud one", "rosebud two"])
    assert status == 1 and "differ" in said and not key.exists(), said
    said, status = on_terminal(new, ["rosebud one", "rosebud one"])
    assert status == 0 and "The same again" in said and "rosebud" not in said, said
    assert key.read_bytes()[:8] == b"PRIVETSF"
    said, status = on_terminal(["extract-public", key, "--out", public], ["rosebud two"])
    assert status == 1 and "wrong passphrase" in said and "rosebud" not in said and not public.exists(), said
    said, status = on_terminal(["extract-public", key, "--out", public], ["rosebud one"])
    assert status == 0 and "rosebud" not in said and public.exists(), said
    key.unlink()
    said, status = on_terminal(new, [""])
    assert status == 0 and "not sealed" in said and key.read_bytes()[:8] == b"PRIVETPF", said


def check_live(folder, key, public):
    try:
        import phe
        from phe.util import base64_to_int
    except ImportError:
        print("left out: fresh keys and ciphertexts of python-paillier (pip install phe)")
        return

    def load(jwk):
        pub = phe.PaillierPublicKey(base64_to_int(jwk["pub"]["n"]))
        return pub, phe.PaillierPrivateKey(pub, base64_to_int(jwk["p"]), base64_to_int(jwk["q"]))

    def read(path, pub):
        rows = json.loads(path.read_text())
        rows = rows if isinstance(rows, list) else [rows]
        return [phe.EncryptedNumber(pub, int(row["v"]), row["e"]) for row in rows]

    def write(path, number):
        path.write_text(json.dumps({"v": str(number.ciphertext()), "e": number.exponent}))
        return path

    values = [3.25, -0.1, 1e6, -7e-9, 0.0, 123456.789]
    ours = load(json.loads(key.read_text()))
    fresh = phe.generate_paillier_keypair(n_length=2048)
    theirs = folder / "theirs.json"
    theirs.write_text(json.dumps(
        {"kty": "DAJ", "key_ops": ["decrypt"], "p": phe.util.int_to_base64(fresh[1].p), "kid": "live",
         "q": phe.util.int_to_base64(fresh[1].q),
         "pub": {"kty": "DAJ", "alg": "PAI-GN1", "key_ops": ["encrypt"], "n": phe.util.int_to_base64(fresh[0].n), "kid": "live"}}))
    theirs.chmod(0o600)
    run("extract-public", theirs, "--out", folder / "theirs_pub.json")
    for (pub, private), private_file, public_file in [(ours, key, public), (fresh, theirs, folder / "theirs_pub.json")]:
        c, r = folder / "live.json", folder / "result.json"
        run("encrypt", "--public-key", public_file, "--out", c, "--", *values)  # we encrypt
        encrypted = read(c, pub)
        same([private.decrypt(number) for number in encrypted], values)  # it decrypts
        files = [write(folder / f"live_{i}.json", pub.encrypt(x)) for i, x in enumerate(values)]
        same(decrypted(private_file, *files), values)  # and the other way round

        for i in range(len(values) - 1):
            run("add", "--public-key", public_file, files[i], files[i + 1], "--out", r)
            expected = private.decrypt(read(files[i], pub)[0] + read(files[i + 1], pub)[0])
            same([private.decrypt(read(r, pub)[0])], [expected])
        for w in [2, -3, 0.25, -1e-3, 1e5]:
            run("scale", "--public-key", public_file, c, "--by", w, "--out", r)
            same([private.decrypt(x) for x in read(r, pub)], [private.decrypt(x * w) for x in encrypted])
        run("sum", "--public-key", public_file, c, *files, "--out", r)
        expected = private.decrypt(sum(encrypted[1:], encrypted[0]) + sum(read(f, pub)[0] for f in files))
        same([private.decrypt(read(r, pub)[0])], [expected])
    print("python-paillier agrees, live")


def umask():
    value = os.umask(0o022)
    os.umask(value)
    return value


with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    check_fixtures(folder)
    check_own(folder)
    check_terminal(folder)
    key, public = check_phe_form(folder)
    check_live(folder, key, public)
    plain = folder / "plain.key"  # without a passphrase, where nobody can be asked
    run("keygen", "--key-bits", 2048, "--out", plain)
    assert mode(plain) == 0o600 and plain.read_bytes()[:8] == b"PRIVETPF"
    run("extract-public", plain, "--out", folder / "plain.pub")
    run("encrypt", "--public-key", folder / "plain.pub", "--out", folder / "plain.c", "--", "-1.5")
    assert run("decrypt", "--private-key", plain, folder / "plain.c") == "-1.5\n"
print("paillier: all good")
