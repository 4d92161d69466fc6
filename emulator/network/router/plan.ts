import type { Network } from "../../state/model";

/** The network between a router and the outside: a /24 for slirp4netns. From the range that no network of a user has. */
export const outside = { subnet: "100.127.255.0/24", resolver: "100.127.255.3" };

/** Addresses behind a router. Instances have one each by which each network is left out but for its last number. */
export interface AddressPlan {
  /** First three numbers of the addresses that the host knows the instances by. */
  readonly public: string;
  /** The same for the stand-ins of these behind the router, where an address of 127.0.0.0/8 cannot travel. */
  readonly alias: string;
  readonly private: string;
  /** The router, as instances reach it. */
  readonly gateway: string;
}

/** The addresses of a network. */
export function addressPlan({ subnet, privateSubnet }: Network): AddressPlan {
  const third = subnet.split(".")[2] ?? "0";
  return { public: subnet, alias: `100.64.${third}`, private: privateSubnet, gateway: `${privateSubnet}.1` };
}
