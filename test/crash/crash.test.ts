import { expect, it } from "vitest";
import { publish } from "../reliability/page";
import { failureText, Lanes } from "./lanes";
import { crashOptions } from "./options";
import { crashSection } from "./section";

/** The least number of sequences that counts as a whole run, whose figures are kept. */
const whole = 300;

const options = crashOptions();
const limit = { timeout: 24 * 3600_000 };

it(`whatever is cut at whatever moment, nothing is lost, forgotten or left (seed ${options.seed})`, limit, async () => {
  const say = (line: string): void => {
    process.stdout.write(`crash: ${line}\n`);
  };
  const lanes = new Lanes(options, say);
  const report = options.path === undefined ? await lanes.run() : await lanes.replay(options.path);
  const failures = report.failures.map(failureText);
  if (failures.length > 0) throw new Error(failures.join("\n\n"));
  if (options.all) expect(report.passed, "sequences passed").toBe(options.path === undefined ? options.sequences : 1);
  if (report.passed >= whole) publish("crash", crashSection(report, options));
});
