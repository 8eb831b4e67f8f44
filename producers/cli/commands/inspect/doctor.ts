import type { Command } from "commander";
import { ExitCode } from "../../../../shared/error-codes.ts";
import type { Examination } from "../../../doctor/diagnose-and-repair.ts";
import { doctorText } from "../../../format/doctor.ts";
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
    .argument("[area]", "the area's path (default: the working directory)")
    .option("--repair", "finish or undo what a dead job left, then check again");
  addSharedOptions(command);
  addHelp(command, {
    examples: [
      ["mtjobs doctor /areas/a1", "problems and remedies"],
      ["mtjobs doctor --json", "the working directory, for programs"],
      ["mtjobs doctor /areas/a1 --repair", "finish what a killed job began"],
    ],
    exits: {
      0: "no problems; there may be notes",
      1: "a problem was found, or the repair failed",
      3: "the area is outside --areas, or --repair was refused: not at home, locked",
      130: "interrupted during a repair",
    },
  });
  bind(command, (context) => doctor(context, deps));
}

async function doctor(context: CommandContext, deps: CliDeps): Promise<Outcome> {
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
  const text = `${repairText(found)}${doctorText(found)}`;
  return {
    document: found,
    text,
    exit: found.ok ? ExitCode.done : ExitCode.failed,
    ...(options.repair === true ? { changed: true } : {}),
  };
}

function repairText({ repair }: Examination): string {
  if (repair === undefined) return "";
  if (repair !== null) return `${resultText(repair)}\n\n`;
  return "no job has ever worked on this area: there is nothing to repair\n\n";
}
