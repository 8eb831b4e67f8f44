import { text as readText } from "node:stream/consumers";
import { JobsError } from "../../../../shared/errors.ts";
import type { RowFormat } from "../../../query/print-rows.ts";
import { type AddCommand, addHelp, addSharedOptions, type CommandContext } from "../../command.ts";
import { areaAndMore, duration } from "../../options/option-values.ts";
import type { Outcome } from "../../outcome.ts";

/** Milliseconds; less than the 136 s for which Megatest waits for a database. */
const defaultTimeoutMs = 60_000;

export const addQuery: AddCommand = (program, bind) => {
  const command = program
    .command("query")
    .summary("run a read-only SQL query on an area")
    .description(
      "Run one SELECT on an area's records and print its rows. On the homehost it reads Megatest's cache, elsewhere megatest.db. With --full-db it also reads completed-runs.db, as if no run had ever been moved.",
    )
    .argument("[area]", "the area's path (default: the working directory)")
    .argument("[sql]", "the query; if it is missing or -, it is read from stdin")
    .option("--full-db", "include runs in completed-runs.db")
    .option("--csv", "print comma-separated values")
    .option("--timeout <duration>", "stop the query after this long (default: 60s)", duration("--timeout"));
  addSharedOptions(command);
  addHelp(command, {
    notes: [
      "While the query runs, programs that write to the database may have to wait; this includes the time in a pager.",
    ],
    examples: [
      ['mtjobs query /areas/a1 "SELECT id, runname FROM runs" --full-db', "all runs, moved ones included"],
      [
        'mtjobs query "SELECT state, count(*) FROM tests GROUP BY 1" --json',
        "the working directory, for programs",
      ],
      ["mtjobs query . --full-db --csv < report.sql > report.csv", "SQL from a file"],
    ],
    exits: {
      1: "the database is busy, damaged or unreadable",
      2: "bad usage, invalid SQL, or a query that writes",
      5: "--timeout passed; the query was stopped",
    },
  });
  bind(command, runQuery);
};

async function runQuery(context: CommandContext): Promise<Outcome> {
  const { io, settings, options, json } = context;
  if (json && options.csv === true) throw new JobsError("usage", "--json and --csv cannot be combined");
  const { area: path, more } = areaAndMore(context.args, io.cwd);
  const sql = more === undefined || more === "-" ? await sqlFromStdin(context) : more;
  const { locateFiles } = await import("../../../full-db/locate.ts");
  const { startQuery } = await import("../../../query/start-query.ts");
  const { printRows } = await import("../../../query/print-rows.ts");
  const { area, files } = await locateFiles(path, { settings, env: io.env });
  const fullDb = options.fullDb === true;
  const timeoutMs = typeof options.timeout === "number" ? options.timeout : defaultTimeoutMs;
  const query = await startQuery({ files, sql, fullDb }, { timeoutMs });
  const format: RowFormat = json ? "json" : options.csv === true ? "csv" : "table";
  const error = await printRows(query, format, io.stdout, { area: area.path, source: files.source, fullDb });
  return { document: undefined, text: "", printed: true, error };
}

async function sqlFromStdin({ io }: CommandContext): Promise<string> {
  if (io.stdin.isTTY) {
    throw new JobsError("usage", "no query given", { hint: "pass it after the area, or on stdin" });
  }
  return await readText(io.stdin);
}
