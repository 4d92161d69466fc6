import type { OperationId } from "../../openapi/operations";
import { auditHandlers } from "./audit";
import { catalogHandlers } from "./catalog";
import type { Handlers } from "./context";
import { fileSystemHandlers } from "./filesystems";
import { firewallHandlers } from "./firewall";
import { instanceHandlers } from "./instances";
import { launchHandlers } from "./launch";
import { maintenanceHandlers } from "./maintenance";
import { sshKeyHandlers } from "./ssh-keys";

/** What answers each operation of the API. */
export const handlers: Handlers<OperationId> = {
  ...auditHandlers,
  ...catalogHandlers,
  ...fileSystemHandlers,
  ...firewallHandlers,
  ...instanceHandlers,
  ...launchHandlers,
  ...maintenanceHandlers,
  ...sshKeyHandlers,
};
