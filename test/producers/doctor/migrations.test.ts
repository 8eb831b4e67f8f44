import { appendFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { areaStatus } from "../../../producers/areas/status.ts";
import type { SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import { areaStatusText } from "../../../producers/format/status.ts";
import { resolveSettings } from "../../../shared/settings/settings.ts";
import { checkOf, diagnoseArea, faultsOf, fingerprint, healthyArea, readColumn } from "../../support/area.ts";
import { leaveMigration } from "../../support/hosts.ts";
import { openToWrite } from "../../support/queue.ts";

const toHostB = ["closed", "installed", "intent", "switched"] as const;

function statusOf({ directory, host, user, cacheRoot }: SampleArea) {
  const settings = resolveSettings({ flags: { host, user, cacheRoot } });
  return areaStatus(directory, { settings, cwd: "/", env: {} });
}

describe("the doctor on migrations", () => {
  it("finds nothing to say of an area that was never migrated", async () => {
    const diagnosis = await diagnoseArea(healthyArea());
    for (const name of ["migration", "closed-cache", "home-files", "left-strays", "home-policy"])
      expect(checkOf(diagnosis, name)).toMatchObject({ ok: true });
  });

  it("finds one that stands still, and the closed cache of a homehost, but not while somebody is at work", async () => {
    const area = healthyArea();
    leaveMigration(area, ["closed"], { held: true, closed: true });
    const working = await diagnoseArea(area);
    expect(faultsOf(working)).toEqual([]);
    expect(checkOf(working, "migration").verdict).toMatch(/the old cache is closed and copied/);
    const dead = healthyArea();
    leaveMigration(dead, ["closed"], { closed: true });
    writeFileSync(join(dead.directory, ".homehost.mtjobs-7"), "10.0.0.2\n");
    const before = fingerprint(dead.directory, dead.cacheRoot);
    const diagnosis = await diagnoseArea(dead);
    expect(fingerprint(dead.directory, dead.cacheRoot)).toEqual(before);
    expect(faultsOf(diagnosis)).toEqual(expect.arrayContaining(["migration", "closed-cache"]));
    expect(checkOf(diagnosis, "migration").remedy).toMatch(/mtjobs worker on host-a and on host-b/);
    expect(checkOf(diagnosis, "home-files")).toMatchObject({
      ok: null,
      details: { files: [".homehost.mtjobs-7"] },
    });
  });

  it("lists divergent caches that finished migrations kept, and not those of an open one", async () => {
    const area = healthyArea();
    leaveMigration(area, [...toHostB, "settled"]);
    const token = Number(readColumn(area.megatestDb, "SELECT max(token) FROM mtjobs_migrations")[0]);
    const divergentCacheOf = (n: number) => {
      const directory = join(area.directory, ".mtjobs", "migration", String(n));
      mkdirSync(directory, { recursive: true });
      writeFileSync(join(directory, "stray-1.db"), "");
      writeFileSync(join(directory, "stray-1-ref.db"), "");
      return join(directory, "stray-1.db");
    };
    expect(checkOf(await diagnoseArea(area), "left-strays")).toMatchObject({ ok: true });
    const left = divergentCacheOf(token);
    expect(checkOf(await diagnoseArea(area), "left-strays")).toMatchObject({
      ok: null,
      verdict: expect.stringContaining(left),
      details: { files: [left], count: 1 },
    });
    openToWrite(area.megatestDb, (db) => db.exec("UPDATE mtjobs_migrations SET state = 'switched'"));
    expect(checkOf(await diagnoseArea(area), "left-strays")).toMatchObject({ ok: true });
  });

  it("says on the old home where the area went, and who still has to come back", async () => {
    const moved = healthyArea();
    leaveMigration(moved, [...toHostB, "settled"], { closed: true });
    writeFileSync(join(moved.directory, ".homehost"), "10.0.0.2\n");
    const old = await diagnoseArea(moved);
    expect(checkOf(old, "migration").ok).toBe(true);
    expect(checkOf(old, "closed-cache")).toMatchObject({ ok: null, details: { movedTo: "10.0.0.2" } });
    const taken = healthyArea();
    leaveMigration(taken, toHostB, { kind: "takeover" });
    expect(checkOf(await diagnoseArea(taken), "migration")).toMatchObject({
      ok: null,
      verdict: expect.stringContaining("host-a is not back yet"),
    });
  });

  it("finds a policy that cannot be read, and tells one that moves the area", async () => {
    const area = healthyArea();
    const config = join(area.directory, "megatest.config");
    appendFileSync(config, "\n[homehost]\nprefer host-b\nmigrate auto\n");
    expect(checkOf(await diagnoseArea(area), "home-policy")).toMatchObject({
      details: { prefer: ["host-b"] },
    });
    appendFileSync(config, "quiet-for soon\n");
    expect(checkOf(await diagnoseArea(area), "home-policy")).toMatchObject({ ok: false });
  });
});

describe("the status of an area on its way", () => {
  it("names holder, since when and step, and the migration no more once it is settled", async () => {
    const area = healthyArea();
    const token = leaveMigration(area, ["closed", "installed"], { held: true });
    const status = await statusOf(area);
    expect(status.migration).toMatchObject({
      ...{ token, jobId: "migrate-1", requestedBy: "ann@host-a", kind: "migration", state: "installed" },
      ...{ open: true, from: "host-a", to: "10.0.0.2", fromHost: "host-a", toHost: "host-b", reason: null },
    });
    const text = areaStatusText(status, { jobs: [], automatic: [] });
    expect(text).toMatch(/^held by +migration:migrate-1 for migrate-1 since 20\d\d-.*Z until 20/m);
    expect(text).toMatch(
      /^migration +from host-a to host-b \(10.0.0.2\), for migrate-1 of ann@host-a, started/m,
    );
    expect(text).toMatch(/^ +installed: the copy is installed on the new home$/m);
    const settled = healthyArea();
    leaveMigration(settled, [...toHostB, "settled"]);
    const after = await statusOf(settled);
    expect(after.migration).toMatchObject({ state: "settled", open: false });
    expect(areaStatusText(after, { jobs: [], automatic: [] })).not.toMatch(/^migration /m);
  });
});
