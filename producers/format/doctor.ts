import { plural } from "../../shared/text.ts";
import type { Check, Diagnosis } from "../contract/area.ts";
import type { ManyDiagnoses } from "../doctor/diagnose-many.ts";
import { printable } from "./table.ts";

const marks = { true: "ok   ", false: "WRONG", null: "note " } as const;

export function doctorText(diagnosis: Diagnosis): string {
  return [...checkLines(diagnosis.checks), "", verdictOn(diagnosis)].join("\n");
}

/** Only what is wrong, and a line for each area. */
export function manyDoctorText({ areas, warnings }: ManyDiagnoses): string {
  return [
    ...areas.flatMap((each) => [
      ...checkLines(each.checks.filter(({ ok }) => ok === false)),
      verdictOn(each),
    ]),
    ...warnings.map((warning) => `warning: ${printable(warning)}`),
  ].join("\n");
}

function checkLines(checks: readonly Check[]): string[] {
  const width = Math.max(...checks.map(({ name }) => name.length));
  return checks.flatMap((check) => linesOf(check, width));
}

function verdictOn({ area, checks, ok }: Diagnosis): string {
  const wrong = checks.filter((check) => check.ok === false).length;
  const unseen = checks.filter(isUnseen).length;
  const sound = unseen === 0 ? "no problems" : "no problems found";
  const found = ok ? sound : `${plural(wrong, "problem")}`;
  const end = unseen === 0 ? found : `${found}; ${plural(unseen, "check")} could not run`;
  return `${printable(area)}: ${end}`;
}

/** True if an error kept the check from running, which is not a fault in itself. */
const isUnseen = ({ ok, details }: Check) => ok === null && details?.code !== undefined;

function linesOf({ name, ok, verdict, remedy }: Check, width: number): string[] {
  const mark = marks[`${ok}`];
  const indent = " ".repeat(mark.length + width + 4);
  const first = `${mark}  ${name.padEnd(width)}  ${printable(verdict)}`;
  return remedy === undefined || ok === true ? [first] : [first, `${indent}→ ${printable(remedy)}`];
}
