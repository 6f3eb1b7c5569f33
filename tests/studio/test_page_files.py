"""The files of the page, as the package ships them."""

import io
import json
import re
import zipfile
from pathlib import Path

import pellucid.studio

PAGE = Path(pellucid.studio.__file__).parent / "page"
SCRIPTS = sorted(PAGE.rglob("*.js"))
TEXTS = {path.stem: json.loads(path.read_text("utf-8")) for path in PAGE.glob("texts/*.json")}


def test_all_of_it_takes_less_than_200_kilobytes_of_the_wheel():
    files = [path for path in PAGE.rglob("*") if path.is_file()]
    assert len(files) > 30
    stored = io.BytesIO()
    with zipfile.ZipFile(stored, "w", zipfile.ZIP_DEFLATED) as wheel:  # as a wheel is
        for path in files:
            wheel.write(path, path.relative_to(PAGE))
    assert len(stored.getvalue()) < 200_000


def test_english_and_korean_have_the_same_texts_with_the_same_places():
    places = {
        language: {key: sorted(re.findall(r"\{\w+\}", words)) for key, words in texts.items()}
        for language, texts in TEXTS.items()
    }
    assert places["en"] == places["ko"]


def test_korean_calls_one_thing_by_one_name():
    others = {
        "데이터 세트",
        "데이터 집합",
        "테스트 ",
        "훈련하",
        "동결",
        "윈도우",
        "창",
        "모양",
        "완전 연결",
    }
    lessons = [json.loads(path.read_text("utf-8")) for path in PAGE.glob("lessons/*.json")]
    words = [step["text"]["ko"] for lesson in lessons for step in lesson["steps"]]
    told = [*TEXTS["ko"].values(), *(text for texts in words for text in texts)]
    assert len(told) > 300
    assert [text for text in told if any(other in text for other in others)] == []


def test_every_text_that_a_script_names_exists():
    named = {
        (path.name, key)
        for path in SCRIPTS
        for key in re.findall(r"""\btext\("([\w.-]+)\"""", path.read_text("utf-8"))
    }
    assert named
    assert not {(name, key) for name, key in named if key not in TEXTS["en"]}


def test_the_page_loads_all_its_modules_at_once():
    wanted, found = [PAGE / "main.js"], set()
    while wanted:
        script = wanted.pop()
        for name in re.findall(r'from "(\.[\w./]+)";', script.read_text("utf-8")):
            path = (script.parent / name).resolve()
            if path not in found:
                found.add(path)
                wanted.append(path)
    modules = sorted(path.relative_to(PAGE.resolve()).as_posix() for path in found)
    index = (PAGE / "index.html").read_text("utf-8")
    assert re.findall(r'<link rel="modulepreload" href="([\w./]+)">', index) == modules


def test_no_script_asks_any_other_server_or_writes_markup():
    for path in (*SCRIPTS, *PAGE.rglob("*.html"), *PAGE.rglob("*.css")):
        text = path.read_text("utf-8").replace("http://www.w3.org/", "")
        found = re.search(r"https?://|innerHTML|outerHTML|insertAdjacentHTML|\beval\(", text)
        assert not found, path
