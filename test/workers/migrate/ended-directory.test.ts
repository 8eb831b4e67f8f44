import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { temporaryDirectory } from "../../support/area.ts";
import { buildForTwo, migrateByHand, reconcileBoth } from "../../support/hosts.ts";

it("the directory of an ended migration that was emptied, whose own name a power cut kept, goes with the next look", async () => {
  const { area, place } = buildForTwo(temporaryDirectory());
  const migration = { ...place, jobId: "migrate-1" };
  await migrateByHand(migration);
  const directory = join(area.directory, ".mtjobs", "migration", "1");
  expect(existsSync(directory)).toBe(false);
  mkdirSync(directory);
  await reconcileBoth(migration);
  expect(existsSync(directory)).toBe(false);
});
