/** A time as Lambda writes it: microseconds and `+00:00`. */
export const isoTime = (ms: number): string => new Date(ms).toISOString().replace("Z", "000+00:00");
