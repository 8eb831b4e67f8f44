import { plural } from "../../shared/text.ts";
import type { Check, Diagnosis } from "../contract/area.ts";
import { printable } from "./table.ts";

const marks = { true: "ok   ", false: "WRONG", null: "note " } as const;

export function doctorText({ area, checks, ok }: Diagnosis): string {
  const width = Math.max(...checks.map(({ name }) => name.length));
  const lines = checks.flatMap((check) => linesOf(check, width));
  const wrong = checks.filter((check) => check.ok === false).length;
  const unseen = checks.filter(isUnseen).length;
  const sound = unseen === 0 ? "no problems" : "no problems found";
  const found = ok ? sound : `${plural(wrong, "problem")}`;
  const end = unseen === 0 ? found : `${found}; ${plural(unseen, "check")} could not run`;
  return [...lines, "", `${printable(area)}: ${end}`].join("\n");
}

/** True if an error kept the check from running, which is not a fault in itself. */
const isUnseen = ({ ok, details }: Check) => ok === null && details?.code !== undefined;

function linesOf({ name, ok, verdict, remedy }: Check, width: number): string[] {
  const mark = marks[`${ok}`];
  const indent = " ".repeat(mark.length + width + 4);
  const first = `${mark}  ${name.padEnd(width)}  ${printable(verdict)}`;
  return remedy === undefined || ok === true ? [first] : [first, `${indent}→ ${printable(remedy)}`];
}
