/**
 * Cases that take a minute or more and vary one that stays in the default run: `npm run test:fleet` runs them, with the rest
 * of their files.
 */
export function inFleetSuite(define: () => void): void {
  if (process.env.FLEET === "all") define();
}
