"""Train the book's network on the handwritten digits that come with Pellucid, and use it."""

import numpy as np

import pellucid
from pellucid import data, models

train, test = data.digits()
model = models.SimpleConvNet(
    train.image_shape,
    kernel_size=3,
    padding=1,
    weight_init=0.1,
    rng=np.random.default_rng(0),
)
print(pellucid.summary(model))

trainer = pellucid.Trainer(model, train, test, optimizer="adam", lr=0.001, epochs=10, batch_size=50)
history = trainer.fit()
print(f"test accuracy {history.epochs[-1].test_accuracy:.3f}")

pellucid.save(model, "digits.safetensors")
images, labels = test.batch([0, 1, 2])
print("is", labels, "taken for", pellucid.predict(model, images).argmax(axis=1))
