import { CreatedButFailed, type DynamicHandler } from "../../components/dynamic/handler";

/** Makes something, and then fails. */
export const handler: DynamicHandler = {
  diff: () => ({ changes: false }),
  create: async (inputs) => {
    throw new CreatedButFailed("half done", "made", { ...inputs, made: true });
  },
};
