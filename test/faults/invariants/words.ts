/** What no output may hold: signs of an error that was never meant for a reader. */
const bad = [/^\s+at .+[:(]\d+:\d+\)?$/m, /\[object \w+\]/, /\bundefined\b/, /\bNaN\b/, /\bTypeError\b/, /panic: /];

/** The first thing in an output that no output may hold. */
export function badWords(output: string): string | undefined {
  return bad.map((words) => words.exec(output)?.[0]).find((found) => found !== undefined);
}

const verbs =
  "run|check|set|list|add|choose|wait|terminate|correct|look|use|verify|mend|fix|stop|replace|rename|repair|delete|enter|try|start|raise|" +
  "lower|ask|free|see|give|remove|point|change|update|make|install|log|connect|narrow|leave|put|name|write|take|did you mean";

/** Whether an output tells its reader to do something: a verb in the imperative where a sentence or a clause begins. */
export function sayNext(output: string): boolean {
  return new RegExp(`(^|[.:;,(] |\\bor |\\band |\`)(${verbs})\\b`, "im").test(output);
}
