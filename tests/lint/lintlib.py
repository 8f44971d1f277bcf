"""What the lints share: the tree they look at, and how they say what they found."""
import pathlib
import sys

SKIPPED = {".git", "autom4te.cache", "build-aux", "__pycache__", ".pytest_cache"}


class Lint:
    """One run of one lint over one tree (the first argument, or the tree it lies in)."""

    def __init__(self):
        here = pathlib.Path(sys.argv[0]).resolve()
        self.name = here.name
        self.root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else here.parents[2])
        self.problems = 0

    def files(self, folder, *suffixes):
        """Files below a folder (or that one file), as (path relative to the tree, text)."""
        top = self.root / folder
        for path in [top] if top.is_file() else sorted(top.rglob("*")):
            relative = path.relative_to(self.root)
            if SKIPPED & set(relative.parts) or not path.is_file():
                continue
            if path.suffix in suffixes:
                yield str(relative), path.read_bytes().decode("utf-8", "replace")

    def error(self, where, what):
        self.problems += 1
        print(f"{where}: error: {what}")

    def notice(self, where, what):
        print(f"{where}: notice: {what}")

    def finish(self, looked_at):
        """The last line, and the exit status."""
        print(f"{self.name}: {looked_at}, {self.problems} problems")
        sys.exit(1 if self.problems else 0)
