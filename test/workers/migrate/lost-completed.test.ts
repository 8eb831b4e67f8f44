import { existsSync, rmSync } from "node:fs";
import { expect, it } from "vitest";
import { filesOf, fingerprint, temporaryDirectory } from "../../support/area.ts";
import { buildForTwo, closeByHand, seenFromSide, takeOverByHand } from "../../support/hosts.ts";
import { runReduce } from "../../support/queue.ts";

it("a migration and a take-over make no completed-runs.db in place of one that held runs", async () => {
  const root = temporaryDirectory();
  const { area, place } = buildForTwo(root, { unsynced: false });
  await runReduce(seenFromSide(area, root, "old"));
  const { completedDb } = filesOf(area);
  rmSync(completedDb);
  const before = fingerprint(root);
  const options = { ...place, jobId: "m-1" };
  const refused = { code: "conflict", message: expect.stringContaining(`${completedDb} is missing`) };
  await expect(closeByHand(options)).rejects.toMatchObject(refused);
  await expect(takeOverByHand(options)).rejects.toMatchObject(refused);
  expect(existsSync(completedDb)).toBe(false);
  expect(fingerprint(root)).toEqual(before);
});
