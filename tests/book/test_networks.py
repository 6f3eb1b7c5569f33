"""`MultiLayerNet`, `MultiLayerNetExtend` and `Trainer` against the oracle, from the same seed."""

from __future__ import annotations

import numpy as np
import pytest

from book.oracle import layers as oracle_layers
from book.oracle import multi_layer_net as oracle
from book.oracle import trainer as oracle_trainer
from pellucid.book.common import layers, multi_layer_net, multi_layer_net_extend, trainer
from pellucid.book.settings import settings
from pellucid.errors import ArgumentError

PLAIN = multi_layer_net.MultiLayerNet, oracle.MultiLayerNet
EXTENDED = multi_layer_net_extend.MultiLayerNetExtend, oracle.MultiLayerNetExtend
CASES = [
    (PLAIN, {}),
    (PLAIN, {"activation": "sigmoid", "weight_init_std": "Xavier", "weight_decay_lambda": 0.1}),
    (PLAIN, {"weight_init_std": 0.01}),
    (EXTENDED, {"use_batchnorm": True}),
    (EXTENDED, {"use_dropout": True, "dropout_ration": 0.2, "weight_init_std": "sigmoid"}),
    (EXTENDED, {"use_dropout": True, "use_batchnorm": True, "weight_decay_lambda": 0.01}),
]


def seeded(make, *args, **kwargs):
    np.random.seed(7)  # noqa: NPY002
    return make(*args, **kwargs)


@pytest.mark.parametrize(("both", "options"), CASES)
def test_a_network_begins_with_the_oracles_weights_and_layers(both, options):
    ours, theirs = (seeded(kind, 64, [20, 30], 10, **options) for kind in both)
    assert ours.params.keys() == theirs.params.keys()
    for key, p in ours.params.items():
        np.testing.assert_array_equal(p, theirs.params[key])
    assert list(ours.layers) == list(theirs.layers)
    for i in (1, 2, 3):
        assert ours.layers[f"Affine{i}"].W is ours.params[f"W{i}"]


@pytest.mark.parametrize(("both", "options"), CASES)
def test_a_network_learns_along_the_oracles_curve(both, options, digits):
    (x, t), (x_test, t_test) = digits
    x, x_test = x.reshape(len(x), -1), x_test.reshape(len(x_test), -1)
    curves = []
    for kind, kit in zip(both, (trainer, oracle_trainer), strict=True):
        network = seeded(kind, 64, [50, 30], 10, **options)
        training = kit.Trainer(
            network, x, t, x_test, t_test, epochs=1, mini_batch_size=14, optimizer="adam",
            optimizer_param={"lr": 0.003}, verbose=False,
        )  # fmt: skip
        training.train()
        assert len(training.train_loss_list) == 100
        curves.append((training.train_loss_list, training.train_acc_list, training.test_acc_list))
    np.testing.assert_allclose(curves[0][0], curves[1][0], rtol=1e-3, atol=1e-4)
    # A bias before a batch norm has no gradient: Adam makes steps of what rounding leaves of it.
    close = 1e-3 if options.get("use_batchnorm") else 1e-5
    np.testing.assert_allclose(curves[0][0][:20], curves[1][0][:20], rtol=close)
    np.testing.assert_allclose(curves[0][1:], curves[1][1:], atol=0.005)


@pytest.mark.parametrize(("both", "options"), [CASES[1], CASES[3], CASES[5]])
def test_a_networks_gradient_passes_the_check(both, options):
    x, t = np.random.default_rng(0).random((9, 5)), np.arange(9) % 3
    network = seeded(both[0], 5, [4, 6], 3, **options)
    if options.get("use_dropout"):
        for name in ("Dropout1", "Dropout2"):
            network.layers[name].dropout_ratio = -1  # keeps everything: the check draws anew
    numerical, exact = network.numerical_gradient(x, t), network.gradient(x, t)
    assert numerical.keys() == exact.keys()
    for key in exact:
        np.testing.assert_allclose(exact[key], numerical[key], atol=1e-5, err_msg=key)


def test_accuracy_takes_both_forms_of_labels():
    network = seeded(PLAIN[0], 4, [5], 3)
    x = np.random.default_rng(0).random((10, 4))
    guessed = network.predict(x).argmax(axis=1)
    wrong = guessed.copy()
    wrong[:4] = (wrong[:4] + 1) % 3
    assert network.accuracy(x, guessed) == 1
    assert network.accuracy(x, wrong) == network.accuracy(x, np.eye(3)[wrong]) == 0.6


def test_names_that_are_unknown_are_answered_with_those_that_are():
    with pytest.raises(ArgumentError, match="Did you mean 'relu'"):
        multi_layer_net.MultiLayerNet(4, [5], 3, activation="rellu")
    with pytest.raises(ArgumentError, match="Did you mean 'xavier'"):
        multi_layer_net.MultiLayerNet(4, [5], 3, weight_init_std="xaver")
    with pytest.raises(ArgumentError, match="Did you mean 'adam'"):
        trainer.Trainer(None, np.zeros((1, 1)), None, None, None, optimizer="adamm")


class ConvNet:
    """A network as the book's chapter 7 has it, of either kit's layers."""

    def __init__(self, kit):
        rng = np.random.RandomState(3)
        self.params = {
            "W1": 0.1 * rng.randn(12, 1, 3, 3), "b1": np.zeros(12),
            "W2": 0.1 * rng.randn(12, 12, 3, 3), "b2": np.zeros(12),
            "W3": 0.1 * rng.randn(12 * 3 * 3, 10), "b3": np.zeros(10),
        }  # fmt: skip
        self.layers = [
            kit.Convolution(self.params["W1"], self.params["b1"], 1, 1), kit.Relu(),
            kit.Convolution(self.params["W2"], self.params["b2"]), kit.Relu(), kit.Pooling(2, 2, 2),
            kit.Affine(self.params["W3"], self.params["b3"]), kit.Dropout(0.2),
        ]  # fmt: skip
        self.last_layer = kit.SoftmaxWithLoss()

    def predict(self, x, train_flg=False):
        for layer in self.layers[:-1]:
            x = layer.forward(x)
        return self.layers[-1].forward(x, train_flg)

    def loss(self, x, t):
        return self.last_layer.forward(self.predict(x, train_flg=True), t)

    def accuracy(self, x, t):
        return np.mean(self.predict(x).argmax(axis=1) == t)

    def gradient(self, x, t):
        self.loss(x, t)
        dout = self.last_layer.backward(1)
        for layer in reversed(self.layers):
            dout = layer.backward(dout)
        grads = {}
        for number, layer in enumerate((self.layers[0], self.layers[2], self.layers[5]), 1):
            grads[f"W{number}"], grads[f"b{number}"] = layer.dW, layer.db
        return grads


@pytest.mark.parametrize("rule", ["SGD", "Momentum", "Adam"])
def test_a_convolutional_network_learns_along_the_oracles_curve(digits, rule, capsys):
    (x, t), (x_test, t_test) = digits
    curves, printed = [], []
    for kit, kind in ((layers, trainer.Trainer), (oracle_layers, oracle_trainer.Trainer)):
        np.random.seed(11)  # noqa: NPY002
        training = kind(
            ConvNet(kit), x, t, x_test, t_test, epochs=1, mini_batch_size=14, optimizer=rule,
            optimizer_param={"lr": 0.003 if rule == "Adam" else 0.02},
            evaluate_sample_num_per_epoch=200,
        )  # fmt: skip
        training.train()
        curves.append(training.train_loss_list)
        printed.append(capsys.readouterr().out.splitlines())
    np.testing.assert_allclose(curves[0], curves[1], rtol=2e-3)
    np.testing.assert_allclose(curves[0][:20], curves[1][:20], rtol=2e-5)
    assert [line.split(":")[0] for line in printed[0]] == [
        line.split(":")[0] for line in printed[1]
    ]


def test_the_printed_lines_are_the_books(capsys):
    class Stub:
        def __init__(self):
            self.params = {}

        def gradient(self, x, t):
            return {}

        def loss(self, x, t):
            return np.float64(2.5)

        def accuracy(self, x, t):
            return len(x) / 1000

    x, t = np.zeros((20, 3)), np.zeros(20)
    training = trainer.Trainer(
        Stub(), x, t, x, t, epochs=2, mini_batch_size=10, optimizer="sgd",
        evaluate_sample_num_per_epoch=5,
    )  # fmt: skip
    training.train()
    epoch = "=== epoch:{}, train acc:0.005, test acc:0.005 ==="
    final = ["=============== Final Test Accuracy ===============", "test acc:0.02"]
    loss = "train loss:2.5"
    expected = [loss, epoch.format(1), loss, loss, epoch.format(2), loss, *final]
    assert capsys.readouterr().out.splitlines() == expected
    training.verbose = False
    training.train()
    assert capsys.readouterr().out == ""


def test_an_epoch_that_is_no_whole_number_of_steps_is_rarely_evaluated_unless_strict():
    class Stub:
        def __init__(self):
            self.params = {}

        gradient = staticmethod(lambda x, t: {})
        loss = staticmethod(lambda x, t: 0.0)
        accuracy = staticmethod(lambda x, t: 0.0)

    x, t = np.zeros((1000, 1)), np.zeros(1000)
    counts = {}
    for settings.strict in (False, True):
        training = trainer.Trainer(Stub(), x, t, x, t, 8, 128, verbose=False)
        training.train()
        counts[settings.strict] = training.iter_per_epoch, training.max_iter, training.current_epoch
    assert counts[False] == (7.8125, 62, 1)
    assert counts[True] == (7, 56, 8)


def test_every_spelling_of_a_rule_is_understood():
    for name, kind in (("SGD", "SGD"), ("rmsprpo", "RMSprop"), ("AdaGrad", "AdaGrad")):
        training = trainer.Trainer(
            None, np.zeros((1, 1)), None, None, None, optimizer=name, optimizer_param={"lr": 0.5}
        )
        assert type(training.optimizer).__name__ == kind
        assert training.optimizer.lr == 0.5
