import { type Connection, quoteName } from "../../../shared/sqlite/connection.ts";
import { preparedIds } from "../../../shared/sqlite/ids.ts";
import { affinityOf } from "../../../shared/sqlite/table.ts";
import type { RecordPlan } from "../../records/record-tables.ts";
import { columnList, sameRow } from "../../records/row-sql.ts";
import { rowKey } from "../../records/temp-tables.ts";
import type { JobSession } from "../session/job-session.ts";

// If a column's declared type differs between the databases, completed-runs.db may convert a value: the text '007'
// becomes 7 in an INTEGER column. This finds such values before they are written.

/**
 * Stores values under the column types of completed-runs.db, to see how they are converted.
 *
 * @param key of the table `from`, which becomes that of `temp.fitted`
 */
function tryValues(db: Connection, { target, mixed }: RecordPlan, from: string, key: string): void {
  const columns = target
    .filter(({ name }) => mixed.includes(name))
    .map(({ name, type }) => `${quoteName(name)} ${affinityOf(type)}`);
  db.exec(`DROP TABLE IF EXISTS temp.fitted;
    CREATE TEMP TABLE fitted (${rowKey} INTEGER PRIMARY KEY, ${columns.join(", ")});
    INSERT INTO temp.fitted SELECT ${key}, ${columnList(mixed)} FROM ${from}`);
}

/** Records in `temp.unfit` the keys of the rows of `temp.incoming` that completed-runs.db would change. */
export function recordChangedValues(db: Connection, record: RecordPlan): void {
  db.exec("CREATE TEMP TABLE IF NOT EXISTS unfit (row INTEGER PRIMARY KEY); DELETE FROM temp.unfit");
  if (record.mixed.length === 0) return;
  tryValues(db, record, "temp.incoming", rowKey);
  db.exec(`INSERT INTO temp.unfit SELECT f.${rowKey} FROM temp.fitted AS f CROSS JOIN temp.incoming AS s ON s.${rowKey} = f.${rowKey}
    WHERE NOT (${sameRow("f", "s", record.mixed, record.mixed)})`);
}

/** Returns the staged runs with a value that completed-runs.db would change; with one `table.column` each. */
export function findChangedValues({ db, records }: JobSession): Map<bigint, string> {
  const found = new Map<bigint, string>();
  for (const record of records) {
    const { table, parent, mixed } = record;
    if (mixed.length === 0) continue;
    const stage = `temp.stage_${table}`;
    const key = record.synced ? "id" : rowKey;
    tryValues(db, record, stage, key);
    const run =
      parent === null
        ? "s.id"
        : parent === "run_id"
          ? "s.run_id"
          : "(SELECT t.run_id FROM temp.stage_tests AS t WHERE t.id = s.test_id)";
    for (const column of mixed) {
      const rows = preparedIds<[], bigint | null>(
        db,
        `SELECT DISTINCT ${run} FROM temp.fitted AS f CROSS JOIN ${stage} AS s ON s.${key} = f.${rowKey}
         WHERE NOT (${sameRow("f", "s", [column], mixed)})`,
      ).all();
      for (const id of rows) if (id !== null) found.set(id, `${table}.${column}`);
    }
  }
  return found;
}
