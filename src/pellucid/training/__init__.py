"""Training: the loop, callbacks and evaluation."""

from ..class_metrics import ClassMetrics
from .averaging import WeightAverage
from .calibration import Calibration
from .callbacks import BestModel, Callback, HistoryFile, LastModel
from .checkpoint import Checkpoint
from .early_stopping import EarlyStopping
from .engines import CompiledEngine, Engine, NumpyEngine
from .evaluation import Evaluation
from .filter_file import FilterFile, FilterHistory, first_filters
from .history import EpochRecord, History
from .logs import JsonLinesLog, Log, TensorBoardLog
from .metrics import evaluate, predict, scores
from .mlflow_log import MlflowLog
from .progress import ProgressBar
from .rate_test import RateTest, find_lr
from .state import Best, TrainingState
from .temperature import calibrated, fit_temperature
from .trainer import Trainer

__all__ = [
    "Best",
    "BestModel",
    "Calibration",
    "Callback",
    "Checkpoint",
    "ClassMetrics",
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
    "calibrated",
    "evaluate",
    "find_lr",
    "first_filters",
    "fit_temperature",
    "predict",
    "scores",
]
