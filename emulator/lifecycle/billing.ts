import type { LedgerEntry } from "../state/model";

/** A ledger entry with what it comes to. */
export interface Bill extends LedgerEntry {
  /** Minutes begun since the start of billing. */
  readonly minutes: number;
  /** Cents for those minutes, to the ten-thousandth of a cent. */
  readonly cents: number;
}

/** What an entry comes to by a time. Lambda bills in one-minute steps without a minimum. */
export function bill(entry: LedgerEntry, now: number): Bill {
  const minutes = Math.ceil(((entry.to ?? now) - entry.from) / 60_000);
  return { ...entry, minutes, cents: cents(entry.priceCentsPerHour * minutes) };
}

/** What several bills come to in cents. Rounded once, in the end. */
export function total(bills: readonly Bill[]): number {
  return cents(bills.reduce((sum, { priceCentsPerHour, minutes }) => sum + priceCentsPerHour * minutes, 0));
}

/** Cents, to the ten-thousandth, of sixtieths of a cent: what a minute at a whole price per hour costs is a whole number. */
const cents = (sixtieths: number): number => Math.round((sixtieths * 10_000) / 60) / 10_000;
