import { quoteName } from "../../../shared/sqlite/connection.ts";

// The schema of a Megatest v1.65 database, for samples.

export interface SchemaOptions {
  /** Target keys; each becomes a TEXT column of `runs`, right after `id`. */
  keys: readonly string[];
  /** Schema of early versions: no `contour`, no `last_update`, no triggers. */
  old?: boolean;
  /** Column definitions to add by table, e.g. `{ tests: "jobid INTEGER DEFAULT 7, site TEXT" }`. */
  extraColumns?: Readonly<Record<string, string>>;
}

const now = "(strftime('%s','now'))";
/** Megatest's own mistake: a single percent sign, so the value is NULL. */
const never = "(strftime('%','now'))";
const lastUpdate = `last_update INTEGER DEFAULT ${now}`;

interface TableLayout {
  /** `<keys>` stands for the target keys. */
  columns: string;
  unique?: readonly [name: string, columns: string];
}

const tables: Readonly<Record<string, TableLayout>> = {
  keys: { columns: "fieldname TEXT, fieldtype TEXT", unique: ["keyconstraint", "fieldname"] },
  runs: {
    columns: `<keys>, runname TEXT DEFAULT 'norun', contour TEXT DEFAULT '', state TEXT DEFAULT '',
      status TEXT DEFAULT '', owner TEXT DEFAULT '', event_time TIMESTAMP DEFAULT ${now},
      comment TEXT DEFAULT '', fail_count INTEGER DEFAULT 0, pass_count INTEGER DEFAULT 0, ${lastUpdate}`,
    unique: ["runsconstraint", "runname, <keys>"],
  },
  run_stats: { columns: `run_id INTEGER, state TEXT, status TEXT, count INTEGER, ${lastUpdate}` },
  test_meta: {
    columns: `testname TEXT DEFAULT '', author TEXT DEFAULT '', owner TEXT DEFAULT '',
      description TEXT DEFAULT '', reviewed TIMESTAMP, iterated TEXT DEFAULT '', avg_runtime REAL,
      avg_disk REAL, tags TEXT DEFAULT '', jobgroup TEXT DEFAULT 'default'`,
    unique: ["test_meta_constraint", "testname"],
  },
  tasks_queue: {
    columns: `action TEXT DEFAULT '', owner TEXT, state TEXT DEFAULT 'new', target TEXT DEFAULT '',
      name TEXT DEFAULT '', testpatt TEXT DEFAULT '', keylock TEXT, params TEXT,
      creation_time TIMESTAMP DEFAULT ${now}, execution_time TIMESTAMP`,
  },
  archive_disks: {
    columns: `archive_area_name TEXT, disk_path TEXT, last_df INTEGER DEFAULT -1,
      last_df_time TIMESTAMP DEFAULT ${now}, creation_time TIMESTAMP DEFAULT ${never}`,
  },
  archive_blocks: {
    columns: `archive_disk_id INTEGER, disk_path TEXT, last_du INTEGER DEFAULT -1,
      last_du_time TIMESTAMP DEFAULT ${now}, creation_time TIMESTAMP DEFAULT ${never}`,
  },
  archive_allocations: {
    columns: `archive_block_id INTEGER, testname TEXT, item_path TEXT, creation_time TIMESTAMP DEFAULT ${never}`,
  },
  extradat: { columns: "run_id INTEGER, key TEXT, val TEXT" },
  metadat: { columns: "var TEXT, val TEXT", unique: ["metadat_constraint", "var"] },
  access_log: { columns: "user TEXT, accessed TIMESTAMP, args TEXT" },
  tests: {
    columns: `run_id INTEGER DEFAULT -1, testname TEXT DEFAULT 'noname', host TEXT DEFAULT 'n/a',
      cpuload REAL DEFAULT -1, diskfree INTEGER DEFAULT -1, uname TEXT DEFAULT 'n/a',
      rundir TEXT DEFAULT '/tmp/badname', shortdir TEXT DEFAULT '/tmp/badname', item_path TEXT DEFAULT '',
      state TEXT DEFAULT 'NOT_STARTED', status TEXT DEFAULT 'FAIL', attemptnum INTEGER DEFAULT 0,
      final_logf TEXT DEFAULT 'logs/final.log', logdat TEXT DEFAULT '', run_duration INTEGER DEFAULT 0,
      comment TEXT DEFAULT '', event_time TIMESTAMP DEFAULT ${now}, fail_count INTEGER DEFAULT 0,
      pass_count INTEGER DEFAULT 0, archived INTEGER DEFAULT 0, ${lastUpdate}`,
    unique: ["testsconstraint", "run_id, testname, item_path"],
  },
  test_steps: {
    columns: `test_id INTEGER, stepname TEXT, state TEXT DEFAULT 'NOT_STARTED', status TEXT DEFAULT 'n/a',
      event_time TIMESTAMP, comment TEXT DEFAULT '', logfile TEXT DEFAULT '', ${lastUpdate}`,
    unique: ["test_steps_constraint", "test_id, stepname, state"],
  },
  test_data: {
    columns: `test_id INTEGER, category TEXT DEFAULT '', variable TEXT, value REAL, expected REAL, tol REAL,
      units TEXT, comment TEXT DEFAULT '', status TEXT DEFAULT 'n/a', type TEXT DEFAULT '', ${lastUpdate}`,
    unique: ["test_data_constraint", "test_id, category, variable"],
  },
  // Megatest's misspelling; SQLite treats it as an integer.
  test_rundat: {
    columns: `test_id INTEGER, update_time TIMESTAMP, cpuload INTEGER DEFAULT -1, diskfree INTEGER DEFAULT -1,
      diskusage INTGER DEFAULT -1, run_duration INTEGER DEFAULT 0`,
  },
  archives: {
    columns: `test_id INTEGER, state TEXT DEFAULT 'new', status TEXT DEFAULT 'n/a',
      archive_type TEXT DEFAULT 'bup', du INTEGER, archive_path TEXT`,
  },
};

/** The third name is misleading in Megatest itself. */
const indexes: readonly (readonly [name: string, table: string, columns: string])[] = [
  ["runs_index", "runs", "runname, <keys>"],
  ["tests_index", "tests", "run_id, testname, item_path, uname"],
  ["teststeps_index", "tests", "run_id, testname, item_path"],
  ["test_data_index", "test_data", "test_id"],
];

/** Triggers that set `last_update` to now on UPDATE, by table. */
const triggers: Readonly<Record<string, string>> = {
  runs: "update_runs_trigger",
  run_stats: "update_run_stats_trigger",
  tests: "update_tests_trigger",
  test_steps: "update_teststeps_trigger",
  test_data: "update_test_data_trigger",
};

export function megatestSchema(options: SchemaOptions): string {
  const { keys, old = false, extraColumns = {} } = options;
  const quoted = keys.map(quoteName);
  const keyList = (text: string) => withoutEmptyItems(text.replace("<keys>", quoted.join(", ")));
  const keyColumns = (text: string) =>
    withoutEmptyItems(text.replace("<keys>", quoted.map((key) => `${key} TEXT`).join(", ")));
  const create = Object.entries(tables).map(([table, { columns, unique }]) => {
    const shaped = old ? withoutNewColumns(columns) : columns;
    const definitions = ["id INTEGER PRIMARY KEY", keyColumns(shaped)];
    const extra = extraColumns[table];
    if (extra !== undefined) definitions.push(extra);
    if (unique !== undefined) definitions.push(`CONSTRAINT ${unique[0]} UNIQUE (${keyList(unique[1])})`);
    return `CREATE TABLE ${table} (${definitions.join(", ")});`;
  });
  const index = indexes.map(
    ([name, table, columns]) => `CREATE INDEX ${name} ON ${table} (${keyList(columns)});`,
  );
  return [...create, ...index, old ? "" : lastUpdateTriggers()].join("\n");
}

/** Builders drop the triggers while they rewrite many rows. */
export function lastUpdateTriggers(): string {
  return Object.entries(triggers)
    .map(
      ([table, name]) => `CREATE TRIGGER ${name} AFTER UPDATE ON ${table} FOR EACH ROW
  BEGIN UPDATE ${table} SET last_update = ${now} WHERE id = old.id; END;`,
    )
    .join("\n");
}

export function dropLastUpdateTriggers(): string {
  return Object.values(triggers)
    .map((name) => `DROP TRIGGER ${name};`)
    .join("\n");
}

function withoutNewColumns(columns: string): string {
  return columns.replace(`, ${lastUpdate}`, "").replace(" contour TEXT DEFAULT '',", "");
}

/** Removes the comma left without target keys. */
function withoutEmptyItems(list: string): string {
  return list.replace(/^\s*,\s*/, "").replace(/,\s*$/, "");
}
