"""Everything that decides a training run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from ..errors import ArgumentError
from ..networks import NETWORKS
from ..precision import Precision
from .config import read_config
from .fields import setting, settings_in

if TYPE_CHECKING:
    from ..typing import PathLike

__all__ = ["Settings"]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything that decides a training run; two runs with equal settings are equal bit for bit.

    To add a setting, add a field here and use it in `pellucid.runs.begin`: the option of ``pellucid
    train``, the line in config.toml, the check and the report's labels follow from the field.

    Raises
    ------
    ArgumentError
        If a value has the wrong type, is out of range, or is not one of the choices.

    Examples
    --------
    >>> Settings(epochs=3).epochs, Settings().data
    (3, 'digits')
    >>> Settings(epochs=0)
    Traceback (most recent call last):
    pellucid.errors.ArgumentError: epochs: must be 1 or more, received 0.
    """

    data: str = setting(
        "digits",
        "Data set: digits (embedded), mnist, ... (pellucid data list); or a folder or zip "
        "archive with a folder of images for each class, perhaps below train/ and test/.",
        metavar="NAME|PATH",
        en="data set",
        ko="데이터",
    )
    data_dir: Path | None = setting(
        None,
        "Folder that holds its files.",
        metavar="FOLDER",
        otherwise="searched for",
        en="its folder",
        ko="데이터 폴더",
        on_resume=True,
    )
    model: str | None = setting(
        None,
        f"Network: {', '.join(NETWORKS)}; simple is the book's, and the default. Or a pattern "
        'as "INPUT -> [CONV -> RELU -> POOL]*2 -> FC".',
        metavar="NAME",
        en="network",
        ko="신경망",
    )
    source: Path | None = setting(
        None,
        "Start from a trained network: a run folder, a model file, or PyTorch's weights as "
        "safetensors or .pth with --model. Its last layer is replaced if the classes differ.",
        key="from",
        metavar="RUN|FILE",
        en="started from",
        ko="출발점으로 삼은 모델",
    )
    freeze: str | None = setting(
        None,
        "Layers that are not trained, e.g. conv*,bn1 (pellucid summary lists them), or "
        "all-but-last.",
        metavar="LAYERS",
        en="frozen layers",
        ko="학습하지 않은 계층",
    )
    rates: str | None = setting(
        None,
        "Multiply the learning rate of some layers, e.g. conv*=0.1,affine1=0.5.",
        metavar="LIST",
        en="learning-rate multipliers",
        ko="계층별 학습률 배수",
    )
    epochs: int | None = setting(
        None,
        "Passes over the data.",
        metavar="N",
        least=1,
        otherwise="20; digits 40",
        en="epochs",
        ko="에폭",
        on_resume=True,
    )
    patience: int | None = setting(
        None,
        "Stop after N epochs without a better accuracy on the validation set (without one, on the "
        "test set).",
        metavar="N",
        least=1,
        otherwise="train all epochs",
        en="epochs without improvement before stopping",
        ko="개선 없이 기다리는 에폭 수",
        on_resume=True,
    )
    min_delta: float | None = setting(
        None,
        "By how much the accuracy must rise to be better, for --patience.",
        metavar="X",
        otherwise="0",
        en="smallest improvement that counts",
        ko="개선으로 치는 최소 상승폭",
        on_resume=True,
    )
    keep: Literal["best", "last", "both"] | None = setting(
        None,
        "Keep the model of the best epoch (best.safetensors), of the last (model.safetensors), or "
        "both.",
        metavar="NAME",
        otherwise="both with a validation set, else last",
        en="epochs kept",
        ko="보관하는 에폭",
    )
    batch_size: int | None = setting(
        None,
        "Images per step.",
        metavar="N",
        least=1,
        otherwise="100; digits 50",
        en="batch size",
        ko="배치 크기",
    )
    lr: float | None = setting(
        None,
        "Learning rate.",
        metavar="X",
        otherwise="the optimizer's own",
        en="learning rate",
        ko="학습률",
    )
    scale_lr: int | None = setting(
        None,
        "--lr is the rate for batches of BASE images: it is multiplied by the ratio of "
        "--batch-size to BASE, or by the root of that, as --lr-scaling says.",
        metavar="BASE",
        least=1,
        otherwise="--lr is that for --batch-size",
        en="learning rate given for batches of",
        ko="학습률의 기준 배치 크기",
    )
    lr_scaling: Literal["linear", "sqrt"] | None = setting(
        None,
        "How --scale-lr multiplies: by the ratio of the batch sizes, or by its square root.",
        metavar="linear|sqrt",
        otherwise="linear for sgd, momentum, nesterov and lars, sqrt for the others",
        en="learning-rate scaling",
        ko="학습률을 키우는 방식",
    )
    schedule: str | None = setting(
        None,
        "How the learning rate changes: cosine (to 0), one-cycle (up to --lr, then to 0), steps "
        "(a tenth after half of the training and again after three quarters).",
        metavar="NAME",
        otherwise="constant",
        en="learning-rate schedule",
        ko="학습률 조정",
    )
    warmup: float | None = setting(
        None,
        "Raise the learning rate to --lr over the first N epochs (0.5 is half an epoch), before "
        "the schedule begins; with --scale-lr from --lr to the scaled rate.",
        metavar="N",
        otherwise="none",
        least=0,
        en="warm-up epochs",
        ko="워밍업 에폭",
    )
    weight_decay: float | None = setting(
        None,
        "Weight decay of every optimizer: L2, and for adamw and lamb decoupled. Biases and norms "
        "are not decayed.",
        metavar="X",
        otherwise="0; adamw 0.01",
        least=0,
        en="weight decay",
        ko="가중치 감소",
    )
    decay_all: bool = setting(
        False,
        "Weight decay on biases and norms too, as version 0.2 did for adamw.",
        en="biases and norms decayed too",
        ko="편향과 정규화 계층도 감소",
    )
    clip_norm: float | None = setting(
        None,
        "Scale the gradients of each step down to this norm at most.",
        metavar="X",
        otherwise="not clipped",
        en="gradient norm at most",
        ko="기울기 노름 상한",
    )
    class_weights: str | None = setting(
        None,
        "How much the images of each class count in the loss: balanced (every class the same in "
        "all), numbers in the order of the classes (1,2.5,1), or some by name (cat=2.5).",
        metavar="balanced|LIST",
        otherwise="all 1",
        en="class weights",
        ko="클래스 가중치",
    )
    label_smoothing: float | None = setting(
        None,
        "Share of each label that is spread evenly over all classes, e.g. 0.1.",
        metavar="X",
        otherwise="none",
        least=0,
        en="label smoothing",
        ko="레이블 스무딩",
    )
    ema: float | None = setting(
        None,
        "Measure and save an exponential moving average of the weights, with this decay per "
        "step, e.g. 0.999.",
        metavar="DECAY",
        otherwise="the weights themselves",
        en="moving average of the weights",
        ko="가중치 이동 평균",
    )
    optimizer: str = setting(
        "adam",
        "sgd, momentum, nesterov, adagrad, rmsprop, adam, adamw, lars or lamb.",
        metavar="NAME",
        en="optimizer",
        ko="매개변수 갱신 방법",
    )
    init: str | None = setting(
        None,
        "Initial weights: he, xavier, or a standard deviation.",
        metavar="X",
        otherwise="he, or as published with the network; for simple 0.01, digits 0.1",
        en="initial weights",
        ko="가중치 초깃값",
    )
    augment: str | None = setting(
        None,
        "Change each training image at random: flip (left-right), cropN (shift by up to N "
        "pixels), rotateX (by up to X degrees), scaleX and brightnessX (by up to the fraction "
        "X), cutoutN (hide a square of N pixels a side), erase (hide a rectangle of half of the "
        "images; eraseX: of the share X), mixupX and cutmixX (mix two images and their labels, "
        "in shares from Beta(X, X)). E.g. flip,crop4,rotate10,mixup0.2.",
        metavar="LIST",
        en="augmentation",
        ko="데이터 확장",
    )
    last_batch: Literal["keep", "drop"] | None = setting(
        None,
        "Train on the last batch of an epoch if it is smaller (keep), or leave it out (drop).",
        metavar="keep|drop",
        otherwise="keep",
        en="smaller last batch",
        ko="작은 마지막 배치",
    )
    normalize: bool = setting(
        False,
        "Start the network with a layer that gives each channel mean 0 and standard deviation "
        "1 over the training images; saved with the model.",
        en="inputs normalized",
        ko="입력 정규화",
    )
    size: str | None = setting(
        None,
        "Resize the images of a folder.",
        metavar="N|HxW",
        otherwise="they must all have one size",
        en="images resized to",
        ko="이미지 크기 조정",
    )
    channels: int | None = setting(
        None,
        "Read a folder's images as grey (1) or RGB (3).",
        metavar="N",
        least=1,
        most=3,
        otherwise="as they are",
        en="channels",
        ko="채널 수",
    )
    held_out: float | None = setting(
        None,
        "Fraction of each class to test on, if a folder has no test/.",
        metavar="X",
        otherwise="0.2",
        en="fraction held out",
        ko="시험용으로 떼어 둔 비율",
    )
    validation: float | None = setting(
        None,
        "Fraction of each class of the training images to choose by: epochs, --patience and "
        "--keep best go by it, and the test set is measured once, at the end.",
        metavar="X",
        otherwise="a folder's own val/ beside test/, else none",
        en="fraction for validation",
        ko="검증용으로 떼어 둔 비율",
    )
    calibrate: bool = setting(
        False,
        "Divide the model's scores by a temperature, so that it is right as often as its "
        "probabilities say: fitted to the validation set after the training, and saved with the "
        "model.",
        en="calibrated",
        ko="확률 보정",
        on_resume=True,
    )
    split_seed: int | None = setting(
        None,
        "Seed of the draw of the images for test and validation.",
        metavar="N",
        least=0,
        otherwise="that of --seed",
        en="seed of the split",
        ko="데이터 분할 시드",
    )
    drawings: bool = setting(
        False,
        "The pictures of a folder show digits or the like on a plain background: find each "
        "drawing, and make it white on black, centred, of MNIST's size. Saved with the model.",
        en="drawings found and centred",
        ko="그림을 찾아 가운데로 맞춤",
    )
    skip_corrupt: bool = setting(
        False,
        "Leave out images that cannot be decoded.",
        en="corrupt images left out",
        ko="손상된 이미지 건너뛰기",
    )
    skip_empty: bool = setting(
        False,
        "Leave out class folders without images.",
        en="empty class folders left out",
        ko="빈 클래스 폴더 건너뛰기",
    )
    cache: Literal["disk", "none"] | None = setting(
        None,
        "Where a folder's images stay that do not fit into memory: disk (decoded once, kept in "
        "Pellucid's cache: pellucid data cache) or none (decoded again in every epoch).",
        metavar="NAME",
        otherwise="disk",
        en="cache of decoded images",
        ko="디코딩한 이미지의 캐시",
        on_resume=True,
    )
    engine: Literal["compiled", "numpy"] = setting(
        "compiled",
        "compiled (kernels by Numba) or numpy (the plain layers).",
        metavar="NAME",
        en="engine",
        ko="계산 엔진",
        on_resume=True,
        older={"fast": "compiled", "reference": "numpy"},
    )
    precision: Precision = setting(
        "float32",
        "float32, or bf16: large products round their factors to 8 bits of mantissa, where the "
        "processor can; weights and sums stay float32.",
        metavar="NAME",
        en="precision of products",
        ko="곱셈 정밀도",
    )
    recompute: bool = setting(
        False,
        "Less memory for a little more time: outputs of activations, normalizations, sums and the "
        "like are forgotten, and computed again in backward. The result is the same, bit for bit.",
        en="cheap outputs recomputed",
        ko="가벼운 출력 다시 계산",
        on_resume=True,
    )
    chunks: int = setting(
        8,
        "Cut each batch into N chunks, whose sums are added pairwise: a power of two, at least the "
        "number of ranks of mpiexec. Another number gives other last bits.",
        metavar="N",
        least=1,
        en="chunks of a batch",
        ko="배치 조각 수",
    )
    seed: int = setting(
        0,
        "Seed of the initial weights, the order of images, and everything else random.",
        metavar="N",
        least=0,
        en="random seed",
        ko="난수 시드",
    )
    limit: int | None = setting(
        None,
        "Use only N training images, of a folder spread over the classes.",
        metavar="N",
        least=1,
        en="training images at most",
        ko="훈련 이미지 수 제한",
    )
    evaluate_samples: int = setting(
        10_000,
        "Measure accuracy after each epoch on at most N images.",
        metavar="N",
        least=1,
        en="images measured after each epoch",
        ko="에폭마다 재는 이미지 수",
        on_resume=True,
    )
    checkpoint_minutes: float | None = setting(
        None,
        "Write a checkpoint every N minutes within long epochs; 0 after every batch. There is one "
        "after each epoch, too.",
        metavar="N",
        least=0,
        otherwise="5",
        en="minutes between checkpoints",
        ko="체크포인트 간격(분)",
        on_resume=True,
    )
    log: str | None = setting(
        None,
        "Also log every step: jsonl (log.jsonl in the run folder), tensorboard (in its folder "
        "tensorboard/), mlflow (where MLFLOW_TRACKING_URI says). E.g. jsonl,tensorboard.",
        metavar="LIST",
        en="logged to",
        ko="기록 방식",
        on_resume=True,
    )

    def __post_init__(self) -> None:
        for name, one in settings_in(type(self)).items():
            value = getattr(self, name)
            one.require(value)
            if value is not None:  # a path given as text, a number of NumPy's
                object.__setattr__(self, name, one.kind(value))

    @classmethod
    def read(cls, path: PathLike) -> Self:
        """Return the settings of a run: a run folder, or its config.toml.

        Raises
        ------
        DataNotFoundError, FileFormatError
            As `read_config`.
        """
        return cls(**read_config(path, cls))

    def require_resumable(self, earlier: Settings) -> None:
        """Refuse to go on with a training whose settings were other ones, but for what may change.

        Raises
        ------
        ArgumentError

        Examples
        --------
        >>> Settings(epochs=9).require_resumable(Settings(epochs=3))
        >>> Settings(seed=1).require_resumable(Settings(seed=0))
        Traceback (most recent call last):
        pellucid.errors.ArgumentError: seed: is 1, but the training began with 0. Leave it as it was, or start a new training.
        """  # noqa: E501
        for name, one in settings_in(type(self)).items():
            now, then = getattr(self, name), getattr(earlier, name)
            if now != then and not one.on_resume:
                raise ArgumentError(
                    f"is {_value(now)}, but the training began with {_value(then)}. Leave it as it "
                    "was, or start a new training.",
                    where=name,
                )


def _value(value: Any) -> str:
    return "not given" if value is None else str(value)
