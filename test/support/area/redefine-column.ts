import Database from "better-sqlite3";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import { fileOf, type Place, settleTimes } from "./edit-area.ts";

/** Changes a table's definition as a site may have written it, keeping all rows. The pattern must match. */
export function constrain(
  area: SampleArea,
  places: readonly Place[],
  table: string,
  from: RegExp,
  to: string,
): void {
  for (const place of places) {
    const db = new Database(fileOf(area, place));
    try {
      db.unsafeMode(true);
      const sql = String(db.prepare("SELECT sql FROM sqlite_schema WHERE name = ?").pluck().get(table));
      if (!from.test(sql)) throw new Error(`table ${table} has no ${from.source}: ${sql}`);
      db.pragma("writable_schema = ON");
      db.prepare("UPDATE sqlite_schema SET sql = ? WHERE name = ?").run(sql.replace(from, to), table);
      db.pragma("writable_schema = RESET");
    } finally {
      db.close();
    }
  }
  settleTimes(area);
}
