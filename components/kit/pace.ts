import type * as pulumi from "@pulumi/pulumi";
import { atMost } from "../../local/at-most";

/** Components that the engine may not have answered for yet when the next one is made. */
const ahead = 4;

/** Makes a component when its turn has come. */
export type Paced = <T extends Pick<pulumi.ComponentResource, "urn">>(make: () => T) => Promise<T>;

/**
 * Gives what makes components no faster than the engine takes them: what registrations hold until they are answered would
 * be most of the program's memory with a hundred machines. The engine answers for a component at once, whatever its
 * children wait for.
 */
export function paced(): Paced {
  const inTurn = atMost(ahead);
  return (make) =>
    new Promise((resolve, reject) => {
      const work = async (): Promise<void> => {
        const made = make();
        resolve(made);
        await new Promise((answered) => made.urn.apply(answered));
      };
      inTurn(work).catch(reject);
    });
}
