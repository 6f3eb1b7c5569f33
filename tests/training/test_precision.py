"""The precision of a training: asked for by name, kept in its state, and of no weight."""

from __future__ import annotations

import numpy as np
import pytest

from pellucid import data, nn
from pellucid.engine.cpu.backend import CPUBackend
from pellucid.errors import ArgumentError, StateDictError
from pellucid.training import CompiledEngine, NumpyEngine, Trainer, TrainingState, evaluate, predict
from pellucid.training.kept_plans import PLACE

TRAIN, TEST = data.digits()


class AnyMachine(CPUBackend):
    precisions = ("bf16",)


def network():
    rng = np.random.default_rng(0)
    return nn.Sequential(
        nn.Flatten(), nn.Linear(64, 2048, rng=rng), nn.ReLU(), nn.Linear(2048, 10, rng=rng)
    )


def trainer(precision="bf16", **options):
    options = {"epochs": 2, "engine": CompiledEngine(AnyMachine(), precision=precision), **options}
    return Trainer(network(), TRAIN.take(200), TEST, **options)


def test_a_training_in_bf16_learns_as_well_and_keeps_weights_of_float32():
    both = {name: trainer(name, epochs=6) for name in ("float32", "bf16")}
    accuracy = {name: one.fit().epochs[-1].test_accuracy for name, one in both.items()}
    weights = {name: one.model[1].weight.data for name, one in both.items()}
    assert "bf16 product" in str(both["bf16"]._run)
    assert "bf16" not in str(both["float32"]._run)
    assert accuracy["bf16"] == pytest.approx(accuracy["float32"], abs=0.02)
    assert accuracy["bf16"] > 0.6
    assert weights["bf16"].dtype == np.float32
    assert (weights["bf16"].view(np.uint32) & 0xFFFF).any()  # more bits than a bfloat16 has
    assert not (weights["bf16"] == weights["float32"]).all()
    assert both["bf16"].precision == "bf16"


def test_a_state_tells_the_precision_and_resumes_with_no_other(tmp_path):
    one = trainer()
    one.fit()
    one.state().save(tmp_path / "state")
    state = TrainingState.load(tmp_path / "state")
    assert state.recipe["precision"] == "bf16"
    with pytest.raises(StateDictError, match="saved with precision bf16, and this Trainer has fl"):
        trainer("float32", epochs=4).load_state(state)
    again, whole = trainer(epochs=4), trainer(epochs=4)
    again.load_state(state)
    again.fit()
    whole.fit()
    ours, theirs = (each.model.state_dict() for each in (again, whole))
    assert all(ours[key].tobytes() == theirs[key].tobytes() for key in ours)
    del state.recipe["precision"]  # as all states were until then, in float32
    with pytest.raises(StateDictError, match="saved with precision float32"):
        trainer().load_state(state)


def test_other_engines_refuse_it_and_a_trainer_keeps_it():
    with pytest.raises(ArgumentError, match=r"^precision: 'bf16' is computed by compiled kernels"):
        Trainer(network(), TRAIN, engine="numpy", precision="bf16")
    with pytest.raises(ArgumentError, match=r"^precision: .* the engine is NumpyEngine"):
        predict(network(), TEST.take(3), engine=NumpyEngine(), precision="bf16")
    with pytest.raises(ArgumentError, match=r"^precision: must be 'float32' or 'bf16', received"):
        CompiledEngine(precision="half")
    with pytest.raises(ArgumentError, match=r"^precision: cannot be replaced after a Trainer"):
        trainer().precision = "float32"
    assert repr(CompiledEngine(precision="bf16")) == "CompiledEngine(precision='bf16')"


def test_a_model_is_measured_in_either_precision_by_a_plan_of_each(recwarn):
    model = network()
    exact = evaluate(model, TEST.take(100))
    rounded = evaluate(model, TEST.take(100), precision="bf16")
    assert rounded.loss == pytest.approx(exact.loss, rel=0.01)
    for precision in ("float32", "bf16", "float32", "bf16"):
        predict(model, TEST.take(100), precision=precision)
    kept = vars(model)[PLACE]
    assert sorted(plan.asked for _, plan in kept._plans) == ["bf16", "float32"]
