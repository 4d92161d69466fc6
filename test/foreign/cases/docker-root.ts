import type { ForeignCase } from "../case";

export const dockerRoot: ForeignCase = {
  name: "docker-root",
  like: "a training in a container as root, which writes into mounted folders",
  experiment: {
    environment: { setup: "./scripts/lambda_setup.sh" },
    train: { command: "make train" },
    results: { include: ["/opt/artifacts"] },
  },
  firstStep: "epoch 1 step 10 loss 1.0000",
  progress: { axis: "step", at: 30, values: { loss: 0.3333 } },
  home: [
    { from: "docker-root", to: "beside", files: ["checkpoints/epoch_*.pt", "metrics.csv"] },
    { from: "/opt/artifacts", to: "beside/disk/opt/artifacts", files: ["model.onnx"] },
  ],
  stays: [],
  closed: {
    "docker-root/checkpoints": "beside/checkpoints",
    "/opt/artifacts": "beside/disk/opt/artifacts/model.onnx",
  },
  inDefault: true,
};
