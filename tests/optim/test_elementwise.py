"""Rules say whether several processes may each update a part of an array."""

import pytest

from pellucid import optim


@pytest.mark.parametrize("rule", [optim.SGD, optim.AdaGrad, optim.RMSprop, optim.Adam, optim.AdamW])
def test_a_rule_says_whether_it_is_elementwise(rule):
    assert rule.elementwise

    class Mine(rule):
        """Its formula may be any."""

    class Said(rule):
        """One that says so."""

        elementwise = True

    assert not Mine.elementwise
    assert Said.elementwise
    assert not optim.Optimizer.elementwise


@pytest.mark.parametrize("rule", [optim.LARS, optim.LAMB])
def test_a_rule_of_norms_is_not_elementwise(rule):
    assert not rule.elementwise
