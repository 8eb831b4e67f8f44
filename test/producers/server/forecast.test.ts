import { statSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { type GainByAge, gainByAgeSchema } from "../../../producers/contract/area.ts";
import { edit, fingerprint, newArea, readColumn } from "../../support/area.ts";
import { runReduce, serverEnv, startServer, withServerStage } from "../../support/queue.ts";

const day = 24 * 3_600_000;

describe("the gain of a reduce by age, over HTTP", () => {
  const served = withServerStage();
  const path = (area: string, keep = "") =>
    `GET /api/v1/areas/by-path/forecast?${new URLSearchParams({ path: area, ...(keep && { keep }) })}`;

  /** 60 runs, which began over 90 days. */
  const make = () =>
    newArea({ directory: `${served.stage.root}/a`, runs: 60, testsPerRun: 10, inFlight: 0, unsynced: false });

  it("falls with the age until nothing is left, agrees with what a reduce moves and frees, and writes nothing", async () => {
    const area = make();
    const before = fingerprint(area.directory);
    const { status, body } = await served.call(path(area.directory));
    expect([status, gainByAgeSchema.parse(body)]).toEqual([200, body]);
    expect(fingerprint(area.directory)).toEqual(before);
    const { gains, bytes, runs, keep } = body as GainByAge;
    expect({ bytes, runs, keep }).toEqual({ bytes: statSync(area.megatestDb).size, runs: 60, keep: 0 });
    expect(gains.map(({ days }) => days)).toEqual([1, 3, 7, 14, 30, 60, 90]);
    for (const [index, gain] of gains.entries()) {
      expect(gain.runs).toBeLessThanOrEqual(gains[index - 1]?.runs ?? 60);
      expect(gain.tests).toBe(gain.runs * 10);
    }
    expect(gains.at(-1)).toEqual({ days: 90, runs: 0, tests: 0, bytes: 0 });
    const { runs: old = 0, bytes: promised = 0 } = gains.find(({ days }) => days === 30) ?? {};
    const { result } = await runReduce(area, { runname: undefined, age: 30 * day, compact: "always" });
    // A job goes by the last activity of a run, not by its beginning.
    expect(old - result.moved.runs).toBeOneOf([0, 1]);
    const freed = bytes - statSync(area.megatestDb).size;
    expect(promised / freed).toBeGreaterThan(0.6);
    expect(promised / freed).toBeLessThan(1.5);
  });

  it("leaves the newest runs of each target and hidden ones, and refuses what is no count", async () => {
    const area = newArea({ directory: `${served.stage.root}/b`, runs: 20, inFlight: 0, unsynced: false });
    edit(area, ["area"], (db) => db.exec("UPDATE runs SET event_time = 1700000000 + id"));
    const first = async (keep: string) => (await served.call(path(area.directory, keep))).body.gains[0].runs;
    const all = await first("");
    expect(all).toBe(20);
    const targets = Number(
      readColumn(
        area.megatestDb,
        "SELECT count(*) FROM (SELECT DISTINCT sysname, fsname, datapath FROM runs)",
      )[0],
    );
    expect(await first("1")).toBe(20 - targets);
    expect(await first("1000")).toBe(0);
    edit(area, ["area"], (db) => db.exec("UPDATE runs SET state = 'deleted' WHERE id = 1"));
    const other = await startServer(serverEnv(served.stage));
    const answer = await fetch(`${other.url}${path(area.directory).slice(4)}`);
    expect(((await answer.json()) as GainByAge).runs).toBe(19);
    other.child.kill("SIGTERM");
    await other.finished;
    expect((await served.call(path(area.directory, "-1"))).status).toBe(400);
    expect((await served.call(path("/nowhere"))).status).toBe(403);
  });
});
