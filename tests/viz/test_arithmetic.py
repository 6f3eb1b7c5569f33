"""The arithmetic of a unit: what is written adds up to the engine's number."""

from __future__ import annotations

import numpy as np

from nn.cases import Case, every_case
from viz.added_up import plain_values_of, require_added_up, units_of, values_of


def image_of(case: Case) -> np.ndarray:
    return np.array(case.arrays(np.float32)[0][0])


@every_case
def test_the_numbers_of_every_layer_add_up_to_the_one_in_its_map(case: Case):
    model = case.build().astype(np.float32).eval()
    x = image_of(case)
    by_engine, by_layers = values_of(model, x), plain_values_of(model, x)
    for k, value in enumerate(by_engine[1:], 1):
        units = units_of(value.shape)
        for unit in units:
            assert require_added_up(model, by_engine, k, unit)["exact"]
        for unit in units[:: max(len(units) // 2, 1)]:
            require_added_up(model, by_layers, k, unit)
