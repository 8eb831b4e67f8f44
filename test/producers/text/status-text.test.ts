import { describe, expect, it } from "vitest";
import type { AreaStatus } from "../../../producers/contract/area.ts";
import { areaStatusText } from "../../../producers/format/status.ts";

const status: AreaStatus = {
  area: "/areas/a1",
  areaId: null,
  name: "a1",
  homehost: "hosta",
  pinned: false,
  atHome: true,
  homeReason: "hosta is at home",
  cache: null,
  bytes: { "megatest.db": 4096 },
  servers: [],
  history: [],
  policies: [],
  paused: null,
  runs: 1,
  completedRuns: 0,
  cacheOnlyRuns: 0,
  unfinishedRuns: {},
  sides: {},
  held: false,
  lease: null,
  migration: null,
  problems: [],
};

describe("an area's status as text", () => {
  it("says of each job of the history what became of the runs, what a repair ended or where the area went", () => {
    const history = [
      { jobId: "restore-1", job: "restore", state: "completed", moved: { runs: 2 } },
      { jobId: "reduce-1", job: "reduce", state: "completed", moved: { runs: 1 } },
      {
        jobId: "repair-1",
        job: "repair",
        moved: { runs: 0 },
        finished: { restore: { runs: 2 } },
        undone: { reduce: 1 },
      },
      { jobId: "other-1", moved: "?" },
      { jobId: "migrate-1", job: "migrate", outcome: "migrated", from: "10.0.0.1", to: "10.0.0.2" },
    ];
    const lines = areaStatusText({ ...status, history }, { jobs: [], automatic: [] }).split("\n");
    const at = lines.indexOf("last jobs:");
    expect(lines.slice(at + 1).map((line) => line.trim().split(/ {2,}/))).toEqual([
      ["restore-1", "completed", "2 runs restored"],
      ["reduce-1", "completed", "1 run moved"],
      [
        "repair-1",
        "finished an interrupted restore: restored 2 runs; undid an interrupted reduce: removed the copies of 1 run",
      ],
      ["other-1"],
      ["migrate-1", "migrated: from 10.0.0.1 to 10.0.0.2"],
    ]);
  });
});
