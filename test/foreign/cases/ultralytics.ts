import type { ForeignCase } from "../case";

export const ultralytics: ForeignCase = {
  name: "ultralytics",
  like: "a training of YOLO, which fetches its data and weights itself",
  experiment: { train: { command: "python3 train.py" } },
  firstStep:
    "1/3      2.11G      1.300      3.000      1.522         12        640:   0%|          | 0/4 [00:01<00:00,  3.31it/s]",
  progress: { axis: "epoch", at: 3, values: { box_loss: 0.87, cls_loss: 2, dfl_loss: 1.522 } },
  home: [
    {
      from: "ultralytics",
      to: "beside",
      files: [
        "runs/detect/train/weights/best.pt",
        "runs/detect/train/weights/last.pt",
        "runs/detect/train/results.csv",
        "runs/detect/train/args.yaml",
        "runs/detect/train/labels.jpg",
        // Nothing tells weights that were fetched from weights that were trained.
        "yolov8n.pt",
      ],
    },
  ],
  stays: ["ultralytics/datasets/coco8/**", ".config/Ultralytics/*"],
};
