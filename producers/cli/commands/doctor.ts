import type { Command } from "commander";
import { ExitCode } from "../../../shared/errors.ts";
import type { Examination } from "../../doctor/examine.ts";
import type { RepairRequest } from "../../run-inline.ts";
import { doctorText } from "../../text/doctor-text.ts";
import { resultText } from "../../text/result-text.ts";
import { addSharedOptions, type Bind, type CommandContext, teach } from "../command.ts";
import type { CliDeps } from "../deps.ts";
import { inThisProcess } from "../in-this-process.ts";
import type { Outcome } from "../outcome.ts";

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
  const { examine } = await import("../../doctor/examine.ts");
  const mend = (request: RepairRequest) =>
    inThisProcess(context, "mended", (hooks) => deps.runRepair(request, settings, hooks));
  const place = { settings, cwd: io.cwd, env: io.env };
  const found = await examine(args[0] ?? io.cwd, place, options.repair === true ? mend : undefined);
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
  return "no job ever worked on this area: there is nothing to repair\n\n";
}
