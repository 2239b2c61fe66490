"""Inputs that bear the same SOP Instance UID: copies of one film, or different films?

Copying and anonymising break the rule that a UID names one image. What counts is the pixels:
inputs of equal pixels are copies, of which the first that can be read is graded; inputs of other
pixels are films of their own; and what cannot be read hides nobody.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from hoseg.batch.journal import Entry, RunJournal
from hoseg.batch.plan import Plan, Task, file_facts
from hoseg.dicom import Limits
from hoseg.dicom.archive import source_named
from hoseg.errors import InputError
from hoseg.radiograph import Note, Radiograph
from hoseg.reasons import Reason
from hoseg.report.schema import UID_REPEATED

TWIN_NOTE = Note(
    UID_REPEATED,
    "Other inputs bear the same SOP Instance UID with other pixels: each is taken for a film of "
    "its own.",
)

Probe = Callable[[Iterable[Task]], Iterator[tuple[Task, str]]]
"""Fingerprints of the decoded pixels of inputs, in any order; "" of one that cannot be read."""


@dataclass
class Chain:
    """Copies of one film: the first is done, the next only when that one could not be read.

    tasks: in the order of discovery
    known: name of an input that an earlier command read; "" when there is none
    """

    tasks: list[Task]
    known: str = ""

    def settle(self, failed: bool) -> Iterator[Task]:
        """Take the first task off, done now; yield the others as its duplicates if it was read."""
        first = self.tasks.pop(0)
        if not failed:
            self.known = first.source.name
            yield from self.duplicates()

    def duplicates(self) -> Iterator[Task]:
        """The tasks of the chain, refused as copies of the one that is known."""
        problem = (Reason.DUPLICATE.value, f"the same SOP instance as {self.known}")
        while self.tasks:
            task = self.tasks.pop(0)
            yield replace(task, source=replace(task.source, problem=problem), twin="")


def find_chains(plan: Plan, journal: RunJournal, probe: Probe) -> list[Chain]:
    """Sort out all inputs whose SOP Instance UID another input bears as well.

    Inputs that an earlier command put into the same folder count; those are not done again.
    """
    groups: list[list[_Content]] = []
    for uid, count in plan.uids():
        before = [entry for entry in journal.of_uid(uid) if entry.identity not in plan]
        if count + len(before) > 1:
            done = [_done(entry, -1 - len(groups)) for entry in before]
            here = [_Content(task, task.source.name) for task in plan.of_uid(uid)]
            groups.append([*done, *here])
    for content in (content for group in groups for content in group):
        _look_at_bytes(content, journal)
    _look_at_pixels(groups, journal, probe)
    return [chain for group in groups for chain in _chains(group)]


def fingerprint(frames: Iterable[Radiograph]) -> str:
    """The same for the same pixels, however they were encoded."""
    digest = hashlib.blake2b(digest_size=16)
    for frame in frames:
        pixels = frame.pixels
        digest.update(f"{pixels.shape} {pixels.dtype.str} {frame.display.inverted}".encode())
        digest.update(pixels.tobytes())
    return digest.hexdigest()


@dataclass
class _Content:
    """What an input holds.

    task: to read it by; None when it is no longer there
    is_done: an earlier command read it
    file: fingerprint of its bytes
    pixels: of its decoded pixels; None = not looked at, "" = cannot be read
    """

    task: Task | None
    name: str
    is_done: bool = False
    file: str = ""
    pixels: str | None = None


def _done(entry: Entry, position: int) -> _Content:
    """An input of an earlier command; its position is none of the plan's."""
    place = source_named(entry.identity)
    if place is None:
        return _Content(None, entry.source, is_done=True)
    source = replace(place, identity=entry.identity)
    return _Content(Task(source, position, file_facts(source)), entry.source, is_done=True)


def _look_at_bytes(content: _Content, journal: RunJournal) -> None:
    if content.task is None:
        content.file = f"gone {content.name}"
        return
    identity, facts = content.task.source.identity, content.task.facts
    content.file, content.pixels = journal.contents(identity, facts)
    if not content.file:
        try:
            data = content.task.source.read(Limits())
            content.file = hashlib.blake2b(data, digest_size=16).hexdigest()
        except InputError:
            content.file = f"unreadable {identity}"
        journal.note_contents(identity, facts, content.file, None)


def _look_at_pixels(groups: Iterable[list[_Content]], journal: RunJournal, probe: Probe) -> None:
    """Decode one of the inputs of equal bytes, where a group holds several of these."""
    asked: dict[str, list[_Content]] = {}
    wanted: list[Task] = []
    for group in groups:
        same: dict[str, list[_Content]] = {}
        for content in group:
            same.setdefault(content.file, []).append(content)
        for copies in same.values():
            known = next((c.pixels for c in copies if c.pixels is not None), None)
            for content in copies:
                content.pixels = known
            task = copies[0].task
            if known is None and task is not None and len(same) > 1:
                asked[task.source.identity] = copies
                wanted.append(task)
    for task, pixels in probe(wanted):
        for content in asked[task.source.identity]:
            content.pixels = pixels
            if content.task is not None:
                identity, facts = content.task.source.identity, content.task.facts
                journal.note_contents(identity, facts, content.file, pixels)


def _chains(group: list[_Content]) -> Iterator[Chain]:
    """The copies of each film of a group."""
    films: dict[str, list[_Content]] = {}
    for content in group:
        # Equal bytes need no look at the pixels; what cannot be read is told by its bytes.
        films.setdefault(content.pixels or content.file, []).append(content)
    readable = {key for key, copies in films.items() if copies[0].pixels != ""}
    for key, copies in films.items():
        tasks = [c.task for c in copies if c.task is not None and not c.is_done]
        if len(readable) > 1 and key in readable:
            tasks = [replace(task, twin=key[:8]) for task in tasks]
        known = next((content.name for content in copies if content.is_done), "")
        if tasks:
            yield Chain(tasks, known)
