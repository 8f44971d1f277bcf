"""Where certificates lie, and the ways in which they are delivered there."""

import os
import shutil


class Plain:
    """tls.crt and tls.key in a folder, changed one after the other by whoever copies them."""

    def __init__(self, folder, pair):
        self.folder = folder
        folder.mkdir()
        folder.chmod(0o755)
        self.cert, self.key = folder / "tls.crt", folder / "tls.key"
        self.rename_both(pair)

    def rename(self, path, content, mode=0o644):
        """The new file appears whole."""
        new = self.folder / (path.name + ".new")
        new.write_bytes(content)
        new.chmod(mode)
        new.rename(path)

    def rename_both(self, pair):
        self.rename(self.key, pair.key)
        self.rename(self.cert, pair.cert)

    @staticmethod
    def rewrite(path, content):
        """The same file, cut to nothing and written anew."""
        with open(path, "wb") as f:
            f.write(content)

    @staticmethod
    def append(path, content):
        with open(path, "ab") as f:
            f.write(content)


class Kubelet:
    """A mounted secret: tls.crt -> ..data/tls.crt, and ..data -> a folder of that time."""

    def __init__(self, folder, **contents):
        self.folder, self.count = folder, 0
        folder.mkdir()
        folder.chmod(0o755)
        self.publish(**contents)
        for name in contents:
            (folder / name).symlink_to(f"..data/{name}")

    def publish(self, **contents):
        """All names change in one rename; then the folder of before goes."""
        self.count += 1
        before = os.readlink(self.folder / "..data") if self.count > 1 else None
        stamp = f"..2026_01_01_00_00_00.{self.count:09}"
        made = self.folder / stamp
        made.mkdir()
        made.chmod(0o755)
        for name, content in contents.items():
            (made / name).write_bytes(content)
            (made / name).chmod(0o644)
        (self.folder / "..data_tmp").symlink_to(stamp)
        (self.folder / "..data_tmp").rename(self.folder / "..data")
        if before:
            shutil.rmtree(self.folder / before)
