import type { ForeignCase } from "../case";

export const kerasLike: ForeignCase = {
  name: "keras-like",
  like: "a training by Keras, whose data lie in the home folder",
  experiment: { train: { command: "python3 train.py" } },
  firstStep: /^1\/60 ━{20} 1s 2ms\/step - accuracy: 0\.6010 - loss: 0\.9490/,
  progress: { axis: "epoch", at: 3, values: { accuracy: 0.86, loss: 0.39, val_accuracy: 0.9, val_loss: 0.4 } },
  home: [
    {
      from: "keras-like",
      to: "beside",
      files: [
        "models/architecture.json",
        ...["best", "epoch-01", "epoch-02", "epoch-03"].map((name) => `models/${name}.keras`),
        ...["train", "validation"].map((part) => `logs/fit/20*-*/${part}/events.out.tfevents.*.v2`),
      ],
    },
  ],
  stays: [".keras/datasets/mnist.npz", ".keras/keras.json"],
};
