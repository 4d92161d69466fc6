export const fleetFiles: readonly string[];
