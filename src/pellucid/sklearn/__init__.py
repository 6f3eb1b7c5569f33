"""Convolutional networks as scikit-learn estimators.

`import pellucid` does not import this package: it needs scikit-learn, which
``pip install "pellucid[sklearn]"`` installs.

>>> from pellucid.sklearn import ConvNetClassifier
>>> from sklearn.datasets import load_digits
>>> X, y = load_digits(return_X_y=True)
>>> classifier = ConvNetClassifier(image_shape=(1, 8, 8), epochs=5, random_state=0)
>>> classifier.fit(X[:1500], y[:1500]).score(X[1500:], y[1500:]) > 0.85
True
"""

from ..extras import extra

extra("sklearn.base", "sklearn", "pellucid.sklearn")

from .classifier import ConvNetClassifier  # noqa: E402  # after the advice on a missing package

__all__ = ["ConvNetClassifier"]
