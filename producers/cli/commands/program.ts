import { Command, CommanderError } from "commander";
import { ExitCode } from "../../../shared/error-codes.ts";
import { JobsError, toJobsError } from "../../../shared/errors.ts";
import { readSettingsFile, resolveSettings } from "../../../shared/settings/settings.ts";
import { writeFailure } from "../../format/table.ts";
import { isOneDashWord, normaliseArgv } from "../argv.ts";
import { addSharedOptions, type Bind, settingKeys } from "../command.ts";
import type { CliDeps } from "../io.ts";
import { isClosedPipe, isOutputFailure, type Outcome, printError, printOutcome } from "../outcome.ts";
import { addComplete } from "./complete.ts";
import { addDemo } from "./demo.ts";
import { addDrain, addHost, addUndrain } from "./hosts.ts";
import { addImport } from "./import.ts";
import { addAttachSql } from "./inspect/attach-sql.ts";
import { addDoctor } from "./inspect/doctor.ts";
import { addForecast } from "./inspect/forecast.ts";
import { addHealth } from "./inspect/health.ts";
import { addListRuns } from "./inspect/list-runs.ts";
import { addQuery } from "./inspect/query.ts";
import { addStatus } from "./inspect/status.ts";
import { addCancel } from "./jobs/cancel.ts";
import { addJob } from "./jobs/job.ts";
import { addJobs } from "./jobs/jobs.ts";
import { addRetry } from "./jobs/retry.ts";
import { addManual } from "./manual.ts";
import { addMigrate } from "./migrate.ts";
import { addPurge } from "./purge.ts";
import { addReduce } from "./reduce.ts";
import { addRestore } from "./restore.ts";
import { addSample } from "./sample.ts";
import { addSchedule } from "./schedule.ts";
import { addServe } from "./serve.ts";
import { addWorker } from "./worker.ts";

/** Megatest's verbs, which are options there, and the corresponding commands. */
const megatestVerbs = new Map([
  ["reduce-records", "reduce"],
  ["restore-records", "restore"],
  ["list-runs", "list-runs"],
]);
/** Verbs with a value, and the option that receives it. */
const verbValues = new Map([["list-runs", "runname"]]);

export interface Program {
  /** Runs one command line (without node and script) and returns its exit code; never throws. */
  run(args: readonly string[]): Promise<number>;
}

export function buildProgram(deps: CliDeps): Program {
  return { run: (args) => runOnce(deps, args) };
}

async function runOnce(deps: CliDeps, given: readonly string[]): Promise<number> {
  const { code, outcome, error, json } = await runCommand(deps, given);
  const failure = await writeFailure(deps.io.stdout);
  if (failure === undefined || isClosedPipe(failure)) return code;
  const isDone = code === ExitCode.done && outcome?.changed === true;
  const { message } = toJobsError(failure);
  const done = isDone ? "; the command itself succeeded" : "";
  const again = isDone ? "" : ", then run the command again";
  deps.io.stderr.write(
    `mtjobs: cannot write the output: ${message}${done}\n  hint: free space on the output's file system, or redirect the output${again}\n`,
  );
  // The error was in the document that is lost.
  if (json && error !== undefined) printError(deps.io, error, false);
  return code === ExitCode.done && !isDone ? ExitCode.failed : code;
}

interface Ended {
  code: number;
  outcome?: Outcome | undefined;
  /** The command's own error, already printed. */
  error?: JobsError | undefined;
  json: boolean;
}

async function runCommand(deps: CliDeps, given: readonly string[]): Promise<Ended> {
  let outcome: Outcome | undefined;
  const complaints: string[] = [];
  const deliver = (value: Outcome) => {
    outcome = value;
  };
  const program = assemble(deps, complaints, deliver, neededFor(given));
  const end = given.indexOf("--");
  const own = end < 0 ? given : given.slice(0, end);
  const json = own.some(
    (word, n) => /^--?json$/.test(word) || (word === "json" && /^--?dumpmode$/.test(own[n - 1] ?? "")),
  );
  let args: readonly string[] = given;
  const failed = (thrown: JobsError) => {
    const error = withHint(thrown, commandOf(program, args));
    return { code: printError(deps.io, error, json), error, json };
  };
  try {
    args = normaliseArgv(given, { options: longOptions(program), verbs: megatestVerbs, verbValues });
    await program.parseAsync(args, { from: "user" });
    const { io } = deps;
    if (outcome === undefined) return { code: ExitCode.done, json };
    const error = isOutputFailure(outcome.error) ? undefined : outcome.error;
    return { code: printOutcome(io, outcome, json), outcome, error, json };
  } catch (error) {
    if (isClosedPipe(error)) return { code: ExitCode.done, json };
    if (isOutputFailure(error)) return { code: ExitCode.failed, json };
    if (!(error instanceof CommanderError)) return failed(toJobsError(error));
    if (error.exitCode === 0) return { code: ExitCode.done, json };
    if (error.code !== "commander.help") return failed(usageError(error, commandOf(program, args).words));
    // Without a command, people get the help; programs get an error.
    if (json) return failed(new JobsError("usage", "no command given"));
    deps.io.stderr.write(complaints.join(""));
    return { code: ExitCode.usage, json };
  }
}

/** Returns the command that the arguments name, and its words; the program itself if they name none. */
function commandOf(program: Command, args: readonly string[]): { command: Command; words: string } {
  const words = [program.name()];
  let command = program;
  for (const arg of args.filter((word) => !word.startsWith("-"))) {
    const next = command.commands.find((each) => each.name() === arg);
    if (next === undefined) break;
    words.push(arg);
    command = next;
  }
  return { command, words: words.join(" ") };
}

/** Completes an error by what only the command line knows: the command's help, and whether it works without Redis. */
function withHint(error: JobsError, { command, words }: ReturnType<typeof commandOf>): JobsError {
  const { code, message, hint, details } = error;
  const hints = hint === undefined ? [] : [hint];
  if (code === "usage" && hint === undefined) hints.push(`see ${words} --help`);
  const worksAlone = command.options.some(({ long }) => long === "--inline");
  if (code === "redis-unreachable" && worksAlone) hints.push("--inline needs no Redis");
  return new JobsError(code, message, { hint: hints.join("; ") || undefined, details, cause: error });
}

/** Converts the parser's error; its second line is a suggestion. */
function usageError(error: CommanderError, command: string): JobsError {
  const more = command.includes(" ") ? ` See ${command} --help` : "";
  // The value of a misspelt option may be a secret.
  const [message = "", suggestion = ""] = error.message
    .replace(/(unknown option '[^'=]*)=[^\n]*/, "$1'")
    .split("\n");
  // A shell expanded a pattern.
  const isSeveralAreas = /^error: too many arguments for '(reduce|restore|purge)'/.test(message);
  const quoting = isSeveralAreas ? "name one area, or quote a pattern: 'chips/*'" : undefined;
  return new JobsError("usage", message.replace(/^error: /, ""), {
    hint: suggestion === "" ? quoting : `${suggestion.replace(/^\((.*)\)$/, "$1")}${more}`,
  });
}

type Add = (program: Command, bind: Bind, deps: CliDeps) => void;

/** By name, in the order of the help. */
const commands: Readonly<Record<string, Add>> = {
  reduce: addReduce,
  restore: addRestore,
  purge: addPurge,
  import: addImport,
  migrate: addMigrate,
  drain: addDrain,
  undrain: addUndrain,
  host: addHost,
  "list-runs": addListRuns,
  query: addQuery,
  "attach-sql": addAttachSql,
  forecast: addForecast,
  status: addStatus,
  doctor: addDoctor,
  jobs: addJobs,
  job: addJob,
  cancel: addCancel,
  retry: addRetry,
  schedule: addSchedule,
  worker: addWorker,
  serve: addServe,
  health: addHealth,
  demo: addDemo,
  sample: addSample,
  manual: (program, bind, deps) =>
    addManual(program, bind, deps.version, () => describe(deps, Object.keys(commands))),
  // The library adds its own `complete` command to the tree that it completes.
  complete: (program, bind, deps) =>
    addComplete(program, bind, () =>
      describe(
        deps,
        Object.keys(commands).filter((name) => name !== "complete"),
      ),
    ),
};

/**
 * Returns the names of the commands that these arguments may need, because describing all of them slows the start. In
 * Megatest's spelling a word may belong to any command.
 */
function neededFor(args: readonly string[]): readonly string[] {
  const [first = ""] = args;
  if (first === "--version" || first === "-V") return [];
  const isOne = Object.hasOwn(commands, first) && !args.some(isMegatestSpelling);
  return isOne ? [first] : Object.keys(commands);
}

const isMegatestSpelling = (word: string) =>
  isOneDashWord(word) || (word.startsWith("--") && megatestVerbs.has(word.slice(2)));

/** Builds commands to be described, not run. */
const describe = (deps: CliDeps, names: readonly string[]) => assemble(deps, [], () => {}, names);

/** Builds the program with the commands of these names. */
function assemble(
  deps: CliDeps,
  complaints: string[],
  deliver: (outcome: Outcome) => void,
  names: readonly string[],
): Command {
  const { io } = deps;
  const program = new Command("mtjobs")
    .description("Keep Megatest areas small and movable: job queues, workers and their results.")
    .version(deps.version, "-V, --version")
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => complaints.push(text),
      outputError: () => {},
      getOutHelpWidth: () => (io.stdout.isTTY ? io.stdout.columns : 110),
    });
  addSharedOptions(program);
  const bind: Bind = (command, handler) => {
    command.action(async () => {
      const options = { ...program.opts(), ...command.opts() };
      const flags = Object.fromEntries(settingKeys.map((key) => [key, options[key]]));
      const settings = resolveSettings({ flags, env: io.env, ...readSettingsFile() });
      // A variadic argument is an array.
      const args = command.processedArgs.flat() as (string | undefined)[];
      deliver(await handler({ io, settings, options, args, json: options.json === true }));
    });
  };
  for (const name of names) commands[name]?.(program, bind, deps);
  program.addHelpText("after", programHelp);
  return program;
}

/** Returns every long option of the program and its commands, and whether it takes a value. */
function longOptions(program: Command): Map<string, boolean> {
  const found = new Map([["help", false]]);
  const below = (command: Command): Command[] => [command, ...command.commands.flatMap(below)];
  for (const command of below(program)) {
    for (const option of command.options) {
      if (option.long !== undefined) found.set(option.long.replace(/^--/, ""), option.required);
    }
  }
  return found;
}

const programHelp = `
AREA is the path of a Megatest area; the default is the working directory.
Long options may be written with one dash, as in Megatest.
Join a value that begins with a dash to its option with "=": --run-id=-5.

Start here:
  mtjobs demo                                       # run a reduce on a generated sample area
  mtjobs sample DIR                                 # make sample areas to try the commands on
  mtjobs reduce --age 30d --dry-run --inline        # what a reduce would move from the working directory
  mtjobs restore --run-id 7 --inline                # move a run back
  mtjobs <command> --help                           # examples and exit codes of a command

Exit codes:
  0 done or enqueued   1 the job failed   2 bad usage or input   3 refused by a safety rule
  4 Redis unreachable or no worker   5 --timeout passed   130 interrupted`;
