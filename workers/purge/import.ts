import { readAreaId } from "../../shared/area/area-id.ts";
import { targetSql } from "../../shared/area-db/match-run.ts";
import type { MoveResult } from "../../shared/contract/move-result.ts";
import type { ImportPayload } from "../../shared/contract/payload.ts";
import { attach, prepared } from "../../shared/sqlite/connection.ts";
import type { JobContext } from "../area-db/job-context.ts";
import { type OpenedArea, openAreaForJob } from "../area-db/open-area.ts";
import { rehearse } from "../move/dry-run.ts";
import { checkIds, reconcile, recover, runOnArea } from "../move/run-on-area.ts";
import type { JobSession } from "../move/session/job-session.ts";
import { assertInWindow } from "../move/session/time-budget.ts";
import { copyExport } from "./copy-export.ts";
import { assertExportFile, trustOf } from "./exports-place.ts";
import { importFrom, rehearseImport } from "./import-run.ts";
import { assertFits, assertVersionsOfRun, type ExportFacts, readExport } from "./read-export.ts";

/**
 * Puts an exported run into completed-runs.db, from a private copy of its file, which stays as it is.
 *
 * @throws JobsError with what stopped the job; the area is as it was then, or has the whole run
 */
export async function importRun(payload: ImportPayload, context: JobContext): Promise<MoveResult> {
  assertInWindow(payload);
  const opened = await openAreaForJob(payload, context);
  const trust = trustOf(opened);
  const file = assertExportFile(payload.file, trust);
  const copy = await copyExport(file, trust, context.signal);
  try {
    return await importCopy(payload, opened, { facts: readExport(copy.file, file), file, copy: copy.file });
  } finally {
    copy.remove();
  }
}

/** An export that was read from a private copy. */
interface Copied {
  facts: ExportFacts;
  /** The export. */
  file: string;
  copy: string;
}

async function importCopy(
  payload: ImportPayload,
  opened: OpenedArea,
  { facts, file, copy }: Copied,
): Promise<MoveResult> {
  const begin = (session: JobSession, areaId: string) =>
    attachExport(session, facts, copy, { id: areaId, anyArea: payload.anyArea });
  if (payload.dryRun) {
    return await rehearse(opened, payload, "import", async (session) => {
      await rehearseImport(session, await begin(session, readAreaId(opened.area) ?? ""));
    });
  }
  return await runOnArea("import", opened, payload, async (session, areaId) => {
    await reconcile(session);
    await recover(session, payload);
    if (await session.read(() => isImported(session, file))) return;
    await importFrom(session, await begin(session, areaId), facts.areaId === areaId);
    await checkIds(session);
  });
}

/** Returns true if this job, or another that died, has imported the file, and no purge has removed the run since. */
function isImported({ db, counts }: JobSession, file: string): boolean {
  const isThere = prepared<[bigint], number>(
    db,
    "SELECT EXISTS (SELECT 1 FROM completed.mtjobs_runs WHERE run_id = ? AND state = 'moved')",
  ).pluck();
  const done = counts.import.runs.filter(({ exportFile }) => exportFile === file);
  return done.some(({ id }) => isThere.get(BigInt(id)) === 1);
}

async function attachExport(
  session: JobSession,
  facts: ExportFacts,
  copy: string,
  area: { id: string; anyArea: boolean },
): Promise<ExportFacts> {
  await session.read(() => attach(session.db, "export", copy));
  assertFits(session, facts, area);
  await assertVersionsOfRun(session, facts);
  // Another area may have the same keys in another order.
  const target = prepared<[], string>(
    session.db,
    `SELECT ${targetSql(session.keys, "r")} FROM export.runs AS r`,
  );
  return { ...facts, target: (await session.read(() => target.pluck().get())) ?? facts.target };
}
