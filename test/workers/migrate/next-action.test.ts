import { describe, expect, it } from "vitest";
import type { MigrationRow } from "../../../shared/contract/migration-row.ts";
import {
  type NextAction,
  nextAction,
  type OpenMigration,
  sideOf,
} from "../../../workers/migrate/state/next-action.ts";

const row: MigrationRow = {
  token: 7,
  job_id: "migrate-1",
  requested_by: "ann@host-a",
  kind: "migration",
  state: "closing",
  begun_at: 0,
  changed_at: 0,
  from_home: "10.0.0.1",
  to_home: "10.0.0.2",
  from_host: "host-a",
  to_host: "host-b",
  switch_token: null,
  source: "cache",
  digests: { cache: { sha256: "", rows: {}, bytes: 0 } },
  old_ready: 0,
  new_ready: 0,
  reason: null,
};
const watched = { since: 0, until: 1, strays: 0, done: true };

function stand(
  of: Partial<MigrationRow>,
  more: { newClean?: boolean; done?: boolean; alive?: boolean; gone?: boolean; idleMs?: number },
) {
  const { newClean = false, done = false, alive = false, gone = false, idleMs = 0 } = more;
  const files = { there: !gone, newClean, watched: done ? watched : undefined };
  return { row: { ...row, ...of }, files, leaseAlive: alive, idleMs } satisfies OpenMigration;
}

type Line = [
  Partial<MigrationRow>,
  Parameters<typeof stand>[1],
  NextAction | undefined,
  NextAction | undefined,
];

/** A state with what else tells; the old home's duty; the new one's. */
const lines: Line[] = [
  [{ state: "closing" }, { alive: true }, undefined, undefined],
  [{ state: "closing" }, {}, "decide", undefined],
  ...(["closed", "installed", "intent"] as const).flatMap((state): Line[] => [
    [{ state }, { alive: true }, undefined, undefined],
    [{ state }, {}, "decide", "decide"],
  ]),
  [{ state: "undoing" }, {}, "open-old", "clean-new"],
  [{ state: "undoing" }, { alive: true }, "open-old", "clean-new"],
  [{ state: "undoing", old_ready: 1 }, {}, undefined, "clean-new"],
  [{ state: "undoing", old_ready: 1 }, { idleMs: 700_000 }, "finish-undo", "clean-new"],
  [{ state: "undoing" }, { newClean: true }, "open-old", undefined],
  [{ state: "undoing", old_ready: 1 }, { newClean: true }, "finish-undo", undefined],
  [{ state: "undoing", digests: null, old_ready: 1 }, {}, "finish-undo", undefined],
  [{ state: "undone" }, {}, "tidy", undefined],
  [{ state: "undone" }, { gone: true }, undefined, undefined],
  [{ state: "switched" }, {}, "watch", "open-new"],
  [{ state: "switched" }, { alive: true }, "watch", undefined],
  [{ state: "switched", new_ready: 1 }, {}, "watch", undefined],
  [{ state: "switched", new_ready: 1 }, { done: true, alive: true }, undefined, undefined],
  [{ state: "switched", new_ready: 1 }, { done: true }, undefined, "settle"],
  [{ state: "settled" }, {}, undefined, "tidy"],
  [{ state: "settled" }, { gone: true }, undefined, undefined],
];

describe("what a migration leaves for a host to do", () => {
  it.each(lines.map(([of, more, onOld, onNew]) => ({ of, more, onOld, onNew })))(
    "is $onOld on the old home and $onNew on the new one for $of with $more",
    ({ of, more, onOld, onNew }) => {
      expect([nextAction(stand(of, more), "old"), nextAction(stand(of, more), "new")]).toEqual([
        onOld,
        onNew,
      ]);
    },
  );

  it("is nothing for a host that is neither", () => {
    expect(["host-a", "host-b", "host-c"].map((host) => sideOf(row, host))).toEqual([
      "old",
      "new",
      undefined,
    ]);
  });
});
