"""Commands in pipelines: what is on which stream, files by the thousand, JSON and CSV."""

from __future__ import annotations

import base64
import csv
import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cli.conftest import environment
from cli.terminal import on_terminal
from pellucid import data, load
from pellucid.cli import main
from pellucid.nn import summary

FILES = 230  # three batches


@pytest.fixture(scope="module")
def many(tmp_path_factory) -> Path:
    """A folder of pictures in folders, and three that cannot be read."""
    folder = tmp_path_factory.mktemp("many")
    _, test = data.digits()
    for i in range(FILES):
        pixels = (test.images[i, 0] * (255 / 16)).round().astype(np.uint8)
        place = folder / "digits" / f"part {i // 100}"
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(place / f"{i:03}-{test.labels[i]}.png")
    (folder / "digits" / "part 0" / "050-broken.png").write_bytes(b"\x89PNG no more")
    (folder / "digits" / "part 0" / "notes.txt").write_text("no picture")
    return folder


def run(*arguments: str | Path, given: bytes = b"", cwd: Path, **env: str):
    return subprocess.run(
        [sys.executable, "-m", "pellucid", *map(os.fspath, arguments)],
        input=given, capture_output=True, cwd=cwd, env=environment(**env), timeout=300, check=False,
    )  # fmt: skip


@pytest.fixture
def called(monkeypatch, capfdbinary):
    """Run a command in this process; return exit code, standard output and standard error."""

    def called(*arguments: str | Path) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as end:
            main([os.fspath(argument) for argument in arguments])
        out, err = capfdbinary.readouterr()
        return end.value.code or 0, out.decode(), err.decode()

    return called


def test_a_folder_is_classified_in_order_and_what_is_broken_is_one_line(called, trained, many):
    code, out, err = called("predict", trained[0], many / "digits", "--json", "--top", "2")
    lines = [json.loads(line) for line in out.splitlines()]
    names = [Path(line["file"]).name for line in lines]
    assert (code, len(names), names) == (1, FILES + 1, sorted(names))
    (bad,) = [line for line in lines if "error" in line]
    assert Path(bad["file"]).name == "050-broken.png"
    assert "guesses" not in bad
    (told,) = err.splitlines()
    assert told == f"error: {bad['error']}"
    good = [line for line in lines if "error" not in line]
    assert all(list(line) == ["file", "guesses", "notes"] for line in good)
    right = [line["guesses"][0]["class"] == Path(line["file"]).stem[-1] for line in good]
    assert np.mean(right) > 0.85
    model = load(trained[0] / "model.safetensors")
    x = data.read_image(good[0]["file"], model.card.preparation)
    (expected,) = model.eval()(x)
    for guess, k in zip(good[0]["guesses"], np.argsort(expected)[::-1][:2], strict=True):
        assert (guess["index"], guess["class"]) == (k, str(k))
        p = np.exp(expected[k]) / np.exp(expected).sum()
        assert guess["probability"] == pytest.approx(p, rel=1e-5)


def test_table_json_and_csv_say_the_same(called, trained, many):
    folder = many / "digits" / "part 0"
    _, table, _ = called("predict", trained[0], folder, "--top", "1")
    _, lines, _ = called("predict", trained[0], folder, "--top", "1", "--json")
    code, rows, _ = called("predict", trained[0], folder, "--top", "1", "--csv")
    assert code == 1
    read = list(csv.DictReader(io.StringIO(rows)))
    objects = [json.loads(line) for line in lines.splitlines()]
    assert list(read[0]) == ["file", "class_1", "probability_1", "error"]
    assert [row["file"] for row in read] == [line["file"] for line in objects]
    for row, line in zip(read, objects, strict=True):
        guess = line["guesses"][0] if "guesses" in line else {"class": "", "probability": ""}
        assert (row["class_1"], row["probability_1"]) == (
            guess["class"],
            str(guess["probability"]),
        )
        assert row["error"] == line.get("error", "")
    shown = [line.split("  ")[-2:] for line in table.splitlines()[2:]]
    assert [last[-1].split()[0] for last in shown] == [r["class_1"] for r in read if r["class_1"]]


def test_names_come_on_standard_input_and_may_be_anything(trained, many, tmp_path):
    picture = next((many / "digits" / "part 1").iterdir())
    names = ["고양이.png".encode(), b"two\nlines.png", b'"quoted", too.png']
    if sys.platform not in ("win32", "darwin"):
        names.append(b"caf\xe9.png")
    for name in names:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).write_bytes(picture.read_bytes())
    given = b"".join(name + b"\0" for name in names)
    done = run("predict", trained[0], "-", "--null", "--json", given=given, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, b"")
    lines = [json.loads(line) for line in done.stdout.decode().splitlines()]
    told = [
        base64.b64decode(line["file_base64"]) if "file_base64" in line else line["file"].encode()
        for line in lines
    ]
    assert told == names
    rows = run("predict", trained[0], "-", "-0", "--csv", given=given, cwd=tmp_path).stdout
    read = [row["file"] for row in csv.DictReader(io.StringIO(rows.decode(), newline=""))]
    assert read[:3] == [name.decode() for name in names[:3]]
    assert read[3:] in ([], [r"caf\xe9.png"])
    done = run("predict", trained[0], "-", given=given, cwd=tmp_path)
    assert done.returncode == 1
    assert b"end with NUL: add --null" in done.stderr
    done = run("predict", trained[0], "-", "--json", given=b"\n", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_a_result_comes_before_the_pipe_ends(trained, many, start, tmp_path):
    picture = next((many / "digits" / "part 1").iterdir())
    process = subprocess.Popen(
        [sys.executable, "-m", "pellucid", "predict", str(trained[0]), "-", "--json"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        cwd=tmp_path, env=environment(),
    )  # fmt: skip
    with process:
        for _ in range(2):
            process.stdin.write(os.fsencode(picture) + b"\n")
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["file"] == str(picture)
        process.send_signal(signal.SIGINT)  # while it waits for a third name
        _, err = process.communicate(timeout=300)
    assert process.returncode == 130
    assert err == b"stopped; all that was printed is right\n"


def test_a_reader_that_goes_is_no_error(trained, many, tmp_path):
    command = [sys.executable, "-m", "pellucid", "predict", trained[0], many / "digits", "--csv"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path, env=environment()
    ) as process:
        assert process.stdout.readline().startswith(b"file,")
        process.stdout.close()
        assert b"Traceback" not in process.stderr.read().replace(b"error: ", b"")
        process.wait(300)


def test_json_and_csv_exclude_each_other(called, trained):
    code, out, err = called("predict", trained[0], "a.png", "--json", "--csv")
    assert (code, out) == (1, "")
    assert "--csv: cannot be given together with --json" in err


def test_evaluate_says_as_json_what_its_table_says(called, trained):
    _, out, _ = called("evaluate", trained[0], "--json")
    said = json.loads(out)
    _, table, _ = called("evaluate", trained[0])
    assert f"test accuracy {said['accuracy']:.4f}, loss {said['loss']:.4f}" in table
    matrix = np.array(said["confusion"])
    assert (said["data"], said["split"], said["images"]) == ("digits", "test", matrix.sum())
    assert said["accuracy"] == np.trace(matrix) / matrix.sum()
    for k, one in enumerate(said["classes"]):
        assert (one["class"], one["images"], one["correct"]) == (
            str(k),
            matrix[k].sum(),
            matrix[k, k],
        )
        assert one["accuracy"] == pytest.approx(matrix[k, k] / matrix[k].sum())


def test_summary_list_and_profile_have_json(called, trained):
    _, out, _ = called("summary", trained[0], "--json")
    said, table = json.loads(out), summary(load(trained[0] / "model.safetensors"))
    assert (said["input"], said["parameters"]) == ([1, 8, 8], table.parameters)
    assert said["multiply_adds"] == sum(layer["multiply_adds"] for layer in said["layers"])
    assert [layer["name"] for layer in said["layers"]] == [row.name for row in table.rows]
    assert said["layers"][0]["receptive_field"] == [3, 3]
    assert said["layers"][-1]["receptive_field"] is None
    _, out, _ = called("summary", "lenet", "--json")
    assert json.loads(out)["classes"] is None

    _, out, _ = called("data", "list", "--json")
    (digits,) = [one for one in json.loads(out) if one["name"] == "digits"]
    assert (digits["shape"], digits["train"], digits["test"]) == ([1, 8, 8], 1438, 359)
    assert Path(digits["where"]).is_dir()

    _, out, _ = called("profile", trained[0], "--json", "--steps", "2", "--batch-size", "10")
    said = json.loads(out)
    assert said["images"] == 10
    assert said["training"]["seconds"] == pytest.approx(sum(said["training"]["parts"].values()))
    for kind in ("training", "inference"):
        assert {step["name"] for step in said[kind]["steps"]} >= {"conv1", "affine1"}
        assert all(step["forward_seconds"] >= 0 for step in said[kind]["steps"])


def test_quiet_leaves_results_and_errors_alone(called, trained, many, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options = ("--epochs", "1", "--limit", "50", "--batch-size", "25", "--out", "r")
    code, out, err = called("train", *options, "--quiet")
    assert (code, err) == (0, "")
    accuracy, folder = out.splitlines()
    assert accuracy.startswith("final test accuracy")
    assert folder == "r/"
    paper = tmp_path / "paper.png"
    picture = Image.open(next((many / "digits" / "part 1").iterdir())).resize((80, 80))
    Image.eval(picture, lambda level: 255 - level).save(paper)
    told = called("predict", trained[0], paper, "gone.png")
    quiet = called("-q", "predict", trained[0], paper, "gone.png")
    assert "note: " in told[2]
    assert quiet == (1, told[1], "error: there is no file 'gone.png'.\n")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such terminals")
def test_a_bar_is_drawn_where_results_go_elsewhere(trained, many, tmp_path):
    code = (
        "import sys; sys.stdout = open('out.csv', 'w'); from pellucid.cli import main; "
        "sys.argv[0] = 'pellucid'\ntry: main()\nexcept SystemExit: pass"
    )
    arguments = ("predict", str(trained[0]), str(many / "digits"), "--csv")
    sent = on_terminal(100, tmp_path, *arguments, program=("-c", code))
    assert "pictures" in sent
    assert sent.count("error:") == 1
    assert len((tmp_path / "out.csv").read_text().splitlines()) == FILES + 2
    sent = on_terminal(
        100, tmp_path, *arguments[:2], str(many / "digits" / "part 1"), program=("-m", "pellucid")
    )
    assert "pictures" not in sent


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="they have no such locale")
@pytest.mark.parametrize(
    "env",
    [
        {"LC_ALL": "C"},
        {"LC_ALL": "C", "PYTHONIOENCODING": "ascii"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ],
    ids=["c", "ascii", "bytes"],
)
def test_a_korean_name_is_korean_where_no_encoding_is_chosen(trained, many, tmp_path, env):
    picture = next((many / "digits" / "part 1").iterdir())
    place = tmp_path / "사진"
    place.mkdir()
    (place / "고양이.png").write_bytes(picture.read_bytes())
    for options in ((), ("--json",), ("--csv",)):
        done = run("predict", trained[0], "사진", "사진/없다.png", *options, cwd=tmp_path, **env)
        assert "사진/고양이.png" in done.stdout.decode()
        assert done.stderr.decode() == "error: there is no file '사진/없다.png'.\n"


def completed(words: str, cwd: Path) -> list[str]:
    done = run(
        cwd=cwd, _PELLUCID_COMPLETE="complete_bash", COMP_WORDS=words,
        COMP_CWORD=str(words.count(" ")),
    )  # fmt: skip
    return done.stdout.decode().split()


def test_a_shell_completes_data_sets_networks_and_runs(short, tmp_path):
    for name in ("runs/digits-1", "mine"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "model.safetensors").touch()
    assert completed("pellucid train --data cif", tmp_path) == ["cifar10", "cifar100"]
    assert completed("pellucid data fetch mn", tmp_path) == ["mnist"]
    assert completed("pellucid train --model vgg", tmp_path) == ["vgg11", "vgg16"]
    assert completed("pellucid evaluate ", tmp_path) == ["mine", "runs/digits-1"]
    assert completed("pellucid summary mi", tmp_path) == ["mine"]
    assert completed("pellucid eva", tmp_path) == ["evaluate"]
