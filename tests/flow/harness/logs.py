"""Log lines to dictionaries: the fields, and "time", "level", "message"."""

import json
import re

_TEXT = re.compile(r"(?P<time>\d{4}-\d\d-\d\dT[\d:.]+Z) (?P<level>\w+) +(?P<rest>.*)")
_FIELD = re.compile(r' (?P<key>[a-z0-9_]+)=(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<bare>[^ "]+))')

def _unquote(text):
    """Only quotes are undone. What may not stand in a log stays \\xNN, and a backslash double: so
    it is in JSON's values too."""
    return text.replace('\\"', '"')


def parse(line):
    """None for what is no log line (a sanitizer's report, say)."""
    if line.startswith("{"):
        record = json.loads(line)
        return {k: v if isinstance(v, str) else str(v) for k, v in record.items()}
    head = _TEXT.fullmatch(line)
    if head is None:
        return None
    rest, fields = head["rest"], {}
    # Fields stand at the end; the message is what is left of the first of them.
    tail = re.search(r'(?: [a-z0-9_]+=(?:"(?:[^"\\]|\\.)*"|[^ "]+))+$', rest)
    if tail is not None:
        for m in _FIELD.finditer(tail.group(0)):
            fields[m["key"]] = _unquote(m["quoted"]) if m["bare"] is None else m["bare"]
        rest = rest[:tail.start()]
    return {**fields, "time": head["time"], "level": head["level"], "message": rest}
