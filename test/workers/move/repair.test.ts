import { describe, expect, it } from "vitest";
import type { FailpointName } from "../../../workers/area-db/failpoint-names.ts";
import {
  addTestIn,
  assertNothingLost,
  completedColumn,
  edit,
  everywhere,
  newArea,
  readColumn,
} from "../../support/area.ts";
import {
  assertReleased,
  historyOf,
  reduceAndKill,
  reduceSafely,
  runRepair,
  unionOf,
} from "../../support/queue.ts";

const build = () => newArea({ runs: 6, inFlight: 2 });

describe("a repair", () => {
  it.each(["copied", "removing", "committed-in-cache", "removed-from-ref", "moved"] as FailpointName[])(
    "of what a job left that was killed at %s leaves every run in one place, and nothing lost",
    async (step) => {
      const area = build();
      const before = unionOf(area);
      expect(await reduceAndKill(area, step, 1)).toBe("SIGKILL");
      const { result } = await runRepair(area, { jobId: "mend" });
      const moved = result.moved.runs;
      expect(result).toMatchObject({ job: "repair", state: "completed" });
      if (step === "copied") expect(result.undone).toEqual({ reduce: expect.any(Number) });
      if (step === "copied" || step === "moved") expect(moved).toBe(step === "copied" ? 0 : 4);
      assertNothingLost(before, unionOf(area));
      expect(completedColumn(area, "SELECT DISTINCT state FROM mtjobs_runs")).toEqual(
        moved > 0 ? ["moved"] : [],
      );
      expect(completedColumn(area, "SELECT count(*) FROM runs")).toEqual([moved]);
      assertReleased(area);
      expect(historyOf(area)).toMatchObject([{ jobId: "mend", job: "repair" }]);
    },
  );

  it("chooses no run, and brings late rows to the runs that have moved", async () => {
    const area = build();
    await reduceSafely(area, { runname: undefined, runId: [1] });
    const left = readColumn(area.megatestDb, "SELECT id FROM runs WHERE state <> 'deleted'");
    const test = addTestIn(area, ["cache"], 1, "came_late");
    const { result } = await runRepair(area);
    expect(result).toMatchObject({ moved: { runs: 0 }, late: 4 });
    expect(completedColumn(area, "SELECT testname FROM tests WHERE id = ?", test)).toEqual(["came_late"]);
    expect(readColumn(area.megatestDb, "SELECT id FROM runs WHERE state <> 'deleted'")).toEqual(left);
  });

  it("gives moved records new ids where theirs were handed out again", async () => {
    const area = build();
    await reduceSafely(area, { runname: undefined, runId: [1] });
    edit(area, everywhere, (db) =>
      db.exec(
        "DELETE FROM runs WHERE runname = 'mtjobs-id-guard'; INSERT INTO runs (id, runname, event_time) VALUES (1, 'new', 7)",
      ),
    );
    const { result } = await runRepair(area);
    expect(result.warnings.join()).toContain("Megatest had reused ids of moved rows");
    expect(completedColumn(area, "SELECT old_id FROM mtjobs_renumbered WHERE table_name = 'runs'")).toEqual([
      1,
    ]);
  });
});
