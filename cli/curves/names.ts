/** What tells how good a model is, as the parts of its name say: `train_loss`, `acc@1`. */
const measures = new Set(
  (
    "acc accuracy error err f1 bleu rouge ppl perplexity auc reward score rmse mse mae nll elbo bpc bpb bpd kl miou iou dice " +
    "psnr ssim wer cer top1 top5 acc1 acc5 precision recall r2"
  ).split(" "),
);
/** Parts that make a setting of the name of a measure, or a count of something: `loss_weight`, `loss scale`. */
const settings = new Set(
  (
    "weight weights scale scaler scaling fn fct func function type coef coeff coefficient lambda ratio factor smoothing delta " +
    "reduction name alpha gamma clip threshold freq interval every dir path size num steps epochs patience mode monitor target"
  ).split(" "),
);
const loss = /loss(?:es)?\d*[dg]?$/;
const trains = /^(?:train|training)$/;
const evaluates = /^(?:val|valid|validation|dev|test|testing|eval|evaluation)$/;
const counts = /^(?:epoch|step|iter|batch)/;
/** In every line that tells something. */
const telling = new RegExp(`loss|epoch|%\\||\\dit \\[|\\dG\\s|${[...measures].join("|")}`, "i");
/** What is drawn beside the measures. */
const companions = /^(?:(?:train|optim|optimizer)[_/])?(?:lr|learning_rate|grad_norm|gnorm)$/;

const partsOf = (name: string): string[] => name.toLowerCase().split(/[_/.@\s-]+/);

/** Whether a line is worth a closer look. */
export function mayTell(line: string): boolean {
  return telling.test(line);
}

/** Whether a name is one of a loss or a score. */
export function isMeasure(name: string): boolean {
  const parts = partsOf(name);
  return !parts.some((part) => settings.has(part)) && parts.some((part) => loss.test(part) || measures.has(part));
}

/** Whether a name is one of a loss. */
export function isLoss(name: string): boolean {
  return partsOf(name).some((part) => loss.test(part));
}

/** Whether a name says that it is of data that are not trained on. */
export function isOfEvaluation(name: string): boolean {
  return !isOfTraining(name) && partsOf(name).some((part) => evaluates.test(part));
}

/** Whether a name says that it is of training. */
export function isOfTraining(name: string): boolean {
  return partsOf(name).some((part) => trains.test(part));
}

/** Whether a name is one of what training tells, not of a setting: a count or a measure. */
export function isTold(name: string): boolean {
  return partsOf(name).some((part) => loss.test(part) || measures.has(part) || counts.test(part));
}

/** Whether a number of a log is drawn: not its times and sizes. */
export function isDrawn(name: string): boolean {
  return isMeasure(name) || companions.test(name);
}
