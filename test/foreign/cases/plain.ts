import type { ForeignCase } from "../case";

export const plain: ForeignCase = {
  name: "plain",
  like: "a script, which prints its arguments and writes where it stands",
  experiment: { train: { command: "python3 train.py" } },
  firstStep: "Epoch 1: loss=68.7818, lr=0.01",
  progress: { axis: "epoch", at: 3, values: { loss: 6.0622 } },
  home: [{ from: "plain", to: "beside", files: ["model.pt", "log.txt"] }],
  stays: [],
};
