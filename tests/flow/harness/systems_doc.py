"""What doc/systems.md tells its readers to type, for the tests that do so.

Its addresses are exchanged for others of the loopback network, where the tests may listen; the
ports stay.
"""

import pathlib
import random
import re
import shlex

DOC = pathlib.Path(__file__).parents[3] / "doc" / "systems.md"


def network():
    """The first three numbers of addresses of the loopback network that nobody else uses."""
    return "127.%d.%d" % (random.randint(64, 254), random.randint(0, 255))


def blocks(section, kind):
    """The texts in that section between ```kind and ```, in their order."""
    text = DOC.read_text()
    body, = re.findall(rf"^## {re.escape(section)}\n(.*?)(?=^## |\Z)", text, re.M | re.S)
    found = re.findall(rf"^```{kind}\n(.*?)^```\n", body, re.M | re.S)
    assert found, f"{DOC.name}: no {kind} in the section {section}"
    return found


def exchange(text, pairs):
    """Every one of these words for another, at once; each has to be there."""
    for word in pairs:
        assert word in text, f"{word} is not in: {text}"
    either = "|".join(map(re.escape, sorted(pairs, key=len, reverse=True)))
    return re.sub(rf"(?<![\w.])({either})(?![\w])(?!\.\d)", lambda m: pairs[m[1]], text)


def command(text):
    """Its words."""
    return shlex.split(text.replace("\\\n", " "))


def put(path, source):
    """The file appears whole, with the content of the other."""
    new = path.with_name(path.name + ".new")
    new.write_bytes(source.read_bytes())
    new.chmod(0o600)
    new.rename(path)
