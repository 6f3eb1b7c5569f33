"""pellucid train: what it writes, prints and refuses."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pellucid as library
from cli.terminal import on_terminal
from pellucid import data
from pellucid.runs import Settings, read_config, write_config

SHORT = ("--epochs", "3", "--limit", "100", "--batch-size", "50")
FILES = {
    "model.safetensors",
    "checkpoint.safetensors",
    "filters.safetensors",
    "history.csv",
    "config.toml",
}
PICTURES = {"curves.png", "filters.png", "confusion.png"}


@pytest.fixture
def pellucid(here):
    """What a command writes and says is tested here, not that it is a process."""
    return here


def weights(run: Path) -> dict[str, np.ndarray]:
    return library.load(run / "model.safetensors").state_dict()


def same(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> bool:
    return all(np.array_equal(a[name], b[name]) for name in a | b)


def test_a_run_folder_holds_model_history_settings_and_pictures(trained):
    run, result = trained
    assert {path.name for path in run.iterdir()} == FILES | PICTURES
    for name in FILES | PICTURES:
        assert f"  {name}" in result.stdout
    header, *rows = (run / "history.csv").read_text().splitlines()
    assert header == "epoch,loss,train_accuracy,test_loss,test_accuracy,seconds"
    assert [row.split(",")[0] for row in rows] == ["1", "2", "3", "4", "5"]
    for name in PICTURES:
        with Image.open(run / name) as picture:
            picture.load()
            assert min(picture.size) > 500


def test_the_printed_accuracy_is_that_of_the_saved_model_on_all_test_images(trained):
    run, result = trained
    _, test = data.digits()
    accuracy = library.evaluate(library.load(run / "model.safetensors"), test).accuracy
    assert f"final test accuracy {accuracy:.4f} ({round(accuracy * 359)} of 359" in result.stdout
    assert accuracy > 0.9


def test_without_a_terminal_there_is_one_plain_line_an_epoch(trained):
    _, result = trained
    assert result.stderr == ""
    assert "\x1b" not in result.stdout
    assert "\r" not in result.stdout
    lines = [line for line in result.stdout.splitlines() if line.startswith("epoch")]
    form = r"epoch \d/5  loss \d\.\d{4}  train \d\.\d{4}  test \d\.\d{4}  \d+\.\d s"
    assert len(lines) == 5
    assert all(re.fullmatch(form, line) for line in lines)


def test_a_pipe_gets_no_control_codes_even_where_colours_are_forced(pellucid):
    result = pellucid("train", *SHORT, FORCE_COLOR="1", COLUMNS="30")
    assert "\x1b" not in result.stdout
    assert len([line for line in result.stdout.splitlines() if line.startswith("epoch")]) == 3


def test_the_settings_tell_everything_that_decided_the_run(short):
    assert tomllib.loads((short / "config.toml").read_text()) == {
        "data": "digits",
        "model": "simple",
        "epochs": 3,
        "batch_size": 50,
        "lr": 0.001,
        "optimizer": "adam",
        "init": "0.1",
        "seed": 0,
        "limit": 100,
        "engine": "compiled",
        "precision": "float32",
        "chunks": 8,
        "evaluate_samples": 10_000,
    }


@pytest.mark.parametrize("what", ["", "config.toml"])
def test_a_run_repeats_bit_for_bit_from_its_folder_or_file(pellucid, tmp_path, short, what):
    assert pellucid("train", "--config", short / what, "--out", "again").returncode == 0
    assert same(weights(tmp_path / "again"), weights(short))
    again = (tmp_path / "again" / "config.toml").read_text()
    assert again == (short / "config.toml").read_text()


@pytest.mark.parametrize("name", ["손글씨", "𝒟 😀", 'a "quoted" one', "back\\slash"])
def test_settings_are_read_back_whatever_the_folder_is_called(tmp_path, name):
    settings = Settings(data_dir=tmp_path / name, lr=1e-5, seed=3)
    write_config(tmp_path / "config.toml", settings)
    assert Settings(**read_config(tmp_path / "config.toml")) == settings


def test_an_option_wins_over_the_settings_file(pellucid, tmp_path, short):
    pellucid("train", "--config", short, "--seed", "1", "--epochs", "2", "--out", "other")
    config = tomllib.loads((tmp_path / "other" / "config.toml").read_text())
    assert (config["seed"], config["epochs"], config["limit"]) == (1, 2, 100)
    assert not same(weights(tmp_path / "other"), weights(short))


def test_the_command_does_what_the_library_does_with_the_same_seed(pellucid, tmp_path):
    code = (
        "import numpy as np, pellucid\n"
        "from pellucid.models.registry import by_name\n"
        "train, test = pellucid.data.digits()\n"
        "rng = np.random.default_rng(7)\n"
        "model = by_name('simple', (1, 8, 8), 10, weight_init='he', rng=rng)\n"
        "train = train.take(100)\n"
        "pellucid.Trainer(model, train, test, epochs=3, batch_size=50, seed=7).fit()\n"
        "pellucid.save(model, 'model.safetensors')"
    )
    assert pellucid(program=("-c", code)).returncode == 0
    pellucid("train", *SHORT, "--seed", "7", "--init", "he", "--out", "run")
    assert same(weights(tmp_path), weights(tmp_path / "run"))


def test_other_networks_begin_with_weights_that_let_them_learn(pellucid, tmp_path):
    result = pellucid(
        "train", "--model", "resnet20", "--epochs", "1", "--limit", "100", "--out", "r"
    )
    assert result.stdout.startswith("resnet20, 269,434 parameters, on 100 images of digits")
    assert tomllib.loads((tmp_path / "r" / "config.toml").read_text())["init"] == "he"
    assert repr(library.load(tmp_path / "r" / "model.safetensors")).startswith("ResNet20(")


def test_runs_without_a_name_are_numbered(pellucid, tmp_path):
    for number in (1, 2):
        result = pellucid("train", "--epochs", "1", "--limit", "20")
        assert f"runs/digits-{number}/" in result.stdout
    assert {path.name for path in (tmp_path / "runs").iterdir()} == {"digits-1", "digits-2"}


def test_one_image_is_enough_and_a_limit_beyond_the_set_takes_all(pellucid):
    assert "on 1 image of" in pellucid("train", "--epochs", "1", "--limit", "1").stdout
    assert "on 1,438 images of" in pellucid("train", "--epochs", "1", "--limit", "99999").stdout


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--data minst", r"--data: there is no data set 'minst'\. Did you mean 'mnist'\?"),
        ("--model simpel", r"--model: 'simpel' is unknown\. Did you mean 'simple'\?"),
        ("--optimizer adma", r"--optimizer: 'adma' is unknown\. Did you mean 'adam'\?"),
        ("--lr 0", r"--lr: must be a finite number above 0, received 0\.0"),
        ("--lr nan", r"--lr: must be a finite number above 0, received nan"),
        ("--lr=-1", r"--lr: must be a finite number above 0, received -1\.0"),
        ("--init nan", r"--init: must be a finite deviation, 0 or more; received nan"),
        ("--init hee", r"--init: .*'hee'.*Known: he, xavier"),
        ("--data mnist --data-dir gone", r"(?s)MNIST: .*gone: no such folder.*--data-dir"),
        ("--config gone", r"there is no file 'gone'"),
    ],
)
def test_a_refusal_names_the_option_and_writes_nothing(pellucid, tmp_path, options, words):
    result = pellucid("train", *options.split())
    assert result.returncode == 1
    assert result.stdout == ""
    assert result.stderr.startswith("error: ")
    assert re.search(words, result.stderr)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--epochs 0", "'--epochs'.*greater than or equal to 1"),
        ("--epochs many", "'--epochs'.*valid integer"),
        ("--limit 0", "'--limit'.*greater than or equal to 1"),
        ("--lrr 1", "No such option: --lrr .*--lr"),
        ("stray", r"unexpected extra argument.*stray"),
    ],
)
def test_wrong_usage_exits_with_2_and_points_to_the_help(pellucid, tmp_path, options, words):
    result = pellucid("train", *options.split(), COLUMNS="200")
    assert result.returncode == 2
    assert re.search(words, result.stderr)
    assert "Try 'pellucid train -h' for help." in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("epocs = 3", r"settings\.toml: has no setting 'epocs'\. Did you mean 'epochs'\?"),
        ('epochs = "many"', r"epochs must be a whole number, received 'many'"),
        ("seed = 1.5", r"seed must be a whole number, received 1\.5"),
        ("lr = true", r"lr must be a number, received True"),
        ("[data]\nx = 1", r"data must be text in quotes, received \{'x': 1\}"),
        ("epochs =", r"'settings\.toml' cannot be read as TOML"),
    ],
)
def test_a_settings_file_is_refused_by_the_setting_at_fault(pellucid, tmp_path, text, words):
    (tmp_path / "settings.toml").write_text(text)
    result = pellucid("train", "--config", "settings.toml", "--out", "run")
    assert result.returncode == 1
    assert re.search(words, result.stderr)
    assert not (tmp_path / "run").exists()


def test_a_folder_that_holds_something_is_refused_before_any_work(pellucid, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.txt").write_text("precious")
    options = ("--data", "mnist", "--data-dir", "gone", "--out", "run")
    result = pellucid("train", *options)
    assert result.returncode == 1
    assert re.search(r"--out: 'run' is not empty\..*--overwrite", result.stderr)
    result = pellucid("train", *SHORT, "--out", "run", "--overwrite")
    assert result.returncode == 0
    assert (tmp_path / "run" / "thesis.txt").read_text() == "precious"


def test_an_output_that_is_or_crosses_a_file_is_refused(pellucid, tmp_path):
    (tmp_path / "file").write_text("precious")
    result = pellucid("train", "--out", "file")
    assert (result.returncode, "'file' is a file; give a folder" in result.stderr) == (1, True)
    result = pellucid("train", "--out", "file/run")
    assert result.returncode == 1
    assert "--out: cannot create 'file/run': Not a directory" in result.stderr
    assert (tmp_path / "file").read_text() == "precious"


def test_a_loss_that_is_not_a_number_ends_with_an_error_and_keeps_the_last_epoch(
    pellucid, tmp_path
):
    options = ("--limit", "50", "--batch-size", "50", "--lr", "1e10", "--out", "run")
    result = pellucid("train", *options)
    assert result.returncode == 1
    told = re.search(r"the loss became nan in epoch (\d), .*Use a lower learn", result.stderr)
    assert told is not None
    assert {path.name for path in (tmp_path / "run").iterdir()} == FILES | PICTURES
    assert len((tmp_path / "run" / "history.csv").read_text().splitlines()) == int(told[1])
    saved = library.load(tmp_path / "run" / "model.safetensors")
    assert np.isfinite(library.evaluate(saved, library.data.digits()[1]).loss)


def test_a_full_disk_is_told_and_leaves_the_old_run_whole(pellucid, tmp_path):
    pellucid("train", *SHORT, "--out", "run")
    before = {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()}
    limit = 100_000  # bytes a file: less than a model
    code = (
        f"import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}));"
        "from pellucid.cli import main; main(sys.argv[1:])"
    )
    result = pellucid("train", *SHORT, "--out", "run", "--overwrite", program=("-c", code))
    assert result.returncode == 1
    assert re.search(r"epoch 1 could not be written \(.*File too large", result.stderr)
    assert re.search(r"In 'run' nothing was changed\. Free some space", result.stderr)
    assert {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()} == before


def test_a_disk_that_is_full_before_the_pictures_are_drawn_loses_no_training(pellucid, tmp_path):
    code = (  # more bytes a file than this model takes, and fewer than a picture
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000));"
        "from pellucid.cli import main; main(sys.argv[1:])"
    )
    options = ("--model", "INPUT -> FC", "--out", "run")
    result = pellucid("train", *SHORT, *options, program=("-c", code))
    assert result.returncode == 1
    assert "final test accuracy" in result.stdout
    assert re.search(r"curves\.png could not be drawn \(.* are complete", result.stderr)
    assert pellucid("evaluate", "run").returncode == 0


def test_a_reader_that_has_gone_ends_the_training_without_a_traceback(start, tmp_path):
    with start("train", "--epochs", "500", "--limit", "20", "--out", "run", cwd=tmp_path) as head:
        assert head.stdout.readline().startswith("simple, 49,410 parameters")
        head.stdout.close()
        err = head.stderr.read()
        assert head.wait(300) == 1
    assert err == ""
    library.load(tmp_path / "run" / "model.safetensors")


# The bar is drawn ten times a second, and with small batches seldom while accuracy is measured.
LONGER = ("train", "--epochs", "20", "--batch-size", "10", "--out", "run")


def test_a_terminal_shows_loss_accuracy_speed_and_time_left(tmp_path):
    sent = on_terminal(80, tmp_path, *LONGER)
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", sent)
    bars = [line for line in re.split(r"[\r\n]+", plain) if "images/s" in line]
    assert any(
        re.match(r"epoch \d+/20 +━*[╸╺]?━* +loss \d\.\d{4}  test 0\.\d{4} ", b) for b in bars
    )
    assert any(re.search(r" [\d,]+ images/s \d\d:\d\d left", bar) for bar in bars)
    assert len({len(bar) for bar in bars}) == 1, "the bar jumps"
    assert max(map(len, bars)) <= 77, "no room for ^C"
    assert sent.rstrip().endswith("which classes are taken for which")
    assert sent.count("\x1b[?25h") >= sent.count("\x1b[?25l") > 0, "the cursor stays hidden"


def test_a_narrow_terminal_gets_the_numbers_and_no_bar(tmp_path):
    sent = on_terminal(50, tmp_path, *LONGER)
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", sent)
    assert re.search(
        r"epoch \d+/20 +loss \d\.\d{4}  test 0\.\d{4} +(\d\d:\d\d|-:--|--:--) left", plain
    )
    assert "━" not in plain.split("epoch 20/20")[0]


def test_no_color_is_heeded(tmp_path):
    sent = on_terminal(80, tmp_path, *LONGER, NO_COLOR="1")
    assert not re.search(r"\x1b\[[0-9;]*3[0-9][0-9;]*m", sent)


def test_both_engines_write_a_run_and_agree(pellucid, tmp_path):
    for engine in ("compiled", "numpy"):
        done = pellucid(
            "train", "--limit", "200", "--epochs", "2", "--engine", engine, "--out", engine
        )
        assert done.returncode == 0, done.stderr
    rows = [(tmp_path / e / "history.csv").read_text().splitlines() for e in ("compiled", "numpy")]
    fast, reference = (float(lines[-1].split(",")[1]) for lines in rows)
    assert fast == pytest.approx(reference, rel=1e-3)


def test_a_run_that_recomputes_says_so_and_has_the_same_bits(pellucid, tmp_path, short):
    done = pellucid("train", *SHORT, "--recompute", "--out", "again")
    assert done.returncode == 0, done.stderr
    assert same(weights(tmp_path / "again"), weights(short))
    assert tomllib.loads((tmp_path / "again" / "config.toml").read_text())["recompute"] is True
    more = pellucid("train", "--resume", "again", "--epochs", "4", "--no-recompute")
    assert more.returncode == 0, more.stderr
    refused = pellucid("train", *SHORT, "--recompute", "--engine", "numpy", "--out", "none")
    assert refused.returncode == 1
    assert "the engine is 'numpy'. Use --engine compiled" in " ".join(refused.stderr.split())
    assert not (tmp_path / "none").exists()
    assert "--recompute" in pellucid("train", "--help").stdout


def test_a_last_batch_that_cannot_be_learned_from_is_refused_before_anything_is_made(
    pellucid, tmp_path
):
    network = "INPUT -> CONV -> RELU -> POOL -> FC -> BN -> RELU -> FC"
    options = ("--model", network, "--limit", "101", "--epochs", "1")
    for out in (("--out", "run"), ()):
        result = pellucid("train", *options, *out, "--batch-size", "50")
        assert result.returncode == 1
        assert "--batch-size: 101 images in batches of 50 make the last batch" in result.stderr
        assert "Use --batch-size 51, or another number of images." in result.stderr
        assert not list((tmp_path).glob("run*/*"))
        assert not (tmp_path / "run").exists()
    assert pellucid("train", *options, "--batch-size", "51", "--out", "run").returncode == 0
