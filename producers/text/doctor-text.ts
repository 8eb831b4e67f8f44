import { plural } from "../../shared/plural.ts";
import type { Check } from "../doctor/check.ts";
import type { Diagnosis } from "../doctor/doctor.ts";
import { printable } from "./table.ts";

const marks = { true: "ok   ", false: "WRONG", null: "note " } as const;

/** A diagnosis for people: a line for each check, with its remedy below where there is one. */
export function doctorText({ area, checks, ok }: Diagnosis): string {
  const width = Math.max(...checks.map(({ name }) => name.length));
  const lines = checks.flatMap((check) => linesOf(check, width));
  const wrong = checks.filter((check) => check.ok === false).length;
  const unseen = checks.filter(isUnseen).length;
  const sound = unseen === 0 ? "nothing is wrong" : "nothing wrong was found";
  const found = ok ? sound : `${plural(wrong, "thing")} ${wrong === 1 ? "is" : "are"} wrong`;
  const end = unseen === 0 ? found : `${found}; ${plural(unseen, "check")} could not be made`;
  return [...lines, "", `${printable(area)}: ${end}`].join("\n");
}

/** An error kept the check from being made, and is no fault by itself. */
const isUnseen = ({ ok, details }: Check) => ok === null && details?.code !== undefined;

function linesOf({ name, ok, verdict, remedy }: Check, width: number): string[] {
  const mark = marks[`${ok}`];
  const indent = " ".repeat(mark.length + width + 4);
  const first = `${mark}  ${name.padEnd(width)}  ${printable(verdict)}`;
  return remedy === undefined || ok === true ? [first] : [first, `${indent}→ ${printable(remedy)}`];
}
