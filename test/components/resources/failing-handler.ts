import { CreatedButFailed, type DynamicHandler } from "../../../components/dynamic/handler";

/** Makes something, and then fails. */
export const handler: DynamicHandler = {
  diff: () => ({ changes: false }),
  create: async () => {
    throw new CreatedButFailed("half \u001b]0;title\u0007done", "made", { made: true });
  },
};
