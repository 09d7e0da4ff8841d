"""What a power loss leaves: reads the journal of faultlib and builds images of the directory.

Of each file everything up to its last sync is kept; of what was written later each page of 4 KiB is
there in one of the states that it had since, or not at all, by chance; so are changes of its
length. Names (created, removed, renamed) since the last sync of the directory are there or not:
"ordered", as by the journal of a file system, all up to some moment; or "loose", each by chance.
"""
import os
import pathlib
import struct

RECORD = struct.Struct("<IIQQ")
(WRITE, SYNC, LOST, SIZE, CREATE, UNLINK, RENAME, DIRSYNC, DSYNC) = range(1, 10)
PAGE = 4096


class File:
    """A file's durable pages, and what happened to it since: (end in the journal, op, …)."""

    def __init__(self):
        self.pages = {}
        self.size = 0
        self.pending = []

    def write(self, pages, size, at, data):
        """Writes into `pages`; the new size."""
        done = 0
        while done < len(data):
            page, start = divmod(at + done, PAGE)
            piece = data[done:done + PAGE - start]
            old = pages.get(page, bytes(PAGE))
            pages[page] = old[:start] + piece + old[start + len(piece):]
            done += len(piece)
        return max(size, at + len(data))

    def resize(self, pages, size):
        for page in [p for p in pages if p * PAGE >= size]:
            del pages[page]
        page, start = divmod(size, PAGE)
        if start and page in pages:
            pages[page] = pages[page][:start] + bytes(PAGE - start)
        return size

    def make_durable(self, before):
        rest = []
        for entry in self.pending:
            end, op, at, data = entry
            if end > before:
                rest.append(entry)
            elif op == WRITE:
                self.size = self.write(self.pages, self.size, at, data)
            else:
                self.size = self.resize(self.pages, at)
        self.pending = rest

    def make_durable_one(self, end):
        """An O_DSYNC write: its pages, with what was written to them before."""
        own = next((e for e in self.pending if e[0] == end), None)
        if not own:
            return
        self.pending.remove(own)
        self.size = self.write(self.pages, self.size, own[2], own[3])

    def lose(self, before, rng):
        """What had been written when a sync failed: on the disk or not, and clean for the kernel
        either way, so that no later sync writes it."""
        later = [entry for entry in self.pending if entry[0] > before]
        self.pending = [entry for entry in self.pending if entry[0] <= before]
        self.pages, self.size = self.after_loss(rng)
        self.pending = later

    def after_loss(self, rng):
        """(pages, size): each page that was written since the last sync in one of its states."""
        pages, size = dict(self.pages), self.size
        for _, op, at, data in self.pending:
            if op == SIZE:
                if rng.random() < 0.5:
                    size = self.resize(pages, at)
                continue
            done = 0
            while done < len(data):
                piece = data[done:done + PAGE - (at + done) % PAGE]
                if rng.random() < 0.5:
                    size = self.write(pages, size, at + done, piece)
                done += len(piece)
        return pages, size


class Journal:
    """Replays a journal. `initial`: a copy of the directory as it was when the journal began, and
    `inodes` by name, as they are in the journal."""

    def __init__(self, path, initial=None, inodes=None):
        self.data = memoryview(pathlib.Path(path).read_bytes())
        self.at = 0
        self.names, self.inodes = {}, {}  # name -> File, inode -> File: now
        self.durable_names = {}
        self.name_changes = []  # (end, function on a dictionary of names)
        for entry in pathlib.Path(initial).iterdir() if initial else ():
            file = File()
            data = entry.read_bytes()
            file.size = file.write(file.pages, 0, 0, data)
            self.names[entry.name] = self.inodes[inodes[entry.name]] = file
        self.durable_names = dict(self.names)

    def boundaries(self):
        """Where records end."""
        at, ends = 0, []
        while at + RECORD.size <= len(self.data):
            _, length, _, _ = RECORD.unpack_from(self.data, at)
            at += RECORD.size + length
            ends.append(at)
        return ends

    def change_names(self, end, change):
        change(self.names)
        self.name_changes.append((end, change))

    def names_before(self, before):
        for end, change in self.name_changes:
            if end <= before:
                change(self.durable_names)
        self.name_changes = [c for c in self.name_changes if c[0] > before]

    def advance(self, until, rng):
        """Replays all records that end at or before `until`."""
        while self.at + RECORD.size <= len(self.data):
            op, length, ino, offset = RECORD.unpack_from(self.data, self.at)
            end = self.at + RECORD.size + length
            if end > until:
                return
            data = bytes(self.data[self.at + RECORD.size:end])
            self.at = end
            self.apply(op, ino, offset, data, end, rng)

    def apply(self, op, ino, offset, data, end, rng):
        file = self.inodes.get(ino)
        if op == CREATE:
            file = self.inodes[ino] = File()
            name = data.decode()
            self.change_names(end, lambda names: names.__setitem__(name, file))
        elif op == UNLINK:
            self.change_names(end, lambda names: names.pop(data.decode(), None))
        elif op == RENAME:
            old, new = data.decode().split("\0")

            def rename(names):
                if old in names:
                    names[new] = names.pop(old)
            self.change_names(end, rename)
        elif op == DIRSYNC:
            self.names_before(offset)
        elif file is None:
            return
        elif op in (WRITE, SIZE):
            file.pending.append((end, op, offset, data))
        elif op == SYNC:
            file.make_durable(offset)
        elif op == DSYNC:
            file.make_durable_one(offset)
        elif op == LOST:
            file.lose(offset, rng)

    def image(self, directory, rng, order="ordered"):
        """Writes what a power loss now may leave to `directory`, which is new."""
        names = dict(self.durable_names)
        last = rng.choice([0, *(end for end, _ in self.name_changes)])
        for end, change in self.name_changes:
            kept = end <= last if order == "ordered" else rng.random() < 0.5
            if kept:
                change(names)
        os.makedirs(directory)
        for name, file in names.items():
            pages, size = file.after_loss(rng)
            with open(os.path.join(directory, name), "wb") as stream:
                for page, data in pages.items():
                    stream.seek(page * PAGE)
                    stream.write(data[:max(0, size - page * PAGE)])
                stream.truncate(size)
