/** gRPC's status for a connection that is not there (any more). */
const unavailable = 14;

/** The SDK's exit status for a program whose error was told already. */
const wasTold = 32;

/**
 * Ends the program without a word where the engine has gone away from it, as it does when an update is cancelled while
 * something is still to be registered: there is nobody to tell, and the SDK would print the stack of its own call.
 */
export function endWithoutEngine(): void {
  process.prependListener("unhandledRejection", (error) => {
    const { code, details } = (error ?? {}) as { readonly code?: unknown; readonly details?: unknown };
    if (code === unavailable && typeof details === "string") process.exit(wasTold);
  });
}
