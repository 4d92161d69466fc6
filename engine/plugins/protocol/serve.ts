import { Server, ServerCredentials, type UntypedServiceImplementation } from "@grpc/grpc-js";
import { ResourceProviderService } from "@pulumi/pulumi/proto/provider_grpc_pb";
import { EngineLog } from "../../link/log";
import { endWithEngine } from "../../link/watchdog";
import type { Plugin } from "./resource";
import { providerService } from "./service";

/** State and outputs travel in one message; the engine allows 400 MB (sdk/go/common/util/rpcutil). */
const MAX_MESSAGE_BYTES = 400 * 1024 * 1024;

/**
 * Serves a plugin as the engine expects it: argv ends with the engine's address, the first line on stdout is the TCP
 * port, and the process lives until the engine ends it, or is gone itself.
 */
export function servePlugin(plugin: Plugin, argv: readonly string[]): void {
  const address = argv.filter((word) => !word.startsWith("-")).pop();
  if (!address) {
    console.error(`pulumi-resource-${plugin.name} is started by the Pulumi engine, with the engine's address`);
    process.exit(1);
  }
  const log = new EngineLog(address);
  const server = new Server({ "grpc.max_receive_message_length": MAX_MESSAGE_BYTES });
  server.addService(ResourceProviderService, providerService(plugin, log) as UntypedServiceImplementation);
  server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => {
    if (error) {
      console.error(`pulumi-resource-${plugin.name} cannot listen on 127.0.0.1: ${error.message}`);
      process.exit(1);
    }
    process.stdout.write(`${port}\n`);
  });
  process.on("SIGINT", () => process.exit(0));
  endWithEngine();
}
