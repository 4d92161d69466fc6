/** An end that the user can do something about: shown without a stack trace. */
export class Failure extends Error {}

/** One line of progress, on stderr so that a command's output stays its own. */
export function say(line) {
  process.stderr.write(`${line}\n`);
}
