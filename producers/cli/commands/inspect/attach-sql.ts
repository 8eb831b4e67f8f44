import { areaPath } from "../../../areas/area-path.ts";
import { type AddCommand, addHelp, addSharedOptions } from "../../command.ts";

export const addAttachSql: AddCommand = (program, bind) => {
  const command = program
    .command("attach-sql")
    .summary("print SQL that shows all runs of an area in any SQLite client")
    .description(
      "Print SQL that makes the runs in completed-runs.db visible on any SQLite connection to megatest.db. It matches the current schemas; print it again after Megatest or a first reduce has changed them.",
    )
    .argument("[area]", "the area's path (default: the working directory)");
  addSharedOptions(command);
  addHelp(command, {
    notes: [
      "The views are read-only. Joins with ORDER BY, GROUP BY or LEFT JOIN are much faster with\n`mtjobs query --full-db`, which rewrites them.",
    ],
    examples: [
      ["mtjobs attach-sql /areas/a1 > full.sql", "then: sqlite3 -init full.sql /areas/a1/megatest.db"],
      ["mtjobs attach-sql . --json", '{ "area", "database", "sql" }, for programs'],
    ],
    exits: { 1: "the database is busy, damaged or unreadable" },
  });
  bind(command, async ({ args, io, settings }) => {
    const { attachSql } = await import("../../../full-db/attach-sql.ts");
    const { locateFiles } = await import("../../../full-db/locate.ts");
    const { area, files } = await locateFiles(areaPath(io.cwd, args[0] ?? io.cwd), { settings, env: io.env });
    const sql = attachSql(files);
    return { document: { area: area.path, database: files.megatestDb, sql }, text: sql };
  });
};
