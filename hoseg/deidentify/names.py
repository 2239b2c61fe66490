"""Names of people, and whether a text holds one of them.

A name is looked for as whole words where words have edges (a digit, an underscore and a change
from small to capital letters are edges too), and anywhere in a run of letters where they have
none: in Chinese, Japanese, Korean and Thai, and where a name is too long to be part of a word.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import pairwise

from hoseg.deidentify.spelling import (
    EAST_ASIAN,
    UNSPACED,
    fold,
    is_latin,
    readings,
    runs,
    script_of,
    spellings,
    spelt_out,
    vocabulary,
    without_digraphs,
)

_FAMILY, _MIDDLE = 0, 2  # components of a PN value, PS3.5 6.2.1: family, given, middle, ...
_WITHIN = 7  # letters from which on a name is no part of another word
_INFLECTED = 4  # letters of a stem that takes endings
_LONGEST_ENDING = 3

_TITLES = vocabulary(
    """dr drs prof mr mrs ms miss herr frau med dent dipl ing mme mlle sr sra don dona sir lady
    md phd bsc msc jr sen ii iii iv rn dds esq"""
)
_PARTICLES = vocabulary(
    """von van vom zum zur der den dem de del della di da do dos das du des la le les el al
    ter ten bin ibn bint ben und y e i und of the"""
)
# What stands in Patient's Name where no name is.
_NOBODY = vocabulary(
    """anonymous anonymized anonymised anon unknown unnamed noname none null nil na test tester
    testpatient patient phantom dummy sample demo example hip hips pelvis pelvic femur knee
    left right name male female sim simulated"""
)
# What follows a name of one character: forms of address, and particles of Korean.
_ADDRESSED = vocabulary(
    """씨 님 군 양 선생 선생님 환자 환자분 교수 교수님 의사 의 은 는 이 가 을 를 과 와 에게
    先生 女士 小姐 太太 氏 様 さん くん ちゃん 君 殿 医生 醫生 教授 医師 主任 护士"""
)
# Written in one word with what follows: and, in, for, the, ...
_BEFORE = {"ARABIC": re.compile("[وفبكل]?(?:ال)?"), "HEBREW": re.compile("[והבלמשכ]{1,2}")}
_LONGEST_BEFORE = 3
_ENDS = {"CYRILLIC": "аеёиоуыэюяійь", "GREEK": "αεηιουωσ"}  # what declension replaces


@dataclass
class Names:
    """Names to look for, folded and without case.

    words: found as whole words
    parts: found anywhere within a run of letters
    stems: found at the beginning of a word that is at most three letters longer
    raw: bytes of names in an encoding that nobody knows, found as they stand
    """

    words: set[str] = field(default_factory=set)
    parts: set[str] = field(default_factory=set)
    stems: set[str] = field(default_factory=set)
    raw: set[bytes] = field(default_factory=set)

    def add(self, stated: str, raw: bytes | None = None) -> None:
        """Add a value of a PN element: up to three groups of up to five components.

        stated: as the file's character set has it
        raw: its bytes, if they are known
        """
        likely, possible = ([stated], []) if raw is None else readings(raw, stated)
        for text in likely:
            self._add_reading(text.split("="))
        if raw is None or not all(map(is_latin, likely)):
            return
        for text in possible:  # what is read as Latin may be anything
            self._add_reading([_foreign(group) for group in text.split("=")])
        if possible:
            pieces = (piece.strip() for piece in re.split(rb"[\^=\\]", raw))
            self.raw |= {p for p in pieces if not p.isascii() and len(p) > 2}

    def found_in(self, text: str) -> bool:
        """Whether a text holds any of the names."""
        return any(self._found(spelling) for spelling in spellings(text))

    def found_in_bytes(self, raw: bytes) -> bool:
        """Whether a value holds the bytes of a name, whatever they mean."""
        return any(piece in raw for piece in self.raw)

    def _add_reading(self, groups: list[str]) -> None:
        for group in groups:
            for spelt in (fold, spelt_out):
                self._add_group([_words_of(spelt(part)) for part in group.split("^")])

    def _add_group(self, components: list[list[str]]) -> None:
        if all(word.casefold() in _NOBODY for words in components for word in words):
            return
        alone = sum(map(bool, components)) == 1
        for place, words in enumerate(components):
            if len(words) > 1:
                self._add_word("".join(words), place)
            for word in words:
                if not _says_nothing(word, place, len(words)):
                    self._add_word(word, place)
                    self.words |= {part.casefold() for part in _camel(word) if len(part) > 2}
                    if alone:
                        self._add_halves(word)
            if alone and len(words) == 2:
                self._add_joined(*words)
        family, given = ("".join(words) for words in [*components, [], []][:2])
        if family and given:
            self._add_joined(family, given)

    def _add_joined(self, family: str, given: str) -> None:
        """Both names in one word, as in "SMITHERSWAYLON" and "wsmithers"."""
        pairs = [family + given, given + family]
        if script_of(family[0]) not in UNSPACED and len(family) > 2:
            pairs += [given[0] + family, family + given[0]]
        for pair in pairs:
            self._add_word(pair, _FAMILY)

    def _add_halves(self, name: str) -> None:
        """Family and given name of a name that is written in one, as "王小东" and "山田太郎"."""
        if not all(letter > "\u30ff" and script_of(letter) in UNSPACED for letter in name):
            return
        if len(name) > 2:
            self.parts |= {name[:2], name[-2:]} if script_of(name[0]) == EAST_ASIAN else {name[-2:]}
        if len(name) > 1:
            self.words.add(name[0])

    def _add_word(self, word: str, place: int) -> None:
        low, script = word.casefold(), script_of(word[0])
        if script in UNSPACED:
            anywhere = len(low) > 1 or (script == EAST_ASIAN and place == _FAMILY)
            (self.parts if anywhere else self.words).add(low)
            return
        self.words.add(low)
        if len(low) >= _WITHIN:
            self.parts.add(low)
        if script == "LATIN" and len(low) > 4:
            self.words.add(without_digraphs(low))
        elif script == "ARABIC" and low.startswith("ال") and len(low) > 4:
            self.words.add(low[2:])
        elif script == "GREEK" and len(low) > 3 and low.endswith("σ"):
            self.words |= {low[:-1], re.sub("οσ$", "ου", low)}
        stem = low.rstrip(_ENDS.get(script, ""))
        if script in _ENDS and len(stem) >= _INFLECTED:
            self.stems.add(stem)

    def _found(self, text: str) -> bool:
        words = _words_of(text)
        whole = {*words, *(part for word in words for part in _camel(word) if len(part) > 1)}
        if any(self._is_name(word) for word in whole):
            return True
        if any((a + b).casefold() in self.words for a, b in pairwise(words) if len(a + b) > 4):
            return True
        return any(part in word.casefold() for word in words for part in self.parts)

    def _is_name(self, word: str) -> bool:
        low, script = word.casefold(), script_of(word[0])
        if low in self.words:
            return True
        if script == "LATIN":
            return len(low) > 4 and low.endswith("s") and low[:-1] in self.words
        if script in _BEFORE:
            cuts = range(1, min(_LONGEST_BEFORE, len(low) - 1) + 1)
            before = _BEFORE[script]
            return any(low[c:] in self.words for c in cuts if before.fullmatch(low[:c]))
        if script in UNSPACED:
            return any(low[: -len(end)] in self.words for end in _ADDRESSED if low.endswith(end))
        lengths = range(len(low) - _LONGEST_ENDING, len(low) + 1)
        return any(low[:length] in self.stems for length in lengths)


def _foreign(group: str) -> str:
    """Components of a guessed reading: ASCII, or without any Latin letter."""
    parts = group.split("^")
    return "^".join(
        part if part.isascii() or not any(is_latin(c) for c in part if c.isalpha()) else ""
        for part in parts
    )


def is_nobody(text: str) -> bool:
    """Whether a name or an ID holds only words that stand where none is, or nothing."""
    words = [word.casefold() for word in _words_of(fold(text))]
    return not re.search(r"[1-9]", text) and all(word in _NOBODY for word in words)


def _says_nothing(word: str, place: int, count: int) -> bool:
    """Titles, particles and initials: of a component of some words, or of a middle name."""
    low = word.casefold()
    if low in _TITLES and (count > 1 or place > _MIDDLE):
        return True
    if script_of(word[0]) in UNSPACED:
        return False
    if len(word) == 1:
        return count > 1 or place >= _MIDDLE
    return (low in _PARTICLES and count > 1) or (len(word) < 4 and place > _MIDDLE)


def _words_of(text: str) -> list[str]:
    """Words of a folded text; Chinese and Japanese that is spaced out is one word."""
    if text.isascii():
        return runs(text)
    return runs(_SPACED_OUT.sub(_close, text))


_SPACED_OUT = re.compile(r"(?<=(\w))[\s\u30fb]+(?=(\w))")


def _close(gap: re.Match[str]) -> str:
    return "" if script_of(gap[1]) == script_of(gap[2]) == EAST_ASIAN else gap[0]


def _camel(word: str) -> list[str]:
    """Parts of a word that begin with a capital: of "LiWei" and "HIPSmithers"."""
    return re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", word) if word.isascii() else []
