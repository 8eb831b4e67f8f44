import { formerDirectory } from "../../shared/former-directory.ts";
import { shownId } from "../../shared/run-id.ts";
import { lastPlausible } from "../../shared/sqlite/times.ts";
import type { ListedRun, ListedTest, Stored, StoredRow } from "../list-runs.ts";
import { printable } from "./table.ts";

/**
 * A run as Megatest's `-list-runs` prints it, to the byte: a line of pairs, a line for each test, and under those that are not
 * PASS, WARN or NOT_STARTED where they ran and their steps. It asks for neither count, and prints `#f` for both. Ends with a
 * line break. Control characters are made visible.
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

/** A whole number of a REAL is `-1.0`, as in Scheme; others have 15 digits at most. */
function shown(value: Stored | undefined): string {
  if (typeof value !== "number") return printable(String(value ?? ""));
  const text = String(Number(value.toPrecision(15)));
  return Number.isInteger(Number(text)) && !text.includes("e") ? `${text}.0` : text;
}

/** The same for programs: times also as ISO, the directory that a test had before its run came back under another name. */
export function runDocument({ id, target, fields, where, tests }: ListedRun): Record<string, unknown> {
  return {
    ...plain(fields),
    ...{ id: shownId(id), target },
    ...(where === undefined ? {} : { where }),
    tests: tests.map((test) => ({
      ...plain(test.fields),
      ...formerOf(test.fields),
      ...(test.steps === undefined ? {} : { steps: test.steps.map(plain) }),
    })),
  };
}

function formerOf({ rundir }: StoredRow): Record<string, unknown> {
  const former = formerDirectory(rundir);
  return former === undefined ? {} : { formerRundir: former };
}

/** Values as JSON has them; `at` says `event_time` as ISO. */
function plain(row: StoredRow): Record<string, unknown> {
  const values = Object.entries(row).map(([field, value]) => [
    field,
    typeof value === "bigint" ? shownId(value) : value,
  ]);
  return { ...Object.fromEntries(values), ...isoOf(row.event_time) };
}

function isoOf(time: Stored | undefined): Record<string, unknown> {
  const seconds = Number(time ?? 0);
  // Milliseconds would be a day in the year 58882.
  return seconds > 0 && seconds <= lastPlausible ? { at: new Date(seconds * 1000).toISOString() } : {};
}
