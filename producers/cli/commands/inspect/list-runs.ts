import type { Writable } from "node:stream";
import { JobsError, toJobsError } from "../../../../shared/errors.ts";
import type { RunId } from "../../../../shared/sqlite/run-id.ts";
import type { RunList } from "../../../areas/list-runs.ts";
import { runDocument, runText } from "../../../format/runs.ts";
import { printable, write } from "../../../format/table.ts";
import { type AddCommand, addHelp, addSharedOptions, type CommandContext } from "../../command.ts";
import type { CliIo } from "../../io.ts";
import { areaAndMore } from "../../options/option-values.ts";
import { runIds } from "../../options/selectors.ts";
import type { Outcome } from "../../outcome.ts";

export const addListRuns: AddCommand = (program, bind) => {
  const command = program
    .command("list-runs")
    .summary("list runs and their tests")
    .description(
      "List an area's runs with their tests, as Megatest's -list-runs does. On the homehost it reads Megatest's cache, elsewhere megatest.db. With --full-db it also reads completed-runs.db and says which database each run is in.",
    )
    .argument("[area]", "the area's path (default: the working directory)")
    .argument(
      "[patt]",
      "pattern for the run's name: LIKE if it contains %, otherwise GLOB; commas separate alternatives",
    )
    .option("--runname <pattern>", "same as PATT")
    .option("--target <pattern>", "a pattern for each key, joined by /, such as ub%/nfs/*")
    .option("--state <list>", "the run's state")
    .option("--status <list>", "the run's status")
    .option("--run-id <list>", "ids, comma-separated", runIds)
    .option("--full-db", "include runs in completed-runs.db");
  addSharedOptions(command);
  addHelp(command, {
    examples: [
      ["mtjobs list-runs /areas/a1 w49%", "the runs of one week"],
      ["mtjobs list-runs --target ubuntu/% --full-db", "the working directory, with the moved runs"],
      ["mtjobs -list-runs % -full-db -target ubuntu/nfs/none", "in Megatest's spelling"],
      ["mtjobs list-runs --run-id 7,9 --full-db", "which database these two are in"],
      ["mtjobs list-runs . --json", "for programs"],
    ],
    exits: { 1: "the database is busy, damaged or unreadable" },
  });
  bind(command, printRuns);
};

async function printRuns(context: CommandContext): Promise<Outcome> {
  const { io, settings, options, json } = context;
  const { area, more } = areaAndMore(context.args, io.cwd);
  if (more !== undefined && options.runname !== undefined) {
    throw new JobsError("usage", "PATT and --runname are the same option; give only one of them");
  }
  const pattern = (name: string) => options[name] as string | undefined;
  const fullDb = options.fullDb === true;
  const request = {
    runname: more ?? pattern("runname"),
    target: pattern("target"),
    state: pattern("state"),
    status: pattern("status"),
    runId: options.runId as RunId[] | undefined,
    fullDb,
  };
  const { listRuns } = await import("../../../areas/list-runs.ts");
  const list = await listRuns(area, request, { settings, env: io.env });
  try {
    const error = json ? await printJson(list, fullDb, io.stdout) : await printText(list, io);
    return { document: undefined, text: "", printed: true, error };
  } finally {
    list.close();
  }
}

/** Prints one run at a time, so that memory use stays constant. */
async function printText(list: RunList, { stdout, stderr }: CliIo): Promise<JobsError | undefined> {
  try {
    let found = false;
    for (const run of list.runs()) {
      found = true;
      await write(stdout, runText(run));
    }
    const note = found ? undefined : list.noMatch();
    if (note !== undefined) stderr.write(`mtjobs: ${printable(note)}\n`);
    return undefined;
  } catch (error) {
    return toJobsError(error);
  }
}

/** Prints one document, run by run; an error on the way becomes its `error` member. */
async function printJson(list: RunList, fullDb: boolean, stdout: Writable): Promise<JobsError | undefined> {
  const head = JSON.stringify({ area: list.area, source: list.source, fullDb });
  await write(stdout, `${head.slice(0, -1)},"runs":[`);
  let error: JobsError | undefined;
  let separator = "\n";
  let warnings: string[] = [];
  try {
    for (const run of list.runs()) {
      await write(stdout, separator + JSON.stringify(runDocument(run)));
      separator = ",\n";
    }
    const note = separator === "\n" ? list.noMatch() : undefined;
    if (note !== undefined) warnings = [note];
  } catch (thrown) {
    error = toJobsError(thrown);
  }
  const warningsText = warnings.length === 0 ? "" : `,"warnings":${JSON.stringify(warnings)}`;
  await write(
    stdout,
    `\n]${warningsText}${error === undefined ? "" : `,"error":${JSON.stringify(error.toDocument())}`}}\n`,
  );
  return error;
}
