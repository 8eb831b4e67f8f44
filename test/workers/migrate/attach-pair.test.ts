import { existsSync, renameSync } from "node:fs";
import { expect, it } from "vitest";
import { openArea } from "../../../shared/area/area.ts";
import { findCache } from "../../../shared/area/cache/cache.ts";
import { withMigration } from "../../../workers/migrate/state/migration-session.ts";
import { temporaryDirectory } from "../../support/area.ts";
import { buildForTwo, contextOn } from "../../support/hosts.ts";

it("a step attaches a pair whose ref could not be attached the first time", async () => {
  const { area: sample, place } = buildForTwo(temporaryDirectory());
  const area = openArea(sample.directory);
  const context = contextOn("old", { ...place, jobId: "migrate-1" });
  const pair = findCache(area, context.settings);
  if (pair === undefined) throw new Error("no pair");
  const o = { context, area, pair: undefined, migration: "migrate-1", lease: "any" } as const;
  await withMigration(o, async (session) => {
    renameSync(sample.refDb, `${sample.refDb}.aside`);
    await expect(session.attachPair(pair)).rejects.toThrow("unable to open");
    renameSync(`${sample.refDb}.aside`, sample.refDb);
    await session.attachPair(pair);
    expect(session.files).toMatchObject({ cache: sample.cacheDb, ref: sample.refDb });
    expect(session.db.prepare("SELECT count(*) FROM ref.runs").pluck().get()).toBeGreaterThan(0);
  });
  expect(existsSync(`${sample.refDb}-journal`)).toBe(false);
});
