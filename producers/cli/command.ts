import { type Command, Option } from "commander";
import type { Settings } from "../../shared/settings.ts";
import type { CliIo } from "./io.ts";
import type { Outcome } from "./outcome.ts";

/** What a command's handler works with. */
export interface CommandContext {
  io: CliIo;
  settings: Settings;
  json: boolean;
  /** Positional arguments, in the order the command declares them. */
  args: (string | undefined)[];
  /** The command's own options and the global ones, by their camelCase names. */
  options: Record<string, unknown>;
}

/** Imports what it alone needs when it runs, so that every other command starts without. */
export type Handler = (context: CommandContext) => Promise<Outcome>;

/** Hangs a handler on a command; the program runs it and prints what it returns. */
export type Bind = (command: Command, handler: Handler) => void;

/** Adds one command to the program. */
export type AddCommand = (program: Command, bind: Bind) => void;

const settingsFlags = [
  ["--redis-url <url>", "the queue: redis://, rediss://, unix://, redis+sentinel:// or redis+cluster://"],
  ["--lock-redis-urls <urls>", "comma-separated independent servers for the locks"],
  ["--prefix <prefix>", "key prefix in Redis"],
  ["--host <name>", "this host's name, and so its queue's"],
  ["--address <address>", "this host's address, as .homehost holds it"],
  ["--areas <roots>", "colon-separated directories outside which nothing is touched"],
  ["--cache-root <path>", "where Megatest keeps its caches"],
  ["--user <name>", "the user in the cache's path"],
  ["--token <token>", "bearer token of the HTTP server"],
  ["--traces-url <url>", "where to send OpenTelemetry spans by OTLP over HTTP"],
  ["--log-level <level>", "trace, debug, info, warn, error, fatal or silent"],
] as const;

/** Adds `--json` and the settings every command takes. A command that uses a name itself leaves it out. */
export function addSharedOptions(command: Command, leaveOut: readonly string[] = []): Command {
  const taken = new Set([...command.options.map((option) => option.long), ...leaveOut]);
  const add = (flags: string, description: string, heading: string) => {
    const option = new Option(flags, description).helpGroup(heading);
    if (!taken.has(option.long)) command.addOption(option);
  };
  add("--json", "print one JSON document on stdout and nothing else there", "Output:");
  for (const [flags, description] of settingsFlags) {
    add(flags, description, "Settings (or MTJOBS_… in the environment, or mtjobs.json):");
  }
  return command;
}

/** The names under which `addSharedOptions` leaves settings among a command's options. */
export const settingKeys = settingsFlags.map(([flags]) => new Option(flags).attributeName());

export interface Lesson {
  /** Command lines, each with what it does. */
  examples: readonly (readonly [line: string, does: string])[];
  /** Exit codes this command can end with, with what each means; 0 and 2 have a usual meaning. */
  exits?: Partial<Record<0 | 1 | 2 | 3 | 4 | 5 | 130, string>>;
  /** Paragraphs put before the examples. */
  notes?: readonly string[];
}

/** Puts notes, examples and exit codes under a command's help. */
export function teach(command: Command, { examples, exits = {}, notes = [] }: Lesson): void {
  const width = Math.max(...examples.map(([line]) => line.length));
  const lines = notes.flatMap((note) => ["", note]);
  lines.push("", "Examples:", ...examples.map(([line, does]) => `  ${line.padEnd(width)}  # ${does}`));
  const codes = { 0: "done", 2: "bad usage or bad input", ...exits };
  lines.push(
    "",
    "Exit codes:",
    ...Object.entries(codes).map(([code, means]) => `  ${code.padEnd(4)} ${means}`),
  );
  command.addHelpText("after", lines.join("\n"));
}
