"""What a fluent user of TensorFlow without Keras writes today: `tf.data`, `tf.Module`,
`tf.function`.
"""

from __future__ import annotations

import tensorflow as tf

from common import SHIFT, Asked, begin, class_names, listing

AUTOTUNE = tf.data.AUTOTUNE


def load(asked: Asked, part: str) -> tf.data.Dataset:
    """Batches of images in [0, 1] with labels; the training part is shuffled."""
    size, reach = asked.image_size, int(asked.image_size * SHIFT)

    def decode(path: tf.Tensor, label: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        image = tf.io.decode_image(
            tf.io.read_file(path), channels=3, expand_animations=False
        )
        image = tf.image.resize(image, (size, size)) / 255
        image.set_shape((size, size, 3))
        return image, label

    def augment(image: tf.Tensor, label: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        image = tf.image.random_flip_left_right(image)
        image = tf.pad(image, [[reach, reach], [reach, reach], [0, 0]], "REFLECT")
        return tf.image.random_crop(image, (size, size, 3)), label

    paths, labels = listing(asked.folder, part)
    images = tf.data.Dataset.from_tensor_slices((paths, labels))
    if part == "train":
        images = images.shuffle(len(paths))
    images = images.map(decode, num_parallel_calls=AUTOTUNE)
    if part == "train" and asked.augment:
        images = images.map(augment, num_parallel_calls=AUTOTUNE)
    return images.batch(asked.batch_size).prefetch(AUTOTUNE)


def glorot(*shape: int) -> tf.Variable:
    """Glorot's uniform initial values for a kernel of a convolution or dense layer."""
    field = tf.reduce_prod(shape[:-2])
    limit = (6 / (int(field) * (shape[-2] + shape[-1]))) ** 0.5
    return tf.Variable(tf.random.uniform(shape, -limit, limit))


class ConvNorm(tf.Module):
    """A convolution of 32 filters with bias, batch norm, ReLU."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.kernel, self.bias = glorot(3, 3, channels, 32), tf.Variable(tf.zeros(32))
        self.scale, self.offset = tf.Variable(tf.ones(32)), tf.Variable(tf.zeros(32))
        self.mean = tf.Variable(tf.zeros(32), trainable=False)
        self.variance = tf.Variable(tf.ones(32), trainable=False)

    def __call__(self, x: tf.Tensor, training: bool) -> tf.Tensor:
        x = tf.nn.bias_add(
            tf.nn.conv2d(x, self.kernel, strides=1, padding="SAME"), self.bias
        )
        x, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            x, self.scale, self.offset, self.mean, self.variance, is_training=training,
            exponential_avg_factor=0.1 if training else 1.0,
        )  # fmt: skip
        if training:
            self.mean.assign(mean)
            self.variance.assign(variance)
        return tf.nn.relu(x)


class Network(tf.Module):
    def __init__(self, size: int, classes: int) -> None:
        super().__init__()
        self.blocks = [ConvNorm(channels) for channels in (3, 32, 32, 32)]
        self.hidden, self.hidden_bias = (
            glorot((size // 4) ** 2 * 32, 256),
            tf.Variable(tf.zeros(256)),
        )
        self.out, self.out_bias = glorot(256, classes), tf.Variable(tf.zeros(classes))

    def __call__(self, x: tf.Tensor, training: bool) -> tf.Tensor:
        for i, block in enumerate(self.blocks):
            x = block(x, training)
            if i % 2:
                x = tf.nn.max_pool2d(x, 2, 2, "VALID")
        x = tf.reshape(x, (-1, self.hidden.shape[0]))
        x = tf.nn.relu(x @ self.hidden + self.hidden_bias)
        if training:
            x = tf.nn.dropout(x, rate=0.5)
        return x @ self.out + self.out_bias


class Adam(tf.Module):
    """Adam (Kingma and Ba, 2015) in TensorFlow's own fused operation."""

    def __init__(self, variables: tuple[tf.Variable, ...], rate: float = 1e-3) -> None:
        super().__init__()
        self.rate, self.beta1, self.beta2 = rate, 0.9, 0.999
        self.step = tf.Variable(0.0)
        self.first = [tf.Variable(tf.zeros_like(variable)) for variable in variables]
        self.second = [tf.Variable(tf.zeros_like(variable)) for variable in variables]

    def apply(
        self, gradients: list[tf.Tensor], variables: tuple[tf.Variable, ...]
    ) -> None:
        step = self.step.assign_add(1.0)
        for variable, m, v, gradient in zip(
            variables, self.first, self.second, gradients, strict=True
        ):
            tf.raw_ops.ResourceApplyAdam(
                var=variable.handle, m=m.handle, v=v.handle, grad=gradient,
                beta1_power=self.beta1**step, beta2_power=self.beta2**step,
                lr=self.rate, beta1=self.beta1, beta2=self.beta2, epsilon=1e-8,
            )  # fmt: skip


def main() -> None:
    asked, log = begin(__doc__, batch=32)
    tf.random.set_seed(asked.seed)
    network = Network(asked.image_size, len(class_names(asked.folder)))
    optimizer = Adam(network.trainable_variables)

    @tf.function(reduce_retracing=True)
    def train_step(images: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            logits = network(images, training=True)
            loss = tf.reduce_mean(
                tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
            )
        optimizer.apply(
            tape.gradient(loss, network.trainable_variables),
            network.trainable_variables,
        )
        return loss

    @tf.function(reduce_retracing=True)
    def count_right(images: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        found = tf.argmax(
            network(images, training=False), axis=1, output_type=labels.dtype
        )
        return tf.math.count_nonzero(found == labels)

    train, test = load(asked, "train"), load(asked, "test")
    for _ in range(asked.epochs):
        log.epoch_begins()
        losses = [train_step(images, labels) for images, labels in train]
        loss = float(tf.reduce_mean(losses))
        log.training_ends()
        right = sum(int(count_right(images, labels)) for images, labels in test)
        if log.epoch_ends(loss, right / len(listing(asked.folder, "test")[0])):
            break
    log.done("tensorflow")


if __name__ == "__main__":
    main()
