import type { ForeignCase } from "../case";

const state = ["pytorch_model.bin", "optimizer.bin", "scheduler.bin", "random_states_0.pkl"];

export const accelerate: ForeignCase = {
  name: "accelerate",
  like: "a training by `accelerate launch`, which setup puts into ~/.local/bin",
  experiment: {
    environment: { setup: "./setup.sh" },
    train: { command: "accelerate launch train.py --output_dir checkpoints" },
  },
  firstStep: "Steps:   3%|          | 1/30 [00:02<00:10,  2.46it/s]",
  progress: { axis: "step", at: 30, values: { step_loss: 0.0167 } },
  home: [
    {
      from: "accelerate/checkpoints",
      to: "beside/checkpoints",
      files: ["checkpoint_0", "checkpoint_1"].flatMap((at) => state.map((name) => `${at}/${name}`)),
    },
  ],
  stays: [".local/bin/accelerate", ".cache/huggingface/accelerate/default_config.yaml"],
};
