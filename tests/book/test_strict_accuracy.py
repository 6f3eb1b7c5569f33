"""With --strict the Trainer counts the images that the book's networks leave out."""

from __future__ import annotations

import numpy as np
import pytest

from pellucid.book.common.trainer import Trainer
from pellucid.book.settings import settings


class Knowing:
    """A network of the book's kind that knows every image, and counts as the book does."""

    params: dict = {}  # noqa: RUF012

    def gradient(self, x, t):
        return {}

    def loss(self, x, t):
        return 0.0

    def accuracy(self, x, t, batch_size=100):
        whole = int(len(x) / batch_size) * batch_size
        return float(np.sum(x[:whole, 0] == t[:whole])) / len(x)


@pytest.mark.parametrize(("strict", "accuracy"), [(False, 0.8), (True, 1.0)])
def test_the_last_images_count_in_a_strict_run(capsys, strict, accuracy):
    settings.strict = strict
    t = np.arange(250)
    trainer = Trainer(Knowing(), t[:, np.newaxis], t, t[:, np.newaxis], t, epochs=1)
    trainer.train()
    assert trainer.train_acc_list[0] == trainer.test_acc_list[0] == pytest.approx(accuracy)
    final = capsys.readouterr().out.splitlines()[-1]
    assert float(final.removeprefix("test acc:")) == pytest.approx(accuracy)


def test_a_network_that_takes_no_batch_size_is_asked_as_ever():
    settings.strict = True
    t = np.arange(250)
    network = Knowing()
    network.accuracy = lambda x, t: 0.5
    trainer = Trainer(network, t[:, np.newaxis], t, t[:, np.newaxis], t, epochs=1, verbose=False)
    trainer.train()
    assert set(trainer.test_acc_list) == {0.5}
