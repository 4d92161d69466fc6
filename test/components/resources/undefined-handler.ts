import type { DynamicHandler } from "../../../components/dynamic/handler";

const sparse = { a: 1, b: undefined, list: [{ c: 2, d: undefined }] };

/** Gives undefined members wherever it can. */
export const handler: DynamicHandler = {
  check: () => ({ inputs: sparse }),
  diff: () => ({ changes: false }),
  create: async () => ({ id: "id", outs: sparse }),
  read: async (id) => ({ id, props: sparse, inputs: sparse }),
  update: async () => sparse,
};
