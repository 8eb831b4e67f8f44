import type { Command } from "commander";
import { JobsError } from "../../../shared/errors.ts";
import type { ReduceRequest } from "../../reduce-request.ts";
import { addSharedOptions, type Bind, type CommandContext, teach } from "../command.ts";
import type { CliDeps } from "../deps.ts";
import type { Outcome } from "../outcome.ts";
import { reduceInline } from "../reduce-inline.ts";
import { reduceQueued } from "../reduce-queued.ts";
import { addSelectors, duration, selectorsOf } from "../selectors.ts";

/** `mtjobs reduce AREA [selectors] [--dry-run] [--compact …] [--inline]` */
export function addReduce(program: Command, bind: Bind, deps: CliDeps): void {
  const command = program
    .command("reduce")
    .summary("move runs to completed-runs.db")
    .description(
      "Move finished runs from an area's databases to completed-runs.db, so that megatest.db and its cache stay small. A run with a test that still runs is never moved; nothing is lost, whatever dies on the way.",
    )
    .argument("[area]", "the area's path; the working directory if left out");
  addSelectors(command)
    .option("--dry-run", "say what would move and change nothing")
    .option("--compact <when>", "vacuum afterwards: auto, always or never (default: auto)")
    .option("--inline", "do it in this process, without Redis; on the area's homehost only")
    .option("--wait", "follow the job to its end and print its result")
    .option(
      "--timeout <duration>",
      "with --wait: give up waiting after this long; the job goes on",
      duration("--timeout"),
    );
  addSharedOptions(command);
  teach(command, lesson);
  bind(command, (context) => reduce(context, deps));
}

const lesson = {
  notes: [
    "A selector must be given: --runname % means every run. In a pattern % means LIKE, without one it is a GLOB;\ncommas separate alternatives. Durations: 90s, 30m, 12h, 30d, 8w.",
  ],
  examples: [
    ["mtjobs reduce /areas/a1 --age 30d --dry-run --wait", "what is older than 30 days"],
    ["mtjobs reduce /areas/a1 --age 30d --wait", "move it, and watch"],
    ["mtjobs reduce --target ubuntu/% --keep 5", "here; the newest 5 of each target stay"],
    ["mtjobs reduce --runname % --inline", "without Redis and worker"],
    ["mtjobs -reduce-records -target ubuntu/% -runname w4%", "in Megatest's spelling"],
  ],
  exits: {
    0: "done, or enqueued; also when some runs stayed for the reasons listed",
    1: "the job failed",
    3: "refused by a safety rule: not at home, locked, outside the allowed roots",
    4: "Redis is out of reach, or with --wait no worker serves the host",
    5: "--timeout passed; the job goes on",
    130: "interrupted while waiting; the job goes on",
  },
} as const;

function reduce(context: CommandContext, deps: CliDeps): Promise<Outcome> {
  const { options, args } = context;
  const inline = options.inline === true;
  if (options.timeout !== undefined && (inline || options.wait !== true)) {
    throw new JobsError("usage", "--timeout goes with --wait", {
      hint: "add --wait, or leave --timeout out",
    });
  }
  const request: ReduceRequest = {
    ...selectorsOf(options),
    area: args[0] ?? context.io.cwd,
    dryRun: options.dryRun === true,
    ...(options.compact === undefined ? {} : { compact: options.compact as "auto" }),
  };
  return inline ? reduceInline(context, deps, request) : reduceQueued(context, request);
}
