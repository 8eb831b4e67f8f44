import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type Search, searchSchema } from "../../../producers/contract/totals.ts";
import { buildArea, type SampleArea } from "../../../producers/demo/sample-area/build-area.ts";
import { openArea } from "../../../shared/area/area.ts";
import { ensureAreaId } from "../../../shared/area/area-id.ts";
import { edit, temporaryDirectory, waitFor } from "../../support/area.ts";
import { runReduce, withServerStage } from "../../support/queue.ts";

const served = withServerStage();

function newArea(name: string, change: string): SampleArea {
  const area = buildArea({
    ...{
      directory: join(served.stage.root, name),
      cacheRoot: temporaryDirectory(),
      user: "ann",
      host: "hostz",
    },
    ...{ runs: 8, testsPerRun: 1, withCache: false, unsynced: false, inFlight: 0 },
  });
  edit(area, ["area"], (db) => db.exec(change));
  return area;
}

async function search(text: string): Promise<Search> {
  const { status, body } = await served.call(`GET /api/v1/search?q=${encodeURIComponent(text)}`);
  expect([status, searchSchema.parse(body)]).toEqual([200, body]);
  expect(Buffer.byteLength(JSON.stringify(body))).toBeLessThan(300_000);
  return body;
}

describe("a search over HTTP", () => {
  it("finds areas by name and path, jobs by the beginning of their id, runs in both databases", async () => {
    const alpha = newArea("alpha-chip", "UPDATE runs SET runname = 'w' || id || '.7of2025'");
    const beta = newArea(
      "beta-chip",
      "UPDATE runs SET runname = 'other' || id; UPDATE runs SET runname = 'W3.7OF2025' WHERE id = 2",
    );
    newArea("gone", "DROP TABLE tests");
    const areaId = ensureAreaId(openArea(alpha.directory));
    await runReduce(alpha, { runId: [3] });
    const jobId = await served.stage.enqueue("hosta", alpha.directory, "hold");
    await waitFor("the areas", async () => (await served.call("GET /api/v1/areas")).body.areas.length === 3);
    const found = await search("w3.7of");
    expect(found.runs).toEqual({
      list: [
        expect.objectContaining({
          area: alpha.directory,
          areaId,
          id: 3,
          runname: "w3.7of2025",
          where: "completed-runs.db",
        }),
        expect.objectContaining({ area: beta.directory, areaId: null, id: 2, where: "megatest.db" }),
      ],
      ...{ searched: 3, total: 3, unreadable: 1, complete: false },
    });
    expect([found.areas, found.jobs]).toEqual([
      { list: [], complete: true },
      { list: [], complete: true },
    ]);
    expect((await search("CHIP")).areas?.list.map(({ area }) => area)).toEqual([
      alpha.directory,
      beta.directory,
    ]);
    // One that cannot be used is found, too.
    const broken = join(served.stage.root, "broken-area");
    mkdirSync(broken);
    writeFileSync(join(broken, "megatest.config"), "");
    symlinkSync("/etc/passwd", join(broken, "megatest.db"));
    await waitFor("the broken area", async () => (await search("broken-area")).areas?.list.length === 1);
    const prefix = jobId.slice(0, 12);
    expect((await search(prefix)).jobs).toEqual({
      list: [{ jobId, host: "hosta", job: "reduce", area: alpha.directory, state: "waiting" }],
      complete: true,
    });
    // Five of an area at most, and said so.
    const many = await search("7of2025");
    expect([many.runs?.list.length, many.runs?.complete]).toEqual([6, false]);
    expect((await search("a,b%'\"<script>")).runs?.list).toEqual([]);
  });

  it("is refused for a text that is too short, too long, or missing", async () => {
    for (const query of [
      "",
      "?q=",
      "?q=a",
      "?q=%20%20%20",
      `?q=${"x".repeat(201)}`,
      "?q=ab&q=cd",
      "?q=ab&more=1",
    ])
      expect([query, (await served.call(`GET /api/v1/search${query}`)).status]).toEqual([query, 400]);
  });
});
