import type { Bill } from "../lambda/billing/bill";
import { Memory } from "./memory";
import { noticeOfEnd } from "./notice";
import { readTargets } from "./targets";
import { tellOnce } from "./tell";

/**
 * Tells of an instance that has ended, by its bill. Never fails: calls back with what could not be sent.
 * @param configured The stack's `notify` as JSON; undefined where nobody is named.
 */
export async function tellOfEnd(
  bill: Bill,
  configured: string | undefined,
  warn: (line: string) => void,
): Promise<void> {
  if (configured === undefined || bill.stack === "") return;
  try {
    // Whether secrets stand there in plain text was seen by the plan.
    const targets = readTargets(JSON.parse(configured), { secure: "" }, process.env);
    const { instanceId, runs, stack } = bill;
    const key = [instanceId, ...runs.map(({ experiment }) => experiment), "terminated"].join(" ");
    const told = { notice: noticeOfEnd(bill), what: "the instance is terminated", key };
    await tellOnce(told, targets, new Memory(stack), warn);
  } catch (error) {
    warn(`couldn't notify anybody: ${(error as Error).message}`);
  }
}
