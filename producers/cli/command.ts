import { type Command, Option } from "commander";
import type { Settings } from "../../shared/settings/settings.ts";
import type { CliIo } from "./io.ts";
import type { Outcome } from "./outcome.ts";

export interface CommandContext {
  io: CliIo;
  settings: Settings;
  json: boolean;
  /** Positional arguments, in the order the command declares them. */
  args: (string | undefined)[];
  /** The command's own options and the global ones, by their camelCase names. */
  options: Record<string, unknown>;
}

/** Runs a command. Handlers import their dependencies lazily, so that other commands start faster. */
export type Handler = (context: CommandContext) => Promise<Outcome>;

/** Attaches a handler to a command; the program runs it and prints its outcome. */
export type Bind = (command: Command, handler: Handler) => void;

export type AddCommand = (program: Command, bind: Bind) => void;

const settingsFlags = [
  [
    "--redis-url <url>",
    "the queue's server: redis://, rediss://, unix://, redis+sentinel:// or redis+cluster://",
  ],
  ["--lock-redis-urls <urls>", "comma-separated independent Redis servers for the locks"],
  ["--prefix <prefix>", "key prefix in Redis"],
  ["--host <name>", "this host's name; its queue has the same name"],
  ["--address <address>", "this host's address, as written in .homehost"],
  ["--areas <roots>", "colon-separated directories; nothing outside them is touched"],
  ["--exports <roots>", "colon-separated directories of exports (default: those of --areas)"],
  ["--cache-root <path>", "root directory of Megatest's caches"],
  ["--user <name>", "the user name in the cache's path"],
  ["--token <token>", "bearer token of the HTTP server"],
  ["--tokens-file <path>", "JSON file with named tokens of the HTTP server and their roles"],
  ["--trust-proxy <addresses>", "comma-separated addresses of proxies before the HTTP server"],
  ["--user-header <name>", "the header in which such a proxy names the user"],
  ["--base-path <path>", "the path below which a proxy serves the HTTP server, such as /mtjobs"],
  [
    "--webhook-url <url>",
    "where workers send messages about failed automatic jobs, migrations and the doctor's findings",
  ],
  ["--webhook-secret <key>", "key of the signatures of these messages"],
  ["--traces-url <url>", "OTLP/HTTP endpoint for OpenTelemetry spans"],
  ["--log-level <level>", "trace, debug, info, warn, error, fatal or silent"],
] as const;

/** Adds `--json` and the common settings, except names that the command uses itself. */
export function addSharedOptions(command: Command, leaveOut: readonly string[] = []): Command {
  const taken = new Set([...command.options.map((option) => option.long), ...leaveOut]);
  const add = (flags: string, description: string, heading: string) => {
    const option = new Option(flags, description).helpGroup(heading);
    if (!taken.has(option.long)) command.addOption(option);
  };
  add("--json", "print one JSON document on stdout and nothing else", "Output:");
  for (const [flags, description] of settingsFlags) {
    add(flags, description, "Settings (or MTJOBS_… in the environment, or mtjobs.json):");
  }
  return command;
}

/** The attribute names of the options that `addSharedOptions` adds. */
export const settingKeys = settingsFlags.map(([flags]) => new Option(flags).attributeName());

export interface HelpText {
  examples: readonly (readonly [line: string, does: string])[];
  /** Exit codes of this command with their meanings; 0 and 2 have defaults. */
  exits?: Partial<Record<0 | 1 | 2 | 3 | 4 | 5 | 130, string>>;
  notes?: readonly string[];
}

export function addHelp(command: Command, { examples, exits = {}, notes = [] }: HelpText): void {
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
