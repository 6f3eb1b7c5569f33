"""Training: the loop, callbacks and evaluation."""

from .averaging import WeightAverage
from .callbacks import BestModel, Callback, HistoryFile, LastModel
from .checkpoint import Checkpoint
from .early_stopping import EarlyStopping
from .engines import CompiledEngine, Engine, NumpyEngine
from .filter_file import FilterFile, FilterHistory, first_filters
from .history import EpochRecord, History
from .logs import JsonLinesLog, Log, TensorBoardLog
from .metrics import Evaluation, evaluate, predict
from .mlflow_log import MlflowLog
from .progress import ProgressBar
from .rate_test import RateTest, find_lr
from .state import Best, TrainingState
from .trainer import Trainer

__all__ = [
    "Best",
    "BestModel",
    "Callback",
    "Checkpoint",
    "CompiledEngine",
    "EarlyStopping",
    "Engine",
    "EpochRecord",
    "Evaluation",
    "FilterFile",
    "FilterHistory",
    "History",
    "HistoryFile",
    "JsonLinesLog",
    "LastModel",
    "Log",
    "MlflowLog",
    "NumpyEngine",
    "ProgressBar",
    "RateTest",
    "TensorBoardLog",
    "Trainer",
    "TrainingState",
    "WeightAverage",
    "evaluate",
    "find_lr",
    "first_filters",
    "predict",
]
