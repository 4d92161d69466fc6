import type { ForeignCase } from "../case";

const checkpoint = ["config.json", "model.safetensors", "training_args.bin", "trainer_state.json"];
const state = ["optimizer.pt", "scheduler.pt", "rng_state.pth"];

export const hfTrainer: ForeignCase = {
  name: "hf-trainer",
  like: "an example of transformers, with its Trainer",
  experiment: { train: { command: "python3 run_classification.py --output_dir finetuned" } },
  firstStep: "{'loss': 0.65, 'grad_norm': 1.5, 'learning_rate': 4.166666666666667e-05, 'epoch': 0.5}",
  progress: { axis: "epoch", at: 3, values: { loss: 0.4, eval_loss: 0.35, eval_accuracy: 0.8 } },
  home: [
    {
      from: "hf-trainer/finetuned",
      to: "beside/finetuned",
      files: [
        // Older ones are removed while it trains.
        ...["checkpoint-20", "checkpoint-30"].flatMap((at) => [...checkpoint, ...state].map((name) => `${at}/${name}`)),
        ...checkpoint,
        ...["train_results.json", "eval_results.json", "all_results.json", "README.md"],
        "runs/*_*/events.out.tfevents.*",
      ],
    },
  ],
  stays: [".cache/huggingface/hub/models--bert-base-uncased/**", ".cache/huggingface/datasets/**"],
};
