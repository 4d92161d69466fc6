import type { ForeignCase } from "../case";

export const makePoetry: ForeignCase = {
  name: "make-poetry",
  like: "a project of poetry with a Makefile, whose recipes need bash",
  experiment: { environment: { setup: "make install" }, train: { command: "make train" } },
  firstStep: "Epoch [1/3] | Train loss: 1.0000 | 0.4s",
  progress: { axis: "epoch", at: 3, values: { loss: 0.3333, train_loss: 0.3333 } },
  home: [
    { from: "make-poetry/outputs", to: "", files: ["baseline/model.pt", "baseline/history.json"] },
    { from: "make-poetry", to: "beside", files: ["train.log"] },
  ],
  stays: [".local/bin/poetry", "make-poetry/.venv/**", "make-poetry/recognizer/__pycache__/*"],
};
