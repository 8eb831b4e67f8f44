import * as z from "zod";
import {
  type FileDigest,
  type MigrationRow,
  type MigrationState,
  migrationRowSchema,
  migrationStates,
  nextStates,
} from "../../../shared/contract/migration-row.ts";
import { defined } from "../../../shared/defined.ts";
import { JobsError } from "../../../shared/errors.ts";
import { type Connection, prepared, quoteTexts } from "../../../shared/sqlite/connection.ts";
import { hasTable } from "../../../shared/sqlite/table.ts";

// Table `mtjobs_migrations` of megatest.db: one row per migration, written only under the fence.

const createSql = `CREATE TABLE IF NOT EXISTS area.mtjobs_migrations (
  token INTEGER PRIMARY KEY,
  job_id TEXT NOT NULL,
  requested_by TEXT NOT NULL,
  kind TEXT NOT NULL,
  state TEXT NOT NULL,
  begun_at INTEGER NOT NULL,
  changed_at INTEGER NOT NULL,
  from_home TEXT NOT NULL,
  to_home TEXT NOT NULL,
  from_host TEXT NOT NULL,
  to_host TEXT NOT NULL,
  switch_token INTEGER,
  source TEXT NOT NULL,
  digests TEXT,
  old_ready INTEGER NOT NULL DEFAULT 0,
  new_ready INTEGER NOT NULL DEFAULT 0,
  reason TEXT
)`;

export type NewMigration = Pick<
  MigrationRow,
  "job_id" | "requested_by" | "kind" | "from_home" | "to_home" | "from_host" | "to_host" | "source"
>;

const unfinished = "state NOT IN ('settled', 'undone')";

/**
 * Returns the migration that is neither settled nor undone. Excludes a take-over that only waits for the lost home.
 */
export function openMigration(db: Connection): MigrationRow | undefined {
  return select(db, `WHERE ${unfinished} AND NOT (kind = 'takeover' AND state = 'switched')`)[0];
}

/** Returns the migrations that may need an action, oldest first: open ones, and the newest. */
export function unfinishedMigrations(db: Connection): MigrationRow[] {
  const newest = "token = (SELECT max(token) FROM area.mtjobs_migrations)";
  return select(db, `WHERE ${unfinished} OR ${newest}`).reverse();
}

export function lastMigration(db: Connection): MigrationRow | undefined {
  return select(db, "")[0];
}

export function migrationOf(db: Connection, jobId: string): MigrationRow | undefined {
  return select(db, "WHERE job_id = ?", jobId)[0];
}

/** Selects at most 100 rows, newest first. */
function select(db: Connection, where: string, ...values: string[]): MigrationRow[] {
  if (!hasTable(db, "area", "mtjobs_migrations")) return [];
  const sql = `SELECT * FROM area.mtjobs_migrations ${where} ORDER BY token DESC LIMIT 100`;
  const parsed = z.array(migrationRowSchema).safeParse(prepared<string[]>(db, sql).all(...values));
  if (parsed.success) return parsed.data;
  throw new JobsError("corrupt", "mtjobs_migrations of megatest.db has a row that this version cannot read", {
    hint: "check its last rows; a later version of mtjobs may have written them",
    details: { problems: parsed.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`) },
  });
}

/** @throws JobsError `conflict` if a migration is open: two that undo each other would leave two homes */
export function refuseIfOpen(db: Connection): void {
  const open = openMigration(db);
  if (open === undefined) return;
  throw new JobsError(
    "conflict",
    `migration ${open.token} to ${open.to_host} is not finished: ${open.state}`,
    {
      hint: "check mtjobs status AREA; the migration ends automatically once the workers of both hosts run",
      details: { token: open.token, jobId: open.job_id, state: open.state },
    },
  );
}

/** Inserts a migration. Call in a transaction that asserted the fence token, its key. */
export function beginMigration(
  db: Connection,
  row: NewMigration,
  fenceToken: number,
  state: "closing" | "closed" = "closing",
): void {
  db.exec(createSql);
  const now = Date.now();
  db.prepare(
    `INSERT INTO area.mtjobs_migrations
       (token, job_id, requested_by, kind, state, begun_at, changed_at, from_home, to_home, from_host, to_host, source)
     VALUES (:token, :job_id, :requested_by, :kind, :state, :now, :now, :from_home, :to_home, :from_host, :to_host, :source)`,
  ).run({ ...row, state, now, token: fenceToken });
}

export type MigrationChanges = Partial<
  Pick<MigrationRow, "switch_token" | "reason" | "old_ready" | "new_ready">
> & { digests?: Partial<Record<"cache" | "ref", FileDigest>> };

/**
 * Moves a migration to state `to`. Call in a transaction that asserted the fence token.
 *
 * @throws JobsError `lost-lease` if its state does not allow that
 */
export function advance(
  db: Connection,
  token: number,
  to: MigrationState,
  changes: MigrationChanges = {},
): void {
  const from = migrationStates.filter((state) => nextStates[state].includes(to));
  update(db, token, from, { state: to, ...changes });
}

/** Updates a migration without changing its state. Call in a transaction that asserted the fence token. */
export function updateMigration(
  db: Connection,
  token: number,
  state: MigrationState,
  changes: Pick<MigrationChanges, "old_ready" | "new_ready">,
): void {
  update(db, token, [state], { ...changes });
}

function update(
  db: Connection,
  token: number,
  from: readonly MigrationState[],
  { digests, ...changes }: MigrationChanges & { state?: MigrationState },
): void {
  const values = { ...changes, ...defined({ digests: digests && JSON.stringify(digests) }) };
  const sets = ["changed_at = :now", ...Object.keys(values).map((name) => `${name} = :${name}`)];
  const { changes: rows } = db
    .prepare(
      `UPDATE area.mtjobs_migrations SET ${sets.join(", ")}
       WHERE token = :token AND state IN (${quoteTexts(from)})`,
    )
    .run({ ...values, token, now: Date.now() });
  if (rows === 1) return;
  throw new JobsError("lost-lease", `migration ${token} is not in the state in which this worker left it`, {
    hint: "another worker changed it; check mtjobs status AREA",
  });
}
