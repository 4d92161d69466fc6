/**
 * Imported before anything connects: gRPC's library would send what goes to the engine, on this machine's loopback
 * address, to a proxy that the environment names, and an `up` would wait without end.
 */
const { no_grpc_proxy, no_proxy, NO_PROXY } = process.env;
const loopback = ["127.0.0.1", "localhost", "::1"];
process.env.no_grpc_proxy = [no_grpc_proxy || no_proxy || NO_PROXY || [], loopback].flat().join(",");
