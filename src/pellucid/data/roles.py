"""Tell from a folder's name which part of a data set it is: training, test, or neither."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

__all__ = [
    "Role",
    "identity",
    "is_annotation",
    "is_batch",
    "is_date",
    "is_generic",
    "loosely",
    "role_of",
]


def _split(words: str) -> frozenset[str]:
    return frozenset(words.split())


PARTS = {
    "train": _split("train training trn trainval 훈련 학습"),
    "validation": _split("val valid validation validate dev 검증"),
    "test": _split("test testing tst eval evaluation holdout 테스트 시험 평가"),
    "unlabelled": _split(
        "predict prediction predictions pred unlabeled unlabelled unsup unsupervised extra"
    ),
}
PART_OF = {word: part for part, words in PARTS.items() for word in words}
# Words that may as well name a class, as in valid and invalid, extra and plain.
WEAK = _split("valid extra dev")
GENERIC = _split(
    "set sets data dataset datasets image images img imgs picture pictures pic pics photo photos "
    "jpg jpeg png bmp file files folder folders dir directory split part class classes category "
    "categories all full raw original the of 데이터 데이터셋 데이터세트 이미지 사진 세트 셋 용 "
    "분류 원천 원천데이터 원본"
)
ANNOTATION = _split(
    "annotation annotations mask masks label labels trimap trimaps xml xmls segmentation "
    "segmentations segmim ground truth groundtruth gt bbox bboxes boxes meta metadata doc docs csv "
    "json 라벨 라벨링 라벨링데이터 라벨데이터 어노테이션 마스크"
)
BATCHES = _split(
    "image images img imgs picture pictures photo photos file files part set data dataset fold "
    "batch chunk shard 이미지 사진 데이터"
)
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


@dataclass(frozen=True)
class Role:
    """The part that a name stands for.

    Attributes
    ----------
    part : {"train", "validation", "test", "unlabelled"}
    exact : bool
        Whether the name says nothing else: true of ``test_images``, not of ``crash_test``.
    weak : bool
        Whether an exact name may as well be that of a class.
    rest : tuple of str
        The other words of the name, which ``seg_train`` and ``seg_test`` share.
    """

    part: str
    exact: bool
    weak: bool
    rest: tuple[str, ...]


@lru_cache(4096)
def role_of(name: str) -> Role | None:
    """Return the part that a folder's name stands for, if any.

    Examples
    --------
    >>> [role_of(name).part for name in ("Training", "val2017", "seg_test", "trainSet", "학습용")]
    ['train', 'validation', 'test', 'train', 'train']
    >>> role_of("crash_test").exact, role_of("test_images").exact
    (False, True)
    >>> role_of("valley"), role_of("train_test"), role_of("train_masks")
    (None, None, None)
    """
    found, weak, rest = set(), True, []
    words = _words(name)
    if any(word in ANNOTATION for word in words):
        return None
    for word in words:
        known = _part_word(word)
        if known is not None:
            found.add(PART_OF[known])
            weak = weak and known in WEAK
        elif word not in GENERIC:
            rest.append(word)
    if found == {"train", "validation"}:
        found = {"train"}
    return Role(found.pop(), not rest, weak, tuple(rest)) if len(found) == 1 else None


@lru_cache(4096)
def is_generic(name: str) -> bool:
    """Return whether a name says only that images are inside: ``images``, ``2750``."""
    return all(word in GENERIC for word in _words(name))


@lru_cache(4096)
def is_annotation(name: str) -> bool:
    """Return whether a name stands for annotations of images: ``masks``, ``ground_truth``."""
    words = _words(name)
    others = [word for word in words if word not in ANNOTATION]
    return len(others) < len(words) and all(w in GENERIC or _part_word(w) for w in others)


@lru_cache(4096)
def is_batch(name: str) -> bool:
    """Return whether a name is that of a numbered portion: ``images_001``, ``fold2``."""
    words = _words(name)
    return bool(words) and all(word in BATCHES for word in words) and name[-1:].isdigit()


@lru_cache(4096)
def is_date(name: str) -> bool:
    """Return whether a name is a year, a month or a date."""
    return bool(
        re.fullmatch(r"(19|20)\d\d([-_. ]?\d\d){0,2}", name)
        or (name[:3].lower() in MONTHS and re.fullmatch(r"[A-Za-z]{3,9}[-_ ]?\d{0,4}", name))
    )


def identity(name: str) -> str:
    """Return a folder's name as a class: composed letters (NFC), no spaces at the ends.

    Examples
    --------
    >>> identity("가 ") == identity("가")
    True
    """
    return unicodedata.normalize("NFC", name).strip()


def loosely(name: str) -> str:
    """Return a name normalised so that case, width and spaces do not matter.

    Examples
    --------
    >>> loosely("Ｃat") == loosely("cat ")
    True
    """
    plain = unicodedata.normalize("NFKC", name).casefold()
    visible = "".join(c for c in plain if unicodedata.category(c) != "Cf")
    return " ".join(visible.split())


def _words(name: str) -> list[str]:
    plain = unicodedata.normalize("NFKC", name)
    found = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_A-Za-z]+", plain)
    return [word.lower() for word in found]


def _part_word(word: str) -> str | None:
    """Return the word for a part that a word is or begins with: ``train`` in ``trainset``."""
    if word in PART_OF:
        return word
    for known in PART_OF:
        if word.startswith(known) and word[len(known) :] in GENERIC:
            return known
    return None
