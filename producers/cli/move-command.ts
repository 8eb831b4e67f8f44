import type { Command } from "commander";
import type { MoveName } from "../../shared/contract/payload.ts";
import { JobsError } from "../../shared/errors.ts";
import { verbOf } from "../../shared/job-verbs.ts";
import { isPattern } from "../areas/choose-areas.ts";
import { resultText } from "../format/move-result.ts";
import { checkRequest, type MoveRequest, payloadMembers } from "../jobs/check-move.ts";
import { addHelp, addSharedOptions, type Bind, type CommandContext, type HelpText } from "./command.ts";
import { exitOf } from "./exit-code.ts";
import type { CliDeps } from "./io.ts";
import { duration } from "./options/option-values.ts";
import { addCompact, addSelectors, addWorkOptions, type SelectorTexts } from "./options/selectors.ts";
import type { Outcome } from "./outcome.ts";
import { inThisProcess } from "./run-inline.ts";
import { jobsQueued } from "./run-many.ts";
import { jobQueued } from "./run-queued.ts";

/** What differs between the commands that move runs. The name is also the job's name. */
export interface MoveCommand {
  name: MoveName;
  summary: string;
  description: string;
  selectors: SelectorTexts;
  dryRun: string;
  /** Asks a person before the job is requested; returns further members of its data. @throws {JobsError} `unconfirmed` */
  confirm?: (context: CommandContext) => Promise<object>;
  /** Adds the command's own options, named like the members of the job's data. */
  addOptions?: (command: Command) => Command;
  /** Does something else than requesting a job, if an option asks for it. */
  instead?: (context: CommandContext) => Promise<Outcome | undefined>;
  help: Pick<HelpText, "examples" | "notes">;
}

export const exits = {
  0: "done or enqueued; also if some runs stay for the reasons listed",
  1: "the job failed; of several, some areas were refused",
  3: "refused by a safety rule: not at home, locked, paused, outside --areas or --between; or all runs given by id, or the file to import, stay",
  4: "Redis is unreachable, or with --wait no worker serves the host",
  5: "--timeout passed; the job continues",
  130: "interrupted while waiting; the job continues",
} as const;

/** Adds `mtjobs NAME [AREA] [selectors] [--dry-run] [--compact …] [--inline] [--wait] [--timeout …]`. */
export function addMoveCommand(program: Command, bind: Bind, deps: CliDeps, kind: MoveCommand): void {
  const command = program
    .command(kind.name)
    .summary(kind.summary)
    .description(kind.description)
    .argument(
      "[area]",
      "the area's path (default: the working directory), or a pattern such as 'chips/*' for areas below --areas",
    )
    .option("--all", "enqueue a job for each area below --areas");
  addSelectors(command, kind.selectors).option("--dry-run", kind.dryRun);
  kind.addOptions?.(command);
  addCompact(command);
  addWorkOptions(command);
  addRunOptions(command);
  addHelp(command, { ...kind.help, exits });
  bind(command, async (context) => (await kind.instead?.(context)) ?? (await ask(context, deps, kind)));
}

/** Adds the options that say where the job runs, and whether the command waits for it. */
export function addRunOptions(command: Command): void {
  command
    .option("--inline", "run in this process, without Redis; only on the area's homehost")
    .option("--wait", "follow the job until it ends and print its result")
    .option(
      "--timeout <duration>",
      "with --wait: stop waiting after this long; the job continues",
      duration("--timeout"),
    );
  addSharedOptions(command);
}

async function ask(context: CommandContext, deps: CliDeps, { name, confirm }: MoveCommand): Promise<Outcome> {
  const { options, io } = context;
  const [area] = context.args;
  if (options.all === true && area !== undefined) {
    throw new JobsError("usage", "--all means every area, and an area was named", {
      hint: "remove --all, or the area",
    });
  }
  if (options.all === true || (area !== undefined && isPattern(area, io.cwd))) {
    assertTimeout(options);
    const { area: _, ...members } = await requestOf(context, name, area);
    return await jobsQueued(context, name, area, { ...members, ...(await confirm?.(context)) });
  }
  const request = await requestOf(context, name, area);
  return await runRequest(context, deps, name, { ...request, ...(await confirm?.(context)) });
}

function assertTimeout({ inline, wait, timeout }: CommandContext["options"]): void {
  if (timeout === undefined || (inline !== true && wait === true)) return;
  throw new JobsError("usage", "--timeout requires --wait", {
    hint: "add --wait, or remove --timeout",
  });
}

/** Runs a job in this process or enqueues it, as the options say. */
export async function runRequest<Name extends MoveName>(
  context: CommandContext,
  deps: CliDeps,
  name: Name,
  request: MoveRequest<Name>,
): Promise<Outcome> {
  const { options, settings, io } = context;
  assertTimeout(options);
  const checked = await checkRequest(name, request, { settings, cwd: io.cwd, env: io.env });
  if (options.inline !== true) return await jobQueued(context, checked);
  const result = await inThisProcess(context, verbOf(name).did, (hooks) =>
    deps.runInline(name, checked.payload, settings, hooks),
  );
  return {
    document: result,
    text: resultText(result),
    exit: exitOf(result, checked.payload),
    ...(result.dryRun ? {} : { changed: true }),
  };
}

/** Builds the request of a command line: the area, and the given options that are members of the job's data. */
export async function requestOf<Name extends MoveName>(
  { options, io }: CommandContext,
  name: Name,
  area: string | undefined,
): Promise<MoveRequest<Name>> {
  const members = (await payloadMembers(name)).filter((member) => options[member] !== undefined);
  const given = Object.fromEntries(members.map((member) => [member, options[member]]));
  return { ...given, area: area ?? io.cwd } as MoveRequest<Name>;
}
