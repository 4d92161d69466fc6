/*
 * Messages name commands as the user of a clone types them: `npm run up -- --stack gpu`. The user of the package types
 * `npx lambda-train up --stack gpu`. This is the one place that knows both: the package is built with its texts changed.
 */

/** Commands of a clone alone. */
const forClone = ["audit", "bench", "build", "cloud", "reference", "screenshots"];

/** Tells whether the package is without a command. */
export function isForClone(name) {
  return forClone.includes(name);
}

const call = /npm run (?:-s )?([a-z][a-z-]*|\$\{\w+\})(?: --(?=[ `"'$]))?/g;

/** A source or page with commands as the package's user types them. */
export function asInstalled(text) {
  return text.replaceAll(call, (whole, name) => (isForClone(name) ? whole : `npx lambda-train ${name}`));
}
