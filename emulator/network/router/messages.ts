/** What the emulator asks of the process in the router's namespace. */
export type Order =
  | { readonly kind: "connect"; readonly id: number; readonly host: string; readonly port: number }
  | { readonly kind: "listen"; readonly host: string; readonly port: number }
  | { readonly kind: "unlisten"; readonly port: number };

/** What it answers. A socket comes with `connected` and `accepted`. */
export type Report =
  | { readonly kind: "ready" }
  | { readonly kind: "connected"; readonly id: number }
  | { readonly kind: "failed"; readonly id: number; readonly message: string }
  | { readonly kind: "accepted"; readonly port: number }
  | { readonly kind: "deaf"; readonly port: number; readonly message: string };
