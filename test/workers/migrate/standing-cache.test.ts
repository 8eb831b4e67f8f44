import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { MigratePayload } from "../../../shared/contract/migrate-payload.ts";
import { parsePayload } from "../../../shared/contract/payload.ts";
import { checkTarget } from "../../../workers/migrate/steps/check-target.ts";
import { readColumn, temporaryDirectory } from "../../support/area.ts";
import { buildForTwo, contextOn, migrateByHand, seenFromSide } from "../../support/hosts.ts";
import { holdOpen } from "../../support/queue.ts";

/** An area at home on the old host, and a cache of it on the new one, which `fill` puts there. */
function scene(fill: (directory: string, from: string) => void) {
  const root = temporaryDirectory();
  const { area, place } = buildForTwo(root);
  const there = seenFromSide(area, root, "new");
  mkdirSync(there.cacheDirectory, { recursive: true });
  fill(there.cacheDirectory, area.cacheDirectory);
  const o = { ...place, jobId: "migrate-1" };
  const payload = parsePayload("migrate", { v: 1, area: area.directory, to: "host-new", dryRun: true });
  const check = async () => {
    const { checks } = await checkTarget(payload as MigratePayload, contextOn("new", o));
    return checks.find(({ name }) => name === "caches");
  };
  return { there, o, check };
}

const empty = (directory: string) => {
  for (const name of ["megatest.db", "megatest_ref.db"]) writeFileSync(join(directory, name), "");
};

describe("a cache that stands on the new home before the area moves there", () => {
  it("is no obstacle where it has no byte and no process uses it: it is replaced", async () => {
    const { there, o, check } = scene(empty);
    expect(await check()).toMatchObject({ ok: true });
    await migrateByHand(o);
    expect(readColumn(there.cacheDb, "SELECT count(*) FROM runs WHERE runname NOT LIKE 'mtjobs%'")).toEqual([
      3,
    ]);
  });

  it("is one where a process has it open, be it empty; the refusal names the host and the process", async () => {
    const { there, check } = scene(empty);
    const pid = await holdOpen(there.cacheDb);
    expect(await check()).toMatchObject({
      ok: false,
      detail: expect.stringMatching(new RegExp(`the cache on host-new is open in process ${pid}`)),
    });
  });

  it("is one where it is open to writers; the refusal names the host that has it", async () => {
    const { there, check } = scene((to, from) => cpSync(from, to, { recursive: true }));
    expect(await check()).toMatchObject({
      ok: false,
      detail: expect.stringMatching(new RegExp(`^host-new is not the home but .*${there.cacheDirectory}`)),
    });
  });
});
