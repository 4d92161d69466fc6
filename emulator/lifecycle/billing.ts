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
  return { ...entry, minutes, cents: Math.round((entry.priceCentsPerHour * minutes * 10_000) / 60) / 10_000 };
}
