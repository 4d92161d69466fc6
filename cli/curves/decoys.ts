/** What a number is aimed at, or was before training. */
const aims = "until|target|threshold|initial|baseline|default";
const aimed = new RegExp(`\\b(?:${aims}|patience|early stopp?\\w*|using|overriding)\\b`, "i");
const beside = new RegExp(`\\b(?:best|${aims})\\W*$`, "i");
/** Calls, warnings, what is loaded. */
const noStep =
  /\b(?!tensor\(|array\()[a-z_]\w*\(\s*[a-z_]\w*\s*=|\b\w*warning: |\bsanity\b|\bpython[\d.]*\s|\b(?:loaded|(?<!data[ _])loading(?![ _]time)|resumed|resuming|resume|restored|restoring|restore|continuing)\b/i;
const setting =
  /["']?\b(optimizer|optim|batch_size|epochs|num_epochs|max_epochs|max_steps|seed|hidden_size|dropout|num_workers|weight_decay|warmup_steps|loss_fn|criterion|data_dir|dataset|output_dir|scheduler)["']?\s*[:=]/gi;
/** What loggers put before a message. */
const prefix =
  /^(?:\[[^\]]{0,80}\]:?\s*|\d{4}-\d\d-\d\d[T ]?[\d:.,+Z]*\s*|\d\d:\d\d:\d\d[\d.,]*\s*|(?:debug|info|warning|error)\b[\s:]*|[|:{-]\s*|[\w.]+(?::[\w.<>]+)*(?::\d+)? - |[iwe]\d{4} [^\]]{0,80}\]\s*|(?!\w*loss)\w+:(?=[a-z]))/i;
const mostPrefixes = 8;
const title = /^(?:(?:train(?:ing)?|epochs?|steps?|iter(?:ation)?s?)\b[\s\d/:,[\]()#=-]*)+$/i;

/**
 * Whether a line looks like a step, and is none: its numbers are not of training. In a line that counts steps, what stands
 * behind the numbers is an aside: `epoch 3 loss 0.5 (target 0.1)`.
 * @param countAt Where its first count is; undefined without one.
 * @param measureAt Where its first measure is.
 */
export function isDecoy(text: string, countAt: number | undefined, measureAt: number = text.length): boolean {
  const isAside = (found: RegExpExecArray, from: number) => countAt !== undefined && found.index > from;
  const aim = aimed.exec(text);
  if (aim !== null && !isAside(aim, Math.min(countAt ?? 0, measureAt))) return true;
  const other = noStep.exec(text);
  if (other !== null && !isAside(other, measureAt)) return true;
  return new Set([...text.matchAll(setting)].map(([, name = ""]) => name.toLowerCase())).size > 1;
}

/** Whether the number that comes behind a text is none of now: `best loss 0.3`, `target: loss 0.1`. */
export function isBeside(before: string): boolean {
  return beside.test(before.slice(-24));
}

/** A line without what a logger puts before it. */
export function messageOf(text: string): string {
  let rest = text.trim();
  for (let at = 0; at < mostPrefixes; at++) {
    const found = prefix.exec(rest)?.[0] ?? "";
    if (found === "") break;
    rest = rest.slice(found.length);
  }
  return rest;
}

/** Whether the title of a progress bar is one of training: what is loaded or evaluated has bars too. */
export function isTrainingTitle(text: string): boolean {
  return title.test(messageOf(text));
}
