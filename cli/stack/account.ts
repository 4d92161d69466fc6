import { type Cloud, connectCloud } from "../../lambda/api/connect";
import { CommandError, exitCodes } from "../terminal/command";

/**
 * Connects to an account without a stack: undefined for Lambda, `emulated`, or a base URL.
 * @throws CommandError where there is no emulated cloud, or no key.
 */
export function accountAt(endpoint: string | undefined): Cloud {
  let cloud: Cloud;
  try {
    cloud = connectCloud(endpoint, { attempts: 4 });
  } catch (error) {
    throw new CommandError((error as Error).message, exitCodes.unreachable);
  }
  try {
    cloud.endpoint.apiKey();
  } catch (error) {
    // No stack is open here, so that a key in a stack's configuration does not count.
    const none = "No Lambda API key: set LAMBDA_API_KEY. For the emulated cloud: --endpoint emulated";
    throw new CommandError(process.env.LAMBDA_API_KEY ? (error as Error).message : none, exitCodes.usage);
  }
  return cloud;
}

/** Reads something without which nothing can be said. @throws CommandError `unreachable` with what it was. */
export async function readable<T>(what: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    const message = `Couldn't look for leftovers: ${what.toLowerCase()} can't be read. ${(error as Error).message}`;
    throw new CommandError(message, exitCodes.unreachable);
  }
}
