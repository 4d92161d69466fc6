import { randomInt } from "node:crypto";
import type { ResourceType } from "../protocol/resource";
import { ADJECTIVES, ADVERBS, NAMES } from "./words";

/**
 * `random.RandomPet`: adverbs, an adjective and a name, as many words as `length` says. The name is the id; there is
 * no other output. Every change replaces.
 */
export const randomPet: ResourceType = {
  inputs: {
    keepers: { kind: "stringMap", replace: true },
    length: { kind: "integer", minimum: 1, default: 2, replace: true },
    prefix: { kind: "string", replace: true },
    separator: { kind: "string", default: "-", replace: true },
  },
  outputs: [],
  async create(inputs) {
    const words = petWords(inputs.length as number);
    const prefix = inputs.prefix as string | undefined;
    return { id: (prefix ? [prefix, ...words] : words).join(inputs.separator as string), outputs: {} };
  },
};

function petWords(length: number): string[] {
  const words = [pick(NAMES)];
  if (length > 1) words.unshift(pick(ADJECTIVES));
  while (words.length < length) words.unshift(pick(ADVERBS));
  return words;
}

function pick(words: readonly string[]): string {
  return words[randomInt(words.length)] as string;
}
