import { existsSync } from "node:fs";
import Database from "better-sqlite3";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import { carriedTables } from "../megatest/carried-tables.ts";
import { edit } from "./edit-area.ts";

/**
 * Makes the area as if every sync had carried `last_update`: where another database has the same row as the cache,
 * it gets the cache's time.
 */
export function carryLastUpdate(area: SampleArea): void {
  if (!existsSync(area.cacheDb)) return;
  const cache = new Database(area.cacheDb);
  edit(area, ["ref", "area"], (db) => {
    const triggers = db.prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").all() as {
      name: string;
      sql: string;
    }[];
    for (const { name } of triggers) db.exec(`DROP TRIGGER "${name}"`);
    for (const { table, columns } of carriedTables(area.keys, true).filter((spec) =>
      spec.columns.includes("last_update"),
    )) {
      const same = columns.filter((name) => name !== "last_update");
      const set = db.prepare(
        `UPDATE ${table} SET last_update = @last_update WHERE ${same.map((name) => `"${name}" IS @${name}`).join(" AND ")}`,
      );
      for (const row of cache.prepare(`SELECT * FROM ${table}`).iterate()) set.run(row);
    }
    for (const { sql } of triggers) db.exec(sql);
  });
  cache.close();
}
