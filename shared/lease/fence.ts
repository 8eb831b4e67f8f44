import type { Connection, Part } from "../sqlite/connection.ts";
import { hasTable } from "../sqlite/table.ts";
import type { Lease } from "./lease.ts";

/** The row of `mtjobs_fence` in one database. Only megatest.db's holds the lease. Times are in ms since 1970. */
export interface Fence extends Lease {
  token: number;
  jobId: string | null;
  acquiredAt: number;
  renewedAt: number;
}

/** Returns undefined if no job ever wrote to the database. The values may be damaged. */
export function readFenceRow(db: Connection, part: Part): Fence | undefined {
  if (!hasTable(db, part, "mtjobs_fence")) return undefined;
  return db
    .prepare<[], Fence>(
      `SELECT token, holder, job_id AS jobId, acquired_at AS acquiredAt, renewed_at AS renewedAt,
         expires_at AS expiresAt
       FROM ${part}.mtjobs_fence WHERE id = 1`,
    )
    .get();
}
