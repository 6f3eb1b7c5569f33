"""pellucid report: one page that needs nothing else, in two languages, for every kind of run."""

from __future__ import annotations

import itertools
import re
import shutil
import socket
import subprocess
import threading
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pellucid.cli import main
from pellucid.errors import ArgumentError, DataNotFoundError
from pellucid.report import gather, page
from pellucid.report.texts import TEXTS
from pellucid.runs.folder import MODEL
from report.html_page import Page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
NAMES = ("<script>alert(1)", 'a "b" & c', "고양이", "</style><b>")


def require_self_contained(text: str) -> Page:
    found = Page(text)
    assert not found.all("script")
    for tag, attributes in found.elements:
        for key, value in attributes.items():
            assert not key.startswith("on"), f"{tag} {key}"
            if key in ("src", "href", "srcset", "data", "xlink:href"):
                assert value.startswith(("data:image/png;base64,", "data:,")), value
    css = re.search(r"<style>(.*?)</style>", text, re.S)[1]
    assert "url(" not in css
    assert "@import" not in css
    assert all(image["alt"] for image in found.all("img"))
    levels = [int(tag[1]) for tag, _ in found.elements if re.fullmatch(r"h\d", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b - a <= 1 for a, b in itertools.pairwise(levels))
    return found


@pytest.fixture
def pellucid_here(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        code = 0
        try:
            main([str(argument) for argument in arguments])
        except SystemExit as end:
            code = int(end.code or 0)
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.mark.parametrize("language", ["en", "ko"])
def test_the_report_of_a_run_tells_all_that_matters(short, language):
    facts = gather(short, None, None)
    found = require_self_contained(page(facts, language))
    text = TEXTS[language]
    for key in (
        "course",
        "errors",
        "confusion",
        "classes",
        "filters",
        "network",
        "settings",
        "use",
    ):
        assert text[key] in found.text, key
    right, total = int(facts.confusion.trace()), 359
    assert f"{100 * right / total:.2f} %" in found.text
    history = (short / "history.csv").read_text().splitlines()
    assert f"{float(history[-1].split(',')[1]):.4f}" in found.text
    for name in ("conv1", "affine2", "49,410", "adam", "pellucid predict", "pellucid.load"):
        assert name in found.text, name
    assert found.all("html")[0]["lang"] == language
    # Ten examples, 24 mistakes, filters before and after, and after three epochs.
    assert len(found.all("img")) == 10 + 24 + 2 + 3
    assert len(found.all("svg")) == 3  # loss, accuracy, reliability
    assert re.search("[가-힣]", found.text) is None or language == "ko"


def test_the_numbers_are_those_of_the_model(short):
    import pellucid
    from pellucid import data

    _, test = data.digits()
    measured = pellucid.evaluate(pellucid.load(short / MODEL), test)
    facts = gather(short, None, None)
    np.testing.assert_array_equal(facts.confusion, measured.confusion)
    text = page(facts, "en")
    name = r'<th scope="row"><span>(\d)</span></th>'
    rows = re.findall(rf"<tr>{name}((?:<td[^>]*>[\d,]+</td>){{10}})</tr>", text)
    shown = [[int(n) for n in re.findall(r">([\d,]+)<", cells)] for _, cells in rows]
    np.testing.assert_array_equal(shown, measured.confusion)


@pytest.fixture(scope="session")
def hostile(tmp_path_factory) -> Path:
    """A run on colour images whose classes have names that no page should believe."""
    folder = tmp_path_factory.mktemp("hostile") / "a & b <i>"
    rng = np.random.default_rng(0)
    for k, name in enumerate(NAMES):
        place = folder / "images" / name.replace("/", "∕")
        place.mkdir(parents=True)
        for number in range(10):
            pixels = rng.integers(0, 60 * (k + 1), (12, 10, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(place / f"{number}.png")
    options = ("--epochs", "2", "--engine", "numpy", "--model", "INPUT -> CONV3-4 -> FC")
    arguments = ("train", "--data", folder / "images", "--out", folder / "run", *options)
    with warnings.catch_warnings():  # a machine without Korean letters warns of its pictures
        warnings.simplefilter("ignore")
        with pytest.raises(SystemExit) as end:
            main([str(argument) for argument in arguments])
    assert not end.value.code
    return folder / "run"


def test_names_from_elsewhere_are_text_and_never_markup(hostile):
    for language in TEXTS:
        text = page(gather(hostile, None, None), language)
        found = require_self_contained(text)
        assert "<script" not in text
        assert "<i>" not in text
        assert not found.all("b")
        for name in NAMES:
            assert name.replace("/", "∕") in found.text


@pytest.mark.skipif(not CHROMIUM, reason="needs an installed Chromium")
@pytest.mark.parametrize("language", TEXTS)
def test_a_page_fits_a_phone_and_its_tables_scroll_inside(hostile, tmp_path, language):
    playwright = pytest.importorskip("playwright.sync_api")
    facts = gather(hostile, None, None)
    names = [f"{name}_of_the_mountains_of_northern_Mexico" for name in NAMES]
    facts = replace(facts, test=replace(facts.test, classes=names))
    (tmp_path / "page.html").write_text(page(facts, language), "utf-8")
    with playwright.sync_playwright() as started:
        options = {"executable_path": CHROMIUM, "args": ["--no-sandbox"]}
        browser = started.chromium.launch(**options)
        phone = browser.new_page(viewport={"width": 390, "height": 844})
        phone.goto((tmp_path / "page.html").as_uri())
        assert phone.evaluate("document.documentElement.scrollWidth") <= 390
        boxes = phone.evaluate(
            """[...document.querySelectorAll('.scroll')].map(box => {
                const name = box.querySelector('tbody th, tfoot th')
                box.scrollLeft = 1000
                const shift = name.getBoundingClientRect().left - box.getBoundingClientRect().left
                return [box.scrollWidth > box.clientWidth, shift, name.offsetWidth, box.clientWidth]
            })"""
        )
        smallest = phone.evaluate(
            """Math.min(...[...document.querySelectorAll('.chart')].map(chart =>
                parseFloat(getComputedStyle(chart.querySelector('text')).fontSize)
                * chart.clientWidth / chart.viewBox.baseVal.width))"""
        )
        browser.close()
    assert any(scrolls for scrolls, *_ in boxes)
    assert all(abs(shift) < 2 for _, shift, *_ in boxes)  # the names stay in sight
    assert all(name < 0.6 * box for _, _, name, box in boxes)
    assert smallest > 8


def test_colour_images_and_filters_are_drawn_in_colour(hostile):
    text = page(gather(hostile, None, None), "en")
    assert "in colour: middle grey is 0" in text


def test_a_run_whose_images_are_gone_says_so_and_tells_the_rest(hostile, tmp_path, pellucid_here):
    shutil.copytree(hostile, tmp_path / "run")
    config = (tmp_path / "run" / "config.toml").read_text(encoding="utf-8")
    gone = re.sub(r'data = ".*"', 'data = "/gone/images.zip"', config)
    (tmp_path / "run" / "config.toml").write_text(gone, encoding="utf-8")
    assert pellucid_here("report", "run")[0] == 0
    text = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    found = require_self_contained(text)
    assert "could not be read" in found.text
    assert "pellucid report run --data PATH" in found.text
    assert "measured after the last epoch" in found.text
    for key in ("examples", "confusion", "mistakes"):
        assert f">{TEXTS['en'][key]}</h" not in text
    assert pellucid_here("report", "run", "--data", hostile.parent / "images")[0] == 0
    assert "could not be read" not in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    code, _, err = pellucid_here("report", "run", "--data", "/gone/too.zip")
    assert (code, "/gone/too.zip" in err) == (1, True)


def test_nothing_is_downloaded_for_a_report(short, tmp_path, monkeypatch):
    def refuse(source, **options) -> None:
        raise AssertionError(f"{source.name} would be downloaded")

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("PELLUCID_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("pellucid.data.datasets.download_source", refuse)
    shutil.copytree(short, tmp_path / "run")
    config = (tmp_path / "run" / "config.toml").read_text()
    changed = config.replace('data = "digits"', 'data = "fashion-mnist"')
    (tmp_path / "run" / "config.toml").write_text(changed)
    facts = gather(tmp_path / "run", None, None)
    assert facts.test is None
    assert "fashion-mnist" in facts.missing.lower()


def test_a_run_of_which_only_the_model_is_left_has_a_report(short, tmp_path, pellucid_here):
    (tmp_path / "run").mkdir()
    shutil.copy(short / MODEL, tmp_path / "run")
    assert pellucid_here("report", "run")[0] == 0
    text = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    found = require_self_contained(text)
    for key in ("history_missing", "settings_missing"):
        assert TEXTS["en"][key] in found.text
    assert TEXTS["en"]["filters_old"].format(file="filters.safetensors") in found.text
    assert "of 359 images" in found.text


def test_an_interrupted_run_says_how_far_it_came(short, tmp_path):
    shutil.copytree(short, tmp_path / "run")
    config = (tmp_path / "run" / "config.toml").read_text().replace("epochs = 3", "epochs = 20")
    (tmp_path / "run" / "config.toml").write_text(config)
    text = page(gather(tmp_path / "run", None, None), "en")
    assert "of 20: the training was stopped early" in text


def test_the_report_goes_where_it_is_wanted(short, tmp_path, pellucid_here):
    code, out, err = pellucid_here("report", short, "--lang", "ko", "--out", "한글.html")
    assert (code, out, err) == (0, "한글.html\n", "")
    assert 'lang="ko"' in (tmp_path / "한글.html").read_text(encoding="utf-8")
    assert not (short / "report.html").exists()
    code, _, err = pellucid_here("report", short, "--out", "a.pdf")
    assert (code, "--out: must end in .html" in err) == (1, True)
    code, _, err = pellucid_here("report", short, "--out", "no/such/a.html")
    assert (code, "--out: cannot write 'no/such/a.html'" in err) == (1, True)


def test_what_is_no_run_is_refused(short, tmp_path):
    with pytest.raises(DataNotFoundError, match=r"there is no '.*gone'\. Give a run folder"):
        gather(tmp_path / "gone", None, None)
    with pytest.raises(DataNotFoundError, match=r"holds no model\.safetensors"):
        gather(tmp_path, None, None)
    with pytest.raises(ArgumentError, match="is a file; give the run folder"):
        gather(short / MODEL, None, None)


def test_a_new_run_in_its_place_takes_an_old_report_away(tmp_path, pellucid_here):
    options = ("--limit", "50", "--epochs", "1", "--engine", "numpy", "--out", "run")
    assert pellucid_here("train", *options)[0] == 0
    assert pellucid_here("report", "run")[0] == 0
    assert pellucid_here("train", *options, "--overwrite")[0] == 0
    assert not (tmp_path / "run" / "report.html").exists()


CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "chrome"))), None)
QUIET = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--disable-extensions"),
    *("--disable-default-apps", "--enable-logging=stderr", "--proxy-bypass-list=<-loopback>"),
]
OWN = ("google", "gstatic", "gvt1", "chromium")  # what a browser asks on its own account


class Listener:
    """A proxy that notes what it is asked for, and answers nothing."""

    def __enter__(self) -> Listener:
        self.asked: list[str] = []
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self._listen, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def _listen(self) -> None:
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            with connection:
                line = connection.recv(4096).split(b"\r\n")[0].decode("latin-1")
                if not any(name in line for name in OWN):
                    self.asked.append(line)


def opened(path: Path, profile: Path, *options: str) -> tuple[str, str, list[str]]:
    """Open a page in Chromium; returns its DOM, what the console said, and what was asked for."""
    with Listener() as listener:
        command = [
            CHROMIUM,
            *QUIET,
            f"--user-data-dir={profile}",
            f"--proxy-server=http://127.0.0.1:{listener.port}",
            *options,
            path.as_uri(),
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        said = "\n".join(line for line in done.stderr.splitlines() if "CONSOLE" in line)
        return done.stdout, said, listener.asked


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
def test_a_browser_opens_the_report_without_errors_and_asks_nobody(hostile, tmp_path):
    report = tmp_path / "report.html"
    report.write_text(page(gather(hostile, None, None), "ko"), encoding="utf-8")
    dom, said, asked = opened(report, tmp_path / "profile", "--dump-dom")
    assert TEXTS["ko"]["title"].format(name="run") in dom
    assert "</html>" in dom
    assert (said, asked) == ("", [])
    assert dom.count("<img ") == report.read_text(encoding="utf-8").count("<img ") > 10


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
def test_that_check_would_see_a_page_that_asks(tmp_path):
    asking = tmp_path / "asking.html"
    asking.write_text("<img src='http://pictures.invalid/a.png'><script>console.error(1)</script>")
    _, said, asked = opened(asking, tmp_path / "profile", "--dump-dom")
    assert "CONSOLE" in said
    assert any("pictures.invalid" in line for line in asked)
    # And the page's own policy would not let it.
    text = "<meta http-equiv='Content-Security-Policy' content=\"default-src 'none'\">"
    asking.write_text(text + asking.read_text())
    _, said, asked = opened(asking, tmp_path / "profile", "--dump-dom")
    assert "Content Security Policy" in said
    assert asked == []
