"""The studio in a notebook: a cell shows it, and its front end asks the real Python object."""

from __future__ import annotations

import base64
from types import SimpleNamespace

import numpy as np
import pytest

from pellucid import data
from pellucid.errors import ArgumentError, MissingExtraError
from pellucid.models import SimpleConvNet
from pellucid.studio.envelope import pack, unpack

pytest.importorskip("anywidget")
from pellucid.studio.notebook import widget

# What Jupyter and anywidget do: a model that sends messages with buffers, and an element.
HOST = """async ([esm, css, traits]) => {
    document.head.append(Object.assign(document.createElement("style"), { textContent: css }));
    document.body.innerHTML = "<p id=own>A cell of its own</p><div id=cell></div>";
    const heard = new Set();
    const view = (text) => new DataView(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
    const model = {
        get: (name) => traits[name],
        on: (event, handler) => heard.add(handler),
        off: (event, handler) => heard.delete(handler),
        send: async (content, callbacks, buffers) => {
            const bytes = new Uint8Array(buffers[0]);
            const text = btoa(Array.from(bytes, (b) => String.fromCharCode(b)).join(""));
            for (const [said, blocks] of await python(content, text))
                for (const handler of [...heard]) handler(said, blocks.map(view));
        },
    };
    const url = URL.createObjectURL(new Blob([esm], { type: "text/javascript" }));
    const { default: front } = await import(url);
    window.end = await front.render({ model, el: document.getElementById("cell") });
}"""


@pytest.fixture(scope="module")
def made():
    images = data.digits()[1]
    model = SimpleConvNet((1, 8, 8), 10, 16, filters=4, rng=np.random.default_rng(0))
    return SimpleNamespace(model=model, widget=widget(model, images, name="ours", language="en"))


@pytest.fixture(scope="module")
def page(browser, made):
    page = browser.new_page()
    page.errors = []
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    page.on("console", lambda m: m.type == "error" and page.errors.append(m.text))

    def python(content, text):
        sent = []
        made.widget.send = lambda said, blocks: sent.append((said, blocks))
        made.widget._handle_custom_msg(content, [memoryview(base64.b64decode(text))])
        return [[said, [base64.b64encode(b).decode() for b in blocks]] for said, blocks in sent]

    page.expose_function("python", python)
    traits = {"texts": made.widget.texts, "language": made.widget.language}
    page.evaluate(HOST, [made.widget._esm, made.widget._css, traits])
    return page


def test_a_cell_shows_the_views_of_the_network_with_its_images(page):
    page.wait_for_selector("#cell .tabs a")
    assert page.locator("#cell header option").all_inner_texts() == ["ours"]
    page.wait_for_selector("#cell aside .number", state="attached")
    views = page.locator("#cell .tabs a").evaluate_all("(all) => all.map((a) => a.dataset.view)")
    assert {"network", "maps", "unit"} <= set(views)
    assert not {"training", "build"} & set(views)
    assert page.errors == []


def test_a_units_number_in_the_cell_is_that_of_the_model(page, made):
    page.locator("#cell a[data-view=maps]").click()
    page.locator("#cell a[data-view=unit]").click()
    page.wait_for_selector("#cell .engine")
    shown = float(page.locator("#cell .engine").last.inner_text().replace("−", "-"))
    unit = [
        int(x)
        for x in page.locator("#cell input[data-axis]").evaluate_all("(a) => a.map((x) => x.value)")
    ]
    x = data.digits()[1].batch(np.array([0]))[0]
    numbers = []
    with made.model.evaluating():
        for layer in made.model:
            x = layer(x)
            if x.ndim == 1 + len(unit) and all(
                k < n for k, n in zip(unit, x.shape[1:], strict=True)
            ):
                numbers.append(float(x[0][tuple(unit)]))
    assert np.abs(np.array(numbers) - shown).min() < 1e-5


def test_the_notebook_around_it_keeps_its_style_its_title_and_its_keys(page):
    own = page.locator("#own")
    assert own.evaluate("(p) => getComputedStyle(p).boxSizing") == "content-box"
    assert page.title() == ""
    assert page.evaluate("location.hash") == ""
    view = "document.querySelector('#cell .tabs a[aria-current]').dataset.view"
    before = page.evaluate(view)
    own.click()
    page.keyboard.press("1")
    page.keyboard.press("2")
    assert page.evaluate(view) == before
    assert page.locator("#cell .studio").evaluate("(s) => getComputedStyle(s).display") == "grid"


def test_a_question_that_is_refused_is_answered_by_its_sentence(made):
    sent = []
    made.widget.send = lambda said, blocks: sent.append((said, blocks))
    asked = [
        ("maps", {"image": "gone", "value": 1}),
        ("nothing", {}),
        ("network", {"network": "n1"}),
    ]
    for name, given in asked:
        made.widget._handle_custom_msg({"id": name, "ask": name}, [pack(given)])
    made.widget._handle_custom_msg({"id": "x", "ask": "maps"}, [b"not a message"])
    assert [said.get("kind") for said, _ in sent] == ["forgotten", "refused", None, "refused"]
    assert "there is no question 'nothing'" in sent[1][0]["error"]
    assert unpack(sent[2][1][0])["name"] == "ours"


def test_what_is_taken_away_no_longer_listens(page):
    page.evaluate("end()")
    assert page.locator("#cell .tabs").count() == 0
    assert page.errors == []


def test_wrong_arguments_and_a_missing_package_are_refused(monkeypatch):
    with pytest.raises(ArgumentError, match="'en' or 'ko'"):
        widget(SimpleConvNet(), language="de")
    monkeypatch.setitem(__import__("sys").modules, "anywidget", None)
    with pytest.raises(MissingExtraError, match=r"pellucid\[notebook\]"):
        widget(SimpleConvNet())


def test_a_notebook_shows_it_as_the_output_of_a_cell():
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    source = "import pellucid\nfrom pellucid.studio.notebook import widget\n"
    source += "widget(pellucid.models.SimpleConvNet(), language='ko')"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
    nbclient.NotebookClient(notebook, timeout=120).execute()
    (output,) = notebook.cells[0].outputs
    assert "application/vnd.jupyter.widget-view+json" in output["data"]
