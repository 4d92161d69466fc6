import { type FaultCase, nameOf } from "../case";
import { apiCases } from "./api";
import { connectionCases } from "./connection";
import { dataCases } from "./data";
import { fleetCases } from "./fleet";
import { instanceCases } from "./instance";
import { localCases } from "./local";
import { workloadCases } from "./workload";

/** The whole matrix. */
export const allCases: readonly FaultCase[] = unique([
  ...apiCases,
  ...instanceCases,
  ...connectionCases,
  ...localCases,
  ...workloadCases,
  ...dataCases,
  ...fleetCases,
]);

function unique(cases: readonly FaultCase[]): readonly FaultCase[] {
  const names = new Set<string>();
  for (const name of cases.map(nameOf)) {
    if (names.has(name)) throw new Error(`Two cases are named ${name}.`);
    names.add(name);
  }
  return cases;
}
