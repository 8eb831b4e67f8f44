import { text as readText } from "node:stream/consumers";
import { JobsError } from "../../../shared/errors.ts";
import type { RowFormat } from "../../query/print-rows.ts";
import { areaAndMore } from "../area-argument.ts";
import { type AddCommand, addSharedOptions, type CommandContext, teach } from "../command.ts";
import { duration } from "../option-values.ts";
import type { Outcome } from "../outcome.ts";

/** Milliseconds; below the 136 s that Megatest waits for a database before it gives up. */
const defaultTimeoutMs = 60_000;

/** `mtjobs query [AREA] [SQL]` */
export const addQuery: AddCommand = (program, bind) => {
  const command = program
    .command("query")
    .summary("run a read-only SQL query on an area")
    .description(
      "Run one SELECT on an area's records and print its rows. On the homehost it reads Megatest's cache, elsewhere megatest.db; with --full-db completed-runs.db too, as if no run had ever been moved.",
    )
    .argument("[area]", "the area's path; default the working directory")
    .argument("[sql]", "the query; left out or -, it is read from stdin")
    .option("--full-db", "runs in completed-runs.db, too")
    .option("--csv", "print comma-separated values")
    .option("--timeout <duration>", "end the query after this (default: 60s)", duration("--timeout"));
  addSharedOptions(command);
  teach(command, {
    notes: [
      "While it runs, programs that write to the database may have to wait; a pager that holds it up does, too.",
    ],
    examples: [
      ['mtjobs query /areas/a1 "SELECT id, runname FROM runs" --full-db', "all runs, also those moved"],
      [
        'mtjobs query "SELECT state, count(*) FROM tests GROUP BY 1" --json',
        "of the area you are in, for programs",
      ],
      ["mtjobs query . --full-db --csv < report.sql > report.csv", "SQL from a file"],
    ],
    exits: {
      1: "the database is busy, damaged or cannot be read",
      2: "bad usage, or no query that SQLite understands; nothing may be written",
      5: "--timeout passed; the query was ended",
    },
  });
  bind(command, runQuery);
};

async function runQuery(context: CommandContext): Promise<Outcome> {
  const { io, settings, options, json } = context;
  if (json && options.csv === true) throw new JobsError("usage", "--json and --csv exclude each other");
  const { area: path, more } = areaAndMore(context.args, io.cwd);
  const sql = more === undefined || more === "-" ? await sqlFromStdin(context) : more;
  const { locateFiles } = await import("../../../shared/full-db/locate.ts");
  const { startQuery } = await import("../../query/start-query.ts");
  const { printRows } = await import("../../query/print-rows.ts");
  const { area, files } = await locateFiles(path, { settings, env: io.env });
  const fullDb = options.fullDb === true;
  const timeoutMs = typeof options.timeout === "number" ? options.timeout : defaultTimeoutMs;
  const query = await startQuery({ files, sql, fullDb }, timeoutMs);
  const format: RowFormat = json ? "json" : options.csv === true ? "csv" : "table";
  const error = await printRows(query, format, io.stdout, { area: area.path, source: files.source, fullDb });
  return { document: undefined, text: "", printed: true, ...(error === undefined ? {} : { error }) };
}

async function sqlFromStdin({ io }: CommandContext): Promise<string> {
  if (io.stdin.isTTY) {
    throw new JobsError("usage", "no query given", { hint: "name it after the area, or give it on stdin" });
  }
  return await readText(io.stdin);
}
