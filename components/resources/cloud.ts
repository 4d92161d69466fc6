import { type Cloud, connectCloud } from "../../lambda/api/connect";
import { apiKeyConfig } from "../../lambda/api/endpoint";
import { duration } from "../../lambda/api/waiting";
import type { HandlerContext } from "../dynamic/handler";

/** Connects a handler to its cloud. */
export type Connect = (endpoint: string | undefined, context: HandlerContext) => Cloud;

/** Pauses shorter than this many seconds are not worth a line. */
const longPauseSeconds = 10;

/** The connection of a provider process: key by environment or stack configuration, long pauses told. */
export const connect: Connect = (endpoint, context) =>
  connectCloud(endpoint, {
    configuredKey: () => context.config(apiKeyConfig),
    onRetry: (error, pause) => {
      if (pause >= longPauseSeconds)
        context.progress(`${error.message.replace(/\.$/, "")}. Trying again in ${duration(pause)}.`);
    },
  });
