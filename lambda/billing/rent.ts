import type { FileSystem } from "../api/schemas";

/** Dollars per GB and month before tax, by Lambda's documentation of 2026: its API does not tell. */
const dollarsPerGbAndMonth = 0.2;

/** A file system, and how many bytes it is billed for, as far as that is known. Lambda's count is some hours old. */
export type RentedFileSystem = Pick<FileSystem, "name" | "bytesUsed">;

/** What a file system costs as long as it exists; undefined where its size is not known. */
export function rentPerMonth({ bytesUsed }: Pick<FileSystem, "bytesUsed">): number | undefined {
  return bytesUsed === undefined ? undefined : (bytesUsed / 1e9) * dollarsPerGbAndMonth;
}

/** The same in words: `12.3 GB used, $2.46 per month`. */
export function rentText(fileSystem: Pick<FileSystem, "bytesUsed">): string {
  const { bytesUsed = 0 } = fileSystem;
  const dollars = rentPerMonth(fileSystem);
  const price = `$${dollarsPerGbAndMonth.toFixed(2)} per GB and month`;
  if (dollars === undefined) return `${price} of what it holds`;
  // A cent is 50 MB.
  const cents = dollars > 0 && dollars < 0.01 ? "less than $0.01" : `$${dollars.toFixed(2)}`;
  return `${(bytesUsed / 1e9).toFixed(bytesUsed < 1e10 ? 2 : 0)} GB used, ${cents} per month (${price})`;
}
