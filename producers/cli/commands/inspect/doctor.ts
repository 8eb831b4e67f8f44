import type { Command } from "commander";
import { ExitCode } from "../../../../shared/error-codes.ts";
import { JobsError, toJobsError } from "../../../../shared/errors.ts";
import { chooseAreas, isPattern } from "../../../areas/choose-areas.ts";
import type { Diagnosis } from "../../../contract/area.ts";
import type { Examination } from "../../../doctor/diagnose-and-repair.ts";
import { assertWebhook, notify } from "../../../doctor/notify.ts";
import { doctorText, manyDoctorText } from "../../../format/doctor.ts";
import { resultText } from "../../../format/move-result.ts";
import type { RepairRequest } from "../../../jobs/run-inline.ts";
import { addHelp, addSharedOptions, type Bind, type CommandContext } from "../../command.ts";
import type { CliDeps } from "../../io.ts";
import type { Outcome } from "../../outcome.ts";
import { inThisProcess } from "../../run-inline.ts";

export function addDoctor(program: Command, bind: Bind, deps: CliDeps): void {
  const command = program
    .command("doctor")
    .summary("check an area for problems and print remedies")
    .description(
      "Check an area's databases, caches, owners and leftovers, and print a verdict and a remedy for each. Read-only; Megatest may be running. With --repair, run on the homehost: finish or undo what a dead job left, then check again.",
    )
    .argument(
      "[area]",
      "the area's path (default: the working directory), or a pattern such as 'chips/*' for areas below --areas",
    )
    .option("--all", "check each area below --areas")
    .option("--repair", "finish or undo what a dead job left, then check again")
    .option("--notify", "if there are problems, have the workers send them to --webhook-url");
  addSharedOptions(command);
  addHelp(command, {
    examples: [
      ["mtjobs doctor /areas/a1", "problems and remedies"],
      ["mtjobs doctor --json", "the working directory, for programs"],
      ["mtjobs doctor /areas/a1 --repair", "finish what a killed job began"],
      ["mtjobs doctor --all --notify", "all areas below --areas; for a timer"],
    ],
    exits: {
      0: "no problems; there may be notes",
      1: "a problem was found, a directory could not be read, or the repair failed",
      3: "the area is outside --areas, or --repair was refused: not at home, locked",
      4: "with --notify: there are problems, and Redis is unreachable",
      130: "interrupted during a repair",
    },
  });
  bind(command, (context) => doctor(context, deps));
}

async function doctor(context: CommandContext, deps: CliDeps): Promise<Outcome> {
  const { io, settings, options, args } = context;
  const [area] = args;
  const isMany = options.all === true || (area !== undefined && isPattern(area, io.cwd));
  assertOptions(options, area, isMany);
  if (options.notify === true) assertWebhook(settings);
  const { diagnoses, ...outcome } = isMany ? await ofMany(context, area) : await ofOne(context, deps);
  if (options.notify !== true) return outcome;
  try {
    const notified = await notify(diagnoses, settings);
    return { ...outcome, document: { ...outcome.document, notified } };
  } catch (error) {
    // What was found is printed in any case.
    return { ...outcome, error: toJobsError(error) };
  }
}

function assertOptions(options: Record<string, unknown>, area: string | undefined, isMany: boolean): void {
  if (options.all === true && area !== undefined) {
    throw new JobsError("usage", "--all means every area, and an area was named", {
      hint: "remove --all, or the area",
    });
  }
  if (isMany && options.repair === true) {
    throw new JobsError("usage", "--repair is for one area, and several were asked for", {
      hint: "remove --repair, or name one area",
    });
  }
}

type Examined = Outcome & { document: object; diagnoses: readonly Diagnosis[] };

async function ofOne(context: CommandContext, deps: CliDeps): Promise<Examined> {
  const { io, settings, options, args } = context;
  const { diagnoseAndRepair } = await import("../../../doctor/diagnose-and-repair.ts");
  const runRepair = (request: RepairRequest) =>
    inThisProcess(context, "repaired", (hooks) => deps.runRepair(request, settings, hooks));
  const place = { settings, cwd: io.cwd, env: io.env };
  const found = await diagnoseAndRepair(
    args[0] ?? io.cwd,
    place,
    options.repair === true ? runRepair : undefined,
  );
  return {
    diagnoses: [found],
    document: found,
    text: `${repairText(found)}${doctorText(found)}`,
    exit: found.ok ? ExitCode.done : ExitCode.failed,
    ...(options.repair === true ? { changed: true } : {}),
  };
}

async function ofMany({ io, settings }: CommandContext, pattern: string | undefined): Promise<Examined> {
  const { diagnoseMany } = await import("../../../doctor/diagnose-many.ts");
  const place = { settings, cwd: io.cwd, env: io.env };
  const found = await diagnoseMany(chooseAreas(pattern === undefined ? [] : [pattern], place), place);
  const isWell = found.warnings.length === 0 && found.areas.every(({ ok }) => ok);
  return {
    diagnoses: found.areas,
    document: found,
    text: manyDoctorText(found),
    exit: isWell ? ExitCode.done : ExitCode.failed,
  };
}

function repairText({ repair }: Examination): string {
  if (repair === undefined) return "";
  if (repair !== null) return `${resultText(repair)}\n\n`;
  return "no job has ever worked on this area: there is nothing to repair\n\n";
}
