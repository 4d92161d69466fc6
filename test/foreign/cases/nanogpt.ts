import type { ForeignCase } from "../case";

export const nanogpt: ForeignCase = {
  name: "nanogpt",
  like: "nanoGPT, whose config is a Python file and whose data setup prepares",
  experiment: {
    environment: { setup: "python data/shakespeare_char/prepare.py" },
    train: { command: "python train.py config/train_shakespeare_char.py" },
  },
  firstStep: "step 0: train loss 4.2000, val loss 4.2100",
  progress: { axis: "step", at: 60, values: { loss: 1.05 } },
  home: [{ from: "nanogpt", to: "beside", files: ["out-shakespeare-char/ckpt.pt"] }],
  stays: ["input.txt", "train.bin", "val.bin", "meta.pkl"].map((name) => `nanogpt/data/shakespeare_char/${name}`),
};
