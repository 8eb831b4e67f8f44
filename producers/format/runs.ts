import { formerDirectory } from "../../shared/sqlite/former-directory.ts";
import { shownId } from "../../shared/sqlite/run-id.ts";
import { lastPlausible } from "../../shared/sqlite/times.ts";
import type { ListedRun, ListedTest, Stored, StoredRow } from "../areas/list-runs.ts";
import { printable } from "./table.ts";

/**
 * Formats a run exactly as Megatest's `-list-runs` does: a line of pairs, a line for each test, and for tests other
 * than PASS, WARN or NOT_STARTED their host data and steps. Both counts print as `#f`, because Megatest does not
 * query them there. Ends with a line break. Control characters are made visible.
 */
export function runText({ target, fields, where, tests }: ListedRun): string {
  const pairs = Object.entries(fields).map(
    ([field, value]) => `${field}: ${field.endsWith("_count") ? "#f" : shown(value)} `,
  );
  const place = where === undefined ? "" : `where: ${where} `;
  const head = `Run: ${printable(`${target}/`)}${shown(fields.runname)} ${pairs.join("")}${place}`;
  return `${[head, ...tests.flatMap(testLines)].join("\n")}\n`;
}

function testLines({ fields, steps }: ListedTest): string[] {
  const of = (field: string) => shown(fields[field]);
  const name = of("item_path") === "" ? of("testname") : `${of("testname")}(${of("item_path")})`;
  const line = [
    `  Test: ${padded(name, 25)}`,
    `State: ${padded(of("state"), 15)}`,
    `Status: ${padded(of("status"), 15)}`,
    `Runtime: ${of("run_duration").padStart(5)}s`,
    `Time: ${padded(of("event_time"), 22)}`,
    `Host: ${padded(of("host"), 10)}`,
  ].join(" ");
  if (steps === undefined) return [line];
  const where = ["cpuload", "diskfree", "uname", "rundir"].flatMap((field) =>
    field in fields ? [`         ${`${field}:`.padEnd(9)} ${of(field)}`] : [],
  );
  return [line, ...where, ...steps.map(stepLine)];
}

function stepLine(step: StoredRow): string {
  const of = (field: string, width: number) => padded(shown(step[field]), width);
  return `    Step: ${of("stepname", 20)} State: ${of("state", 10)} Status: ${of("status", 10)} Time ${of("event_time", 22)}`;
}

/** Megatest counts bytes. */
function padded(text: string, width: number): string {
  return text + " ".repeat(Math.max(0, width - Buffer.byteLength(text)));
}

/** A whole REAL prints as `-1.0`, as in Scheme; others have at most 15 digits. */
function shown(value: Stored | undefined): string {
  if (typeof value !== "number") return printable(String(value ?? ""));
  const text = String(Number(value.toPrecision(15)));
  return Number.isInteger(Number(text)) && !text.includes("e") ? `${text}.0` : text;
}

/**
 * Returns the same as JSON: times also as ISO, and the directory of a test before its run was restored under
 * another name.
 */
export function runDocument({ id, target, fields, where, tests }: ListedRun): Record<string, unknown> {
  return {
    ...plain(fields),
    ...{ id: shownId(id), target, where },
    tests: tests.map((test) => ({
      ...plain(test.fields),
      formerRundir: formerDirectory(test.fields.rundir),
      steps: test.steps?.map(plain),
    })),
  };
}

/** Returns values as JSON; `at` is `event_time` as ISO. */
function plain(row: StoredRow): Record<string, unknown> {
  const values = Object.entries(row).map(([field, value]) => [
    field,
    typeof value === "bigint" ? shownId(value) : value,
  ]);
  return { ...Object.fromEntries(values), ...isoOf(row.event_time) };
}

function isoOf(time: Stored | undefined): Record<string, unknown> {
  const seconds = Number(time ?? 0);
  // A value in milliseconds would be in the year 58882.
  return seconds > 0 && seconds <= lastPlausible ? { at: new Date(seconds * 1000).toISOString() } : {};
}
