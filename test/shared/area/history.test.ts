import {
  appendFileSync,
  chmodSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { openArea } from "../../../shared/area/area.ts";
import { appendHistory, readHistory } from "../../../shared/area/history.ts";
import { errorOf, makeArea, makeFifo, temporaryDirectory, writeFile } from "../../support/area.ts";

function scene() {
  const area = openArea(makeArea(temporaryDirectory()));
  return { area, file: join(area.privateDir, "history.jsonl") };
}

describe("the history of an area", () => {
  it("is empty without a file, and reading creates nothing", () => {
    const { area } = scene();
    expect(readHistory(area, { limit: 10 })).toEqual([]);
    expect(statSync(area.privateDir, { throwIfNoEntry: false })).toBeUndefined();
  });

  it("keeps one line per job in the order they finished, and reads the last ones", () => {
    const { area, file } = scene();
    for (const jobId of ["1", "2", "3"])
      expect(appendHistory(area, { jobId, who: "ann", note: "ä\n" })).toBe(true);
    expect(readFileSync(file, "utf8").split("\n")).toHaveLength(4);
    expect(readHistory(area, { limit: 2 })).toEqual([
      { jobId: "2", who: "ann", note: "ä\n" },
      { jobId: "3", who: "ann", note: "ä\n" },
    ]);
    expect(readHistory(area, { limit: 0 })).toEqual([]);
  });

  it("does not take a job twice", () => {
    const { area } = scene();
    appendHistory(area, { jobId: "1", result: "first" });
    appendHistory(area, { jobId: "2" });
    expect(appendHistory(area, { jobId: "1", result: "second" })).toBe(false);
    expect(readHistory(area, { limit: 10 })).toEqual([{ jobId: "1", result: "first" }, { jobId: "2" }]);
  });

  it("goes on in a new line after a torn one, at whatever byte that was torn", () => {
    const { area, file } = scene();
    appendHistory(area, { jobId: "1" });
    const whole = statSync(file).size;
    appendHistory(area, { jobId: "2", note: "ä" });
    for (let size = statSync(file).size - 1; size > whole; size--) {
      truncateSync(file, size);
      const before = readHistory(area, { limit: 10 }).length;
      appendHistory(area, { jobId: `after ${size}` });
      expect(readHistory(area, { limit: 10 })).toHaveLength(before + 1);
      truncateSync(file, size);
    }
  });

  it("writes a job again whose line was torn", () => {
    const { area, file } = scene();
    appendHistory(area, { jobId: "1" });
    truncateSync(file, statSync(file).size - 2);
    expect(appendHistory(area, { jobId: "1" })).toBe(true);
    expect(readHistory(area, { limit: 10 })).toEqual([{ jobId: "1" }]);
  });

  it("is read from the end of a file of any size", () => {
    const { area, file } = scene();
    appendHistory(area, { jobId: "old" });
    truncateSync(file, 1e12);
    appendFileSync(file, '\n{"jobId":"last"}\n{"no":"id"}\n[]\nnull\n');
    const started = performance.now();
    expect(readHistory(area, { limit: 10 })).toEqual([{ jobId: "last" }]);
    expect(appendHistory(area, { jobId: "last" })).toBe(false);
    expect(performance.now() - started).toBeLessThan(2000);
  });

  it("gets the mode of megatest.db", () => {
    const { area, file } = scene();
    chmodSync(area.megatestDb, 0o664);
    appendHistory(area, { jobId: "1" });
    expect(statSync(file).mode & 0o777).toBe(0o664);
  });

  it("is never written through a link or into a FIFO", () => {
    const { area, file } = scene();
    const target = writeFile(join(area.privateDir, "target"), "");
    symlinkSync(target, file);
    expect(errorOf(() => appendHistory(area, { jobId: "1" })).code).toBe("not-an-area");
    expect(readFileSync(target, "utf8")).toBe("");
    rmSync(file);
    makeFifo(file);
    expect(errorOf(() => appendHistory(area, { jobId: "1" })).code).toBe("not-an-area");
    expect(errorOf(() => readHistory(area, { limit: 1 })).code).toBe("corrupt");
  });
});
