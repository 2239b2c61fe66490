"""Text in any script and encoding, brought to one spelling so that names can be compared.

Readings undo the encoding, ``fold`` undoes marks, widths and look-alike letters, ``runs`` cuts
text into words: at digits and punctuation, and where the script changes.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from itertools import groupby

from pydicom.charset import CODES_TO_ENCODINGS, decode_bytes

_ESCAPE = b"\x1b"
_CODECS = (
    "gb18030", "big5", "cp932", "euc_jp", "cp949",
    "cp1251", "koi8_r", "iso8859_5", "cp1253", "iso8859_7",
    "cp1255", "iso8859_8", "cp1256", "iso8859_6", "cp874", "latin_1",
)  # fmt: skip
"""What files hold whose Specific Character Set is absent or wrong."""
_LAST_LATIN = 0x24F
_NOT_BY_CHANCE = 3
_GARBLED = re.compile("[\x80-\x9f\xa1-\xa9\xab-\xad\xaf-\xb1\xb5\xb6\xb8\xbb-\xbf\xd7\xf7\ufffd]")
"""Signs that no name has: text of another encoding, read as Latin."""

# Letters that Unicode does not take apart, and others that are written for one another.
_ALIKE = str.maketrans(
    {
        "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "ð": "d", "Ð": "D",
        "þ": "th", "Þ": "Th", "æ": "ae", "Æ": "Ae", "œ": "oe", "Œ": "Oe", "ß": "ss", "ẞ": "SS",
        "ı": "i", "ħ": "h", "ʼ": "'", "ة": "ه", "ى": "ي", "ی": "ي", "ک": "ك", "ـ": None,
    }
)  # fmt: skip
_KATAKANA = {code: code - 0x60 for code in range(0x30A1, 0x30F7)}  # to hiragana
_SPELT_OUT = str.maketrans(
    {
        "ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "ø": "oe", "æ": "ae", "ñ": "n",
        "Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "Å": "Aa", "Ø": "Oe", "Æ": "Ae", "Ñ": "N",
    }
)  # fmt: skip
_DIGRAPH = re.compile(r"(?<=[aou])e", re.IGNORECASE)
_VOICING = "\u3099\u309a"  # make ga of ka: another sound, not an accent

EAST_ASIAN = "East Asian"
"""Script of Chinese characters and kana, which are written without spaces."""

UNSPACED = (EAST_ASIAN, "HANGUL", "THAI", "LAO", "KHMER", "MYANMAR")
"""Scripts in which a name may stand inside a run of other letters."""


def readings(raw: bytes, stated: str = "") -> tuple[list[str], list[str]]:
    """All texts that some bytes may mean.

    Parameters
    ----------
    raw
        A value as it stands in the file.
    stated
        The same as Specific Character Set (0008,0005) has it, if it was decoded.

    Returns
    -------
    likely
        What the file states, and UTF-8 where the bytes are that. One alone for ASCII, which means
        the same in every encoding.
    possible
        What the bytes say in encodings that the file does not name.
    """
    if raw.isascii() and _ESCAPE not in raw:
        return [raw.decode("ascii")], []
    likely = [] if not stated or _GARBLED.search(stated) else [stated]
    if _ESCAPE in raw:
        every = ["iso8859", *set(CODES_TO_ENCODINGS.values())]
        return list(dict.fromkeys([*likely, decode_bytes(raw, every, set())])), []
    utf8 = _decoded(raw, "utf-8")
    if utf8:
        # The same bytes read as Latin are fragments of letters. Two letters may be UTF-8 by chance.
        likely = [utf8, *(t for t in likely if not is_latin(t) and t != utf8)]
        by_chance = sum(not letter.isascii() for letter in utf8) < _NOT_BY_CHANCE
        possible = [_decoded(raw, codec) for codec in _CODECS[:5]] if by_chance else []
        return likely, [text for text in possible if text]
    latin = raw.decode("latin_1")
    if not likely and not _GARBLED.search(latin):
        likely = [latin]
    possible = [stated, *(_decoded(raw, codec) for codec in _CODECS)]
    return likely, list(dict.fromkeys(text for text in possible if text))


def _decoded(raw: bytes, codec: str) -> str:
    try:
        return raw.decode(codec)
    except UnicodeDecodeError:
        return ""


def fold(text: str) -> str:
    """Text without accents, width, vowel points and look-alike letters; case is kept.

    Examples
    --------
    >>> fold("Müller"), fold("ﾔﾏﾀﾞ"), fold("١٩٤٧")
    ('Muller', 'やまだ', '1947')
    """
    if text.isascii():
        return text
    marked = unicodedata.normalize("NFD", unicodedata.normalize("NFKC", text))
    plain = "".join(_plain(letter) for letter in marked)
    return unicodedata.normalize("NFC", plain).translate(_ALIKE).translate(_KATAKANA)


def spelt_out(text: str) -> str:
    """Folded text with its umlauts as two letters.

    Examples
    --------
    >>> spelt_out("Müller")
    'Mueller'
    """
    return fold(unicodedata.normalize("NFC", text).translate(_SPELT_OUT))


def spellings(text: str) -> tuple[str, ...]:
    """Ways in which a text is written, folded: without its umlauts, and with them spelt out."""
    return tuple(dict.fromkeys((fold(text), spelt_out(text))))


def is_latin(text: str) -> bool:
    """Whether a text has no letters of another script."""
    return all(ord(letter) <= _LAST_LATIN for letter in text if letter.isalpha())


def without_digraphs(text: str) -> str:
    """Text with ae, oe and ue as the plain vowel: how "Mueller" becomes "Muller"."""
    return _DIGRAPH.sub("", text)


def runs(text: str) -> list[str]:
    """Words of a folded text: letters of one script without anything between them.

    Examples
    --------
    >>> runs("SMITHERS_WAYLON-HIP2, 王小东のhip")
    ['SMITHERS', 'WAYLON', 'HIP', '王小东の', 'hip']
    """
    return ["".join(letters) for script, letters in groupby(text, script_of) if script]


@lru_cache(maxsize=4096)
def script_of(letter: str) -> str:
    """Script of a letter, "" when it is none."""
    if letter.isascii():
        return "LATIN" if letter.isalpha() else ""
    if not letter.isalpha() and unicodedata.category(letter) not in ("Mc", "Nl"):
        return ""
    name = re.split(r"[ -]", unicodedata.name(letter, "UNKNOWN"))[0]
    return EAST_ASIAN if name in ("CJK", "HIRAGANA", "KATAKANA", "IDEOGRAPHIC") else name


@lru_cache(maxsize=4096)
def _plain(letter: str) -> str:
    """A letter as a name is compared: digits of all scripts are those of ASCII, marks are gone."""
    if letter.isdecimal():
        return str(unicodedata.decimal(letter))
    kind = unicodedata.category(letter)
    return "" if kind == "Cf" or (kind == "Mn" and letter not in _VOICING) else letter


def vocabulary(words: str) -> frozenset[str]:
    """Set of words that are written in one string."""
    return frozenset(words.split())
