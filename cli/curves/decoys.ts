/** Lines with numbers that training did not make: calls, warnings, what is loaded or aimed at. */
const noStep =
  /\b(?!tensor\(|array\()[a-z_]\w*\(\s*[a-z_]\w*\s*=|\b\w*warning: |\bsanity\b|\b(?:until|target|threshold|patience|early stopp?\w*|using|initial|baseline|default|overriding)\b|\bpython[\d.]*\s|\b(?:loaded|loading|resumed|resuming|resume|restored|restoring|restore|continuing)\b/i;
const setting =
  /["']?\b(optimizer|optim|batch_size|epochs|num_epochs|max_epochs|max_steps|seed|hidden_size|dropout|num_workers|weight_decay|warmup_steps|loss_fn|criterion|data_dir|dataset|output_dir|scheduler)["']?\s*[:=]/gi;
/** What loggers put before a message. */
const prefix =
  /^(?:\[[^\]]{0,80}\]:?\s*|\d{4}-\d\d-\d\d[T ]?[\d:.,+Z]*\s*|\d\d:\d\d:\d\d[\d.,]*\s*|(?:debug|info|warning|error)\b[\s:]*|[|:{-]\s*|[\w.]+(?::[\w.<>]+)*(?::\d+)? - |[iwe]\d{4} [^\]]{0,80}\]\s*|(?!\w*loss)\w+:(?=[a-z]))/i;
const mostPrefixes = 8;
const title = /^(?:(?:train(?:ing)?|epochs?|steps?|iter(?:ation)?s?)\b[\s\d/:,[\]()#=-]*)+$/i;

/** Whether a line looks like a step, and is none. */
export function isDecoy(text: string): boolean {
  if (noStep.test(text)) return true;
  return new Set([...text.matchAll(setting)].map(([, name = ""]) => name.toLowerCase())).size > 1;
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
