import { openAllowedArea } from "../../shared/area/area.ts";
import { findCache } from "../../shared/area/cache.ts";
import type { JobContext } from "../../shared/job-context.ts";
import { type Settled, settle, tidySettled } from "./end.ts";
import { readMigrationFiles } from "./migration-files.ts";
import { oldClientWarnings } from "./old-clients.ts";
import { withMigration } from "./part.ts";
import type { PartPayload } from "./switch.ts";
import { rowOf } from "./undo.ts";

export interface OverseeReport extends Settled {
  settled: boolean;
}

/** Keeps the lease on the new home while the old one watches, and ends the migration afterwards. */
export async function oversee(payload: PartPayload, context: JobContext): Promise<OverseeReport> {
  const { settings, env } = context;
  const area = openAllowedArea(payload.area, settings, env);
  const options = {
    context,
    area,
    pair: findCache(area, settings),
    migration: payload.migration,
    lease: "any",
  } as const;
  return await withMigration(options, async (session) => {
    const row = await rowOf(session, payload.migration);
    if (row.state === "switched" && readMigrationFiles(area, row.token).watched?.done === true) {
      const { warnings, ...rest } = await settle(session, row);
      return {
        settled: true,
        ...rest,
        warnings: [...warnings, ...oldClientWarnings(area, settings.host, row)],
      };
    }
    const settled = row.state === "settled";
    // An earlier step died after settling.
    const warnings = settled ? await tidySettled(session, row) : [];
    if (!settled) await session.handOver();
    return { settled, strays: { merged: 0, kept: 0 }, warnings };
  });
}
