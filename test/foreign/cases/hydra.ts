import type { ForeignCase } from "../case";

const job = [".hydra/config.yaml", ".hydra/hydra.yaml", ".hydra/overrides.yaml", "train.log", "model.ckpt"];

export const hydra: ForeignCase = {
  name: "hydra",
  like: "a hydra application: a run, then a sweep, each in a dated folder",
  experiment: { train: { command: "python3 train.py && python3 train.py --multirun optimizer.lr=0.1,0.01" } },
  firstStep: /^\[[-\d]+ [:\d]+,\d+\]\[__main__\]\[INFO\] - epoch 1, step 5: loss 0\.4010$/,
  progress: { axis: "step", at: 30, values: { loss: 0.0767 } },
  home: [
    { from: "hydra/outputs", to: "", files: job.map((name) => `20*-*-*/*-*-*/${name}`) },
    {
      from: "hydra/multirun",
      to: "beside/multirun",
      files: ["20*-*-*/*-*-*/multirun.yaml", ...["0", "1"].flatMap((at) => job.map((name) => `20*/*/${at}/${name}`))],
    },
  ],
  stays: ["hydra/__pycache__/*"],
  inDefault: true,
};
