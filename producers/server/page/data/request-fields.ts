import { shellWord } from "../../../../shared/shell-word.ts";
import type { RequestName } from "../../../jobs/request-job.ts";

// What can be requested on the page, as data: the form, the request and the command line are made from it.

/** A job, or the drain of a host. */
export type RequestKind = RequestName | "drain";

/** A member of a job's data, or of a drain's. */
export interface RequestField {
  name: string;
  label: string;
  kind: "text" | "number" | "check" | "choice" | "list";
  example?: string;
  choices?: readonly string[];
  /** Shown under "More". */
  isMore?: true;
  isRequired?: true;
  /** Needs a token with the role admin. */
  isAdmin?: true;
}

const more = { isMore: true } as const;
const text = (name: string, label: string, example: string, rest: Partial<RequestField> = {}) =>
  ({ name, label, kind: "text", example, ...rest }) satisfies RequestField;
const check = (name: string, label: string, rest: Partial<RequestField> = more) =>
  ({ name, label, kind: "check", ...rest }) satisfies RequestField;
const choice = (name: string, label: string, ...choices: string[]) =>
  ({ name, label, kind: "choice", choices, ...more }) satisfies RequestField;

const selectors: readonly RequestField[] = [
  text("target", "Target", "ubuntu/nfs/%"),
  text("runname", "Run name", "w49%"),
  text("age", "Older than", "30d"),
  { name: "keep", label: "Keep the newest of each target", kind: "number", example: "5" },
  { name: "runId", label: "Run ids, separated by commas", kind: "list", example: "7,9", ...more },
  text("state", "State of the run", "new", more),
  text("status", "Status of the run", "n/a", more),
  check("includeLocked", "Also runs that their owner locked"),
  text("deadAfter", "An unfinished test is dead after", "1d", more),
];

const times: readonly RequestField[] = [
  text("between", "Work only between", "22:00-06:00", more),
  text("maxTime", "Begin nothing after", "20m", more),
  text("tz", "Time zone of these times", "Europe/Berlin", more),
];

const compact = choice("compact", "Vacuum afterwards", "auto", "always", "never");

const migration: readonly RequestField[] = [
  check("whenQuiet", "Wait until the area is quiet", {}),
  text("deadline", "Wait no longer than", "12h"),
  text("quietFor", "Quiet means no activity for", "30m", more),
  check("stopServers", "Stop idle Megatest servers"),
  check("now", "Move again within an hour of the last move", { ...more, isAdmin: true }),
];

export const fieldsOf: Record<RequestKind, readonly RequestField[]> = {
  reduce: [...selectors, compact, ...times],
  restore: [
    ...selectors,
    choice("onConflict", "A run whose name is in use again", "refuse", "rename"),
    check("touch", "Set last_update of restored rows to now"),
    text("grace", "Keep the copies for readers for", "10s", more),
    compact,
    ...times,
  ],
  purge: [
    text("export", "Directory for the exports", "/archive/megatest", { isRequired: true }),
    ...selectors,
    compact,
    ...times,
  ],
  import: [
    text("file", "Exported file", "/archive/megatest/run-7-….db", { isRequired: true }),
    check("anyArea", "Also an export of another area", {}),
    ...times,
  ],
  migrate: [
    text("to", "New homehost", "hostB", { isRequired: true }),
    ...migration,
    text("from", "Only while this is the homehost", "hostA", more),
  ],
  drain: [
    { name: "to", label: "To these hosts, separated by commas", kind: "list", example: "hostB,hostC" },
    ...migration,
  ],
};

/** Members that say which runs a job is about; one of them must be given. */
const selecting = ["target", "runname", "age", "keep", "runId", "state", "status"];

export const noSelector =
  "Say which runs: fill in at least one of Target, Run name, Older than, and Keep the newest. % as the run name means all.";

/** Whether what was given says which runs a reduce, a restore or a purge is about. */
export function hasSelector(given: Readonly<Record<string, unknown>>): boolean {
  return selecting.some((name) => given[name] !== undefined && given[name] !== "");
}

/** What the user typed, by field. */
export type Given = Readonly<Record<string, string>>;

const items = (value: string) =>
  value
    .split(",")
    .map((each) => each.trim())
    .filter((each) => each !== "");

/** Returns the members of the request; text that is no number stays text, so that the server names the field. */
export function membersOf(kind: RequestKind, given: Given): Record<string, unknown> {
  const members: Record<string, unknown> = {};
  for (const field of fieldsOf[kind]) {
    const value = given[field.name] ?? "";
    if (value === "") continue;
    if (field.kind === "check") members[field.name] = true;
    else if (field.kind === "list") members[field.name] = items(value);
    else if (field.kind === "number") members[field.name] = /^\d+$/.test(value) ? Number(value) : value;
    else members[field.name] = value;
  }
  return members;
}

const flagOf = (name: string) => `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;

/** A request as a line for a shell. @param subject the area's path, or the host to drain */
export function commandLine(
  kind: RequestKind,
  subject: string,
  { given, dryRun, repeat }: { given: Given; dryRun: boolean; repeat?: Given },
): string {
  const words = ["mtjobs", ...(repeat === undefined ? [] : ["schedule", "add"]), kind];
  if (kind === "import") words.push(given.file ?? "");
  words.push(subject);
  for (const field of fieldsOf[kind]) {
    const value = given[field.name] ?? "";
    if (value === "" || field.name === "file") continue;
    const flag = flagOf(field.name);
    // A value that begins with a dash must not pass for an option.
    const isOption = value.startsWith("-");
    if (field.kind === "check") words.push(flag);
    else words.push(...(isOption ? [`${flag}=${value}`] : [flag, value]));
  }
  for (const [name, value] of Object.entries(repeat ?? {})) if (value !== "") words.push(flagOf(name), value);
  if (dryRun) words.push("--dry-run");
  return words.map(shellWord).join(" ");
}
