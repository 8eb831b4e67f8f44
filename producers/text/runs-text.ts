import type { ListedRun } from "../list-runs.ts";
import { printable } from "./table.ts";

/** A run as Megatest's `-list-runs` prints it: a line of pairs, then a line for each test. Ends with a line break. */
export function runText({ target, fields, where, tests }: ListedRun): string {
  const pairs = Object.entries(fields).map(
    ([field, value]) => `${field}: ${printable(String(value ?? ""))} `,
  );
  const place = where === undefined ? "" : `where: ${where} `;
  const head = `Run: ${printable(`${target}/${String(fields.runname ?? "")}`)} ${pairs.join("")}${place}`;
  return `${[head, ...tests.map(testText)].join("\n")}\n`;
}

function testText(test: ListedRun["tests"][number]): string {
  const of = (field: string) => printable(String(test[field] ?? ""));
  const name = of("item_path") === "" ? of("testname") : `${of("testname")}/${of("item_path")}`;
  const time = Number(test.event_time);
  // No calendar has a day for every integer.
  const began = time > 0 && time <= 8.64e12 ? new Date(time * 1000).toISOString() : "";
  return [
    `  Test: ${name.padEnd(25)}`,
    `State: ${of("state").padEnd(15)}`,
    `Status: ${of("status").padEnd(15)}`,
    `Runtime: ${of("run_duration").padStart(5)}s`,
    `Time: ${began.padEnd(24)}`,
    `Host: ${of("host")}`,
  ].join(" ");
}
