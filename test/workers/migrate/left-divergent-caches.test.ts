import { rmSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { openArea } from "../../../shared/area/area.ts";
import { divergentCacheNumbers } from "../../../workers/migrate/merge/merge-caches.ts";
import { lastMigrationOf } from "../../../workers/migrate/state/open-migrations.ts";
import { awaitWatch } from "../../../workers/migrate/steps/finish.ts";
import { watchOldHome } from "../../../workers/migrate/steps/watch-old-home.ts";
import { temporaryDirectory, writeAgainst } from "../../support/area.ts";
import { buildForTwo, closeByHand, contextOn, switchByHand } from "../../support/hosts.ts";
import { historyOf } from "../../support/queue.ts";

it("a migration whose home has no cache to merge divergent caches into reports in its result and its history that they stay", async () => {
  const { area, place } = buildForTwo(temporaryDirectory());
  const o = { ...place, jobId: "migrate-1" };
  await closeByHand(o);
  await switchByHand(o);
  writeAgainst(area.cacheDb);
  rmSync(join(area.directory, "completed-runs.db"));
  const opened = openArea(area.directory);
  const row = await lastMigrationOf(opened, contextOn("old", o));
  if (row === undefined) throw new Error("not migrated");
  await watchOldHome(opened, row, contextOn("old", o));
  const report = await awaitWatch({ area: area.directory, migration: o.jobId }, contextOn("new", o));
  const directory = join(area.directory, ".mtjobs", "migration", String(row.token));
  expect(divergentCacheNumbers(opened, row.token)).toEqual([1]);
  const warnings = [
    `1 divergent cache in ${directory} could not be merged because the home lacks completed-runs.db; the copies are kept there.`,
  ];
  expect(report).toMatchObject({ settled: true, warnings });
  expect(historyOf(area).at(-1)).toMatchObject({ outcome: "migrated", warnings });
});
