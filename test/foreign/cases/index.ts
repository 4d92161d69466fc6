import type { ForeignCase } from "../case";
import { accelerate } from "./accelerate";
import { dockerRoot } from "./docker-root";
import { hfTrainer } from "./hf-trainer";
import { hydra } from "./hydra";
import { kerasLike } from "./keras-like";
import { lightning } from "./lightning";
import { makePoetry } from "./make-poetry";
import { nanogpt } from "./nanogpt";
import { plain } from "./plain";
import { ultralytics } from "./ultralytics";

/** All repositories. */
export const allCases: readonly ForeignCase[] = [
  lightning,
  hfTrainer,
  ultralytics,
  nanogpt,
  hydra,
  accelerate,
  kerasLike,
  plain,
  makePoetry,
  dockerRoot,
];
