/** What `pulumi import` of a resource of this project's types is answered with. */
const answer =
  "`pulumi import` can't bring in resources of lambda-train: Pulumi has no import for dynamic resources. " +
  "If the state lacks an instance that an `up` launched, run `npm run up` again: the stack finds the instance by its name. " +
  "If the state is lost, `npm run adopt` finds a backup of it, or downloads the results without one: see `npm run adopt -- --help`.";

/**
 * Makes the SDK's provider process answer for a resource that has no provider, as one has that is to be imported.
 * @param text The process's source
 * @param called Gives a text with commands as the user types them
 */
export function refusingImport(text, called) {
  const before = "const providerString = props[providerKey];";
  if (!text.includes(before)) throw new Error("The SDK's dynamic provider is not as it is known here.");
  const refusal = `Object.assign(new Error(${JSON.stringify(called(answer))}), { stack: "" })`;
  return text.replace(before, `${before} if (providerString === undefined) throw ${refusal};`);
}
