import { closeSync, linkSync, openSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { openFiles } from "../../../shared/area/cache/open-files.ts";
import { asUser, isRoot, nobody, temporaryDirectory, writeFile } from "../../support/area.ts";
import { holdOpen } from "../../support/queue.ts";

describe.runIf(process.platform === "linux")("looking for open files", () => {
  it("finds the process that holds a file open, under another name too", async () => {
    const root = temporaryDirectory();
    const file = writeFile(join(root, "a.db"), "");
    linkSync(file, join(root, "b.db"));
    const pid = await holdOpen(file);
    expect(openFiles([join(root, "b.db")])).toMatchObject({ pids: [pid] });
  });

  it("finds this process", () => {
    const file = writeFile(join(temporaryDirectory(), "a.db"), "");
    const fd = openSync(file, "r");
    expect(openFiles([file])).toMatchObject({ pids: [process.pid] });
    closeSync(fd);
  });

  it("finds no process for a closed and for a missing file", () => {
    const root = temporaryDirectory();
    const file = writeFile(join(root, "a.db"), "");
    expect(openFiles([file])).toMatchObject({ pids: [] });
    expect(openFiles([join(root, "none")])).toMatchObject({ pids: [] });
  });

  it.runIf(isRoot)(
    "lists the processes of other users that an unprivileged one may not inspect",
    async () => {
      const file = writeFile(join(temporaryDirectory(), "a.db"), "");
      const pid = await holdOpen(file);
      const found = asUser(nobody, () => openFiles(["/etc/passwd"]));
      expect(found).toMatchObject({ uninspected: expect.arrayContaining([{ pid, uid: 0 }]) });
    },
  );
});
