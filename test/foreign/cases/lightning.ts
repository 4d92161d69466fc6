import type { ForeignCase } from "../case";

export const lightning: ForeignCase = {
  name: "lightning",
  like: "PyTorch Lightning, with a sanity check first and progress bars",
  experiment: { train: { command: "python3 main.py fit --config configs/mnist.yaml" } },
  firstStep: "Epoch 0:  10%|█         | 1/10 [00:00<00:00, 31.02it/s]",
  progress: { axis: "epoch", at: 2, values: { train_loss: 0.6, val_loss: 0.4 } },
  home: [
    {
      from: "lightning",
      to: "beside",
      files: [
        "lightning_logs/version_0/metrics.csv",
        "lightning_logs/version_0/hparams.yaml",
        "lightning_logs/version_0/config.yaml",
        "lightning_logs/version_0/checkpoints/epoch=2-step=30.ckpt",
        "lightning_logs/version_0/checkpoints/last.ckpt",
      ],
    },
  ],
  stays: ["lightning/data/MNIST/raw/*", "lightning/mnist/__pycache__/*"],
};
