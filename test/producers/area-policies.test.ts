import { appendFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { areaStatus } from "../../producers/areas/status.ts";
import { areaStatusText, automaticText } from "../../producers/format/status.ts";
import { resolveSettings } from "../../shared/settings/settings.ts";
import { checkOf, diagnoseArea, faultsOf, healthyArea } from "../support/area.ts";

const nothing = { jobs: [], automatic: [] };

test("status and doctor tell the lines of [reduce-records] that are followed, and name what is wrong with others", async () => {
  const area = healthyArea(1);
  const none = await diagnoseArea(area);
  expect(none.checks.map(({ name }) => name)).not.toContain("reduce-records");
  const config = join(area.directory, "megatest.config");
  appendFileSync(config, "\n[reduce-records]\nold age=30d; keep=5\n");
  expect(checkOf(await diagnoseArea(area), "reduce-records")).toMatchObject({
    ok: true,
    details: { policies: ["old"] },
  });
  appendFileSync(config, "late age=soon\n");
  const diagnosis = await diagnoseArea(area);
  expect(faultsOf(diagnosis)).toEqual(["reduce-records"]);
  const problem = expect.stringMatching(/^\[reduce-records\] late: age: "soon" is not a duration/);
  expect(checkOf(diagnosis, "reduce-records")).toMatchObject({
    verdict: problem,
    details: { policies: ["old"], problems: [problem] },
  });
  const { host, user, cacheRoot } = area;
  const settings = resolveSettings({ flags: { host, user, cacheRoot } });
  const status = await areaStatus(area.directory, { settings, cwd: "/", env: {} });
  expect(status.policies).toEqual([
    { name: "old", text: "age=30d; keep=5", request: { age: 30 * 86_400_000, keep: 5 }, everyMs: 86_400_000 },
  ]);
  expect(status.problems).toEqual([problem]);
  const text = areaStatusText(status, nothing);
  expect(text).toMatch(/^reduces +old: age=30d; keep=5$/m);
  expect(text).toMatch(/^warning: \[reduce-records\] late: /m);
});

test("doctor tells the lines of [purge-records] in the same way", async () => {
  const area = healthyArea(1);
  const config = join(area.directory, "megatest.config");
  appendFileSync(config, "\n[purge-records]\nold age=2y; export=/archive\n");
  expect(checkOf(await diagnoseArea(area), "purge-records")).toMatchObject({
    ok: true,
    details: { policies: ["old"] },
  });
  appendFileSync(config, "late age=2y\n");
  const diagnosis = await diagnoseArea(area);
  expect(faultsOf(diagnosis)).toEqual(["purge-records"]);
  expect(checkOf(diagnosis, "purge-records").verdict).toMatch(/^\[purge-records\] late: no export=/);
});

test("status and doctor name the stop file that holds an area's jobs", async () => {
  const area = healthyArea(1);
  mkdirSync(join(area.directory, ".mtjobs"));
  const file = join(area.directory, ".mtjobs/pause");
  writeFileSync(file, "");
  const diagnosis = await diagnoseArea(area);
  expect(checkOf(diagnosis, "paused")).toMatchObject({ ok: null, details: { file } });
  const { host, user, cacheRoot } = area;
  const settings = resolveSettings({ flags: { host, user, cacheRoot } });
  const status = await areaStatus(area.directory, { settings, cwd: "/", env: {} });
  expect(status.paused).toBe(file);
  expect(areaStatusText(status, nothing)).toMatch(
    /^paused +jobs are paused by \S+\/\.mtjobs\/pause; delete it/m,
  );
});

test("a schedule or policy has a line of its own if it fails, and none if it works", () => {
  const common = { area: "/areas/a1", host: "hosta", next: null, last: null };
  const fine = { ...common, kind: "schedule", name: "nightly", ok: true, problem: null } as const;
  const failing = {
    ...common,
    kind: "policy",
    name: "old",
    ok: false,
    problem: "its last job failed",
  } as const;
  expect(automaticText([fine])).toBe("");
  expect(automaticText([fine, failing])).toBe(
    "FAILING: [reduce-records] old of /areas/a1: its last job failed",
  );
  expect(automaticText([{ ...failing, name: "purge-records/old" }])).toBe(
    "FAILING: [purge-records] old of /areas/a1: its last job failed",
  );
});
