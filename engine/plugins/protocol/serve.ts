import { Server, ServerCredentials, type UntypedServiceImplementation } from "@grpc/grpc-js";
import { ResourceProviderService } from "@pulumi/pulumi/proto/provider_grpc_pb";
import { EngineLog } from "../../link/log";
import { endWithEngine } from "../../link/watchdog";
import { tellPorts } from "./ports";
import type { Plugin } from "./resource";
import { providerService } from "./service";

/** State and outputs travel in one message; the engine allows 400 MB (sdk/go/common/util/rpcutil). */
const MAX_MESSAGE_BYTES = 400 * 1024 * 1024;

/**
 * Serves plugins as the engine expects it: argv ends with the engine's address, the first line on stdout is the TCP port of
 * the plugin that it asks for, and the process lives until the engine ends it, or is gone itself. The engine starts plugins
 * one after another, so one process serves all; engine/wrappers/pulumi-resource, which starts it, finds the others' ports.
 * @param name Of the plugin that the engine asks for.
 */
export async function servePlugins(plugins: readonly Plugin[], name: string, argv: readonly string[]): Promise<void> {
  const address = argv.findLast((word) => !word.startsWith("-"));
  if (!address) {
    console.error(`pulumi-resource-${name} is started by the Pulumi engine, with the engine's address`);
    process.exit(1);
  }
  process.on("SIGINT", () => process.exit(0));
  endWithEngine();
  const log = new EngineLog(address);
  try {
    const served = plugins.map(async (plugin) => [plugin.name, await serve(plugin, log)] as const);
    const ports = new Map(await Promise.all(served));
    const file = process.env.LAMBDA_TRAIN_PORTS;
    if (file !== undefined) tellPorts(ports, file);
    process.stdout.write(`${ports.get(name)}\n`);
  } catch (error) {
    console.error(`pulumi-resource-${name} cannot listen on 127.0.0.1: ${(error as Error).message}`);
    process.exit(1);
  }
}

/** @returns its port */
function serve(plugin: Plugin, log: EngineLog): Promise<number> {
  const server = new Server({ "grpc.max_receive_message_length": MAX_MESSAGE_BYTES });
  server.addService(ResourceProviderService, providerService(plugin, log) as UntypedServiceImplementation);
  return new Promise((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) =>
      error ? reject(error) : resolve(port),
    );
  });
}
