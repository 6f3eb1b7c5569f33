"""Names of files that do not say how they are written."""

from __future__ import annotations

import pytest

from pellucid.data.file_names import guess_encoding

ANIMALS = {
    "cp949": ["고양이", "강아지", "토끼", "햄스터 사진", "똠방각하"],
    "cp932": ["ねこ", "犬", "うさぎ", "東京タワー", "表示"],
    "gbk": ["猫", "狗", "兔子", "熊猫", "训练集", "测试"],
    "big5": ["貓", "狗", "兔子", "訓練", "測試圖片"],
    "cp437": ["Hündin", "Käfer", "Möwe", "élan"],
    "cp1252": ["Hündin", "Käfer", "Möwe", "fraîche"],
    "cp866": ["кошка", "собака", "Заяц"],
    "cp1251": ["кошка", "собака", "Заяц"],
}


@pytest.mark.parametrize("encoding", ANIMALS)
def test_the_names_of_an_archive_tell_their_encoding_together(encoding):
    names = [f"train/{name}/{k}.png".encode(encoding) for name in ANIMALS[encoding] for k in "12"]
    found, called = guess_encoding([*names, b"train/plain/1.png"])
    assert found == encoding
    assert called.startswith(("CP", "Shift-JIS", "GBK", "Big5"))


@pytest.mark.parametrize(
    ("encoding", "names"),
    [
        ("cp949", ["고양이"]), ("cp949", ["개"]), ("cp949", ["가"]), ("cp949", ["불량", "정상"]),
        ("cp949", ["ㄱ", "ㄴ", "ㅏ"]), ("big5", ["貓", "狗", "大", "中文"]),
        ("cp949", ["장미꽃", "튤립", "해바라기"]), ("cp932", ["ねこ"]), ("cp932", ["カメラ"]),
        ("cp932", ["猫", "犬"]), ("cp437", ["Hündin"]), ("cp1252", ["Hündin"]),
        ("cp1252", ["café"]),
        ("utf-8", ["é"]), ("utf-8", ["고양이", "Hündin", "ねこ"]), ("cp1251", ["кошка"]),
    ],
)  # fmt: skip
def test_one_or_two_short_names_are_enough_in_the_usual_cases(encoding, names):
    assert guess_encoding([name.encode(encoding) for name in names])[0] == encoding


def test_bytes_that_are_text_in_no_language_are_read_all_the_same():
    for name in (bytes(range(128, 256)), b"\xff\xfe\x81\x00"):
        assert name.decode(guess_encoding([name])[0])
