import type { Command } from "commander";
import { JobsError } from "../../../shared/errors.ts";
import type { MoveResult } from "../../../shared/result.ts";
import type { Diagnosis } from "../../doctor/doctor.ts";
import { requester } from "../../move-request.ts";
import { cancelOn } from "../../run-inline.ts";
import { doctorText } from "../../text/doctor-text.ts";
import { resultText } from "../../text/result-text.ts";
import { addSharedOptions, type Bind, type CommandContext, teach } from "../command.ts";
import type { CliDeps } from "../deps.ts";
import type { Outcome } from "../outcome.ts";
import { progressDisplay } from "../progress-bar.ts";

/** `mtjobs doctor [AREA] [--repair]` */
export function addDoctor(program: Command, bind: Bind, deps: CliDeps): void {
  const command = program
    .command("doctor")
    .summary("look for what is wrong with an area, and what to do about it")
    .description(
      "Look at an area's databases, caches, owners and leftovers, with a verdict and a remedy for each; it is only read, and Megatest may be at work. With --repair, finish or undo what a dead job left, on the homehost, and look again.",
    )
    .argument("[area]", "the area's path; the working directory if left out")
    .option("--repair", "finish or undo what a dead job left, then look again");
  addSharedOptions(command);
  teach(command, {
    examples: [
      ["mtjobs doctor /areas/a1", "what is wrong, and what to do"],
      ["mtjobs doctor --json", "the area you are in, for programs"],
      ["mtjobs doctor /areas/a1 --repair", "end what a killed job began"],
    ],
    exits: {
      0: "nothing is wrong; notes may be there",
      1: "something is wrong, or the repair failed",
      3: "the area is outside --areas; or --repair was refused: not at home, locked",
      130: "interrupted in a repair",
    },
  });
  bind(command, (context) => doctor(context, deps));
}

async function doctor(context: CommandContext, deps: CliDeps): Promise<Outcome> {
  const { io, settings, options, args } = context;
  const { diagnose } = await import("../../doctor/doctor.ts");
  const look = () => diagnose(args[0] ?? io.cwd, { settings, cwd: io.cwd, env: io.env });
  const first = await look();
  if (options.repair !== true) return outcomeOf(first);
  const repair = await repaired(context, deps, first);
  return outcomeOf(repair === null ? first : await look(), repair);
}

/** Null where no job ever worked on the area: there is nothing to mend, and nothing is to be made. */
async function repaired(
  { io, settings, json }: CommandContext,
  deps: CliDeps,
  { area, checks }: Diagnosis,
): Promise<MoveResult | null> {
  if (!hasWorked(checks)) return null;
  const display = await progressDisplay(io, json);
  try {
    return await deps.runRepair({ area, requestedBy: requester(settings) }, settings, {
      signal: cancelOn(io.interrupt),
      onLog: display.note,
      onProgress: display.progress,
    });
  } catch (error) {
    if (!io.interrupt.aborted) throw error;
    throw new JobsError("interrupted", "interrupted; what was mended stays mended", {
      hint: "run the same command again: it goes on where it stopped",
      cause: error,
    });
  } finally {
    display.end();
  }
}

/** completed-runs.db is the first thing that a job makes. */
function hasWorked(checks: Diagnosis["checks"]): boolean {
  return checks.some(({ name }) => name === "journal/completed-runs.db");
}

function outcomeOf(diagnosis: Diagnosis, repair?: MoveResult | null): Outcome {
  const { ok } = diagnosis;
  const told = repair == null ? "" : `${resultText(repair)}\n\n`;
  const nothing = repair === null ? "no job ever worked on this area: there is nothing to repair\n\n" : "";
  const outcome: Outcome = {
    document: { ...diagnosis, ...(repair === undefined ? {} : { repair }) },
    text: `${told}${nothing}${doctorText(diagnosis)}`,
  };
  return ok ? outcome : { ...outcome, exit: 1 };
}
