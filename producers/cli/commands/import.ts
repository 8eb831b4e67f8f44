import { resolve } from "node:path";
import type { Command } from "commander";
import { JobsError } from "../../../shared/errors.ts";
import { addHelp, type Bind, type CommandContext } from "../command.ts";
import type { CliDeps } from "../io.ts";
import { addRunOptions, exits, requestOf, runRequest } from "../move-command.ts";
import { addWorkOptions } from "../options/selectors.ts";
import type { Outcome } from "../outcome.ts";

export function addImport(program: Command, bind: Bind, deps: CliDeps): void {
  const command = program
    .command("import")
    .summary("put an exported run back into completed-runs.db")
    .description(
      "Put a run that mtjobs purge exported back into the area's completed-runs.db. From there mtjobs restore moves it to megatest.db. The file stays.",
    )
    .argument("<file>", "an export, as the area's homehost mounts it")
    .argument("[area]", "the area's path (default: the working directory)")
    .option("--dry-run", "check the file and print what would be imported; change nothing")
    .option("--any-area", "also an export of another area, if the target keys are the same");
  addWorkOptions(command);
  addRunOptions(command);
  addHelp(command, {
    notes: [
      "The run keeps its ids unless they are in use by now: then it gets new ones, and the result names both. If a run of\nthat target and name is in the area, nothing is imported (conflict).",
    ],
    examples: [
      ["mtjobs import /archive/run-7-ubuntu_nfs_none-w49.1-1a2b3c4d.db /areas/a1 --wait", "follow the job"],
      ["mtjobs restore /areas/a1 --run-id 7 --wait", "then move the run to megatest.db"],
    ],
    exits,
  });
  bind(command, async (context) => await importFile(context, deps));
}

async function importFile(context: CommandContext, deps: CliDeps): Promise<Outcome> {
  const [file = "", area] = context.args;
  if (file === "") throw new JobsError("usage", "FILE is empty", { hint: "name a file of a purge" });
  const request = await requestOf(context, "import", area);
  return await runRequest(context, deps, "import", { ...request, file: resolve(context.io.cwd, file) });
}
