import { areaPath } from "../../area-path.ts";
import { type AddCommand, addSharedOptions, teach } from "../command.ts";

/** `mtjobs attach-sql [AREA]` */
export const addAttachSql: AddCommand = (program, bind) => {
  const command = program
    .command("attach-sql")
    .summary("print SQL that shows any SQLite client all runs of an area")
    .description(
      "Print the SQL that makes any SQLite client's connection to megatest.db show the runs in completed-runs.db, too. It fits the schemas of this moment: print it anew where Megatest or a first reduce has changed them.",
    )
    .argument("[area]", "the area's path; default the working directory");
  addSharedOptions(command);
  teach(command, {
    notes: [
      "Queries only: nothing can be written through the views. Joins with ORDER BY, GROUP BY or LEFT JOIN are much\nfaster with `mtjobs query --full-db`, which rewrites them.",
    ],
    examples: [
      ["mtjobs attach-sql /areas/a1 > full.sql", "then: sqlite3 -init full.sql /areas/a1/megatest.db"],
      ["mtjobs attach-sql . --json", '{ "area", "database", "sql" }, for programs'],
    ],
    exits: { 1: "the database is busy, damaged or cannot be read" },
  });
  bind(command, async ({ args, io, settings }) => {
    const { attachSql } = await import("../../../shared/full-db/attach-sql.ts");
    const { locateFiles } = await import("../../../shared/full-db/locate.ts");
    const { area, files } = await locateFiles(areaPath(io.cwd, args[0] ?? io.cwd), { settings, env: io.env });
    const sql = attachSql(files);
    return { document: { area: area.path, database: files.megatestDb, sql }, text: sql };
  });
};
